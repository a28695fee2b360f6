"""Forgetting what groups have committed that nobody has used for long, as Kafka does (KIP-211)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kconnect.log.coordinators.group_state import GroupState
from kconnect.log.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kconnect.log.clock import SteadyClock
    from kconnect.log.coordinators.committed_offsets import TopicPartition
    from kconnect.log.coordinators.coordinator import GroupCoordinator
    from kconnect.log.coordinators.offset_records import CommittedOffset
    from kconnect.log.loop import Loop
    from kconnect.log.settings import BrokerSettings

_LOG = logging.getLogger(__name__)


class OffsetsExpiry:
    """Looks on the loop's timers, from `start` on, for offsets of groups without members that are old."""

    def __init__(self, loop: Loop, coordinator: GroupCoordinator, settings: BrokerSettings, clock: SteadyClock) -> None:
        self._loop = loop
        self._coordinator = coordinator
        self._interval = settings.offsets_retention_check_interval
        self._retention_ms = int(settings.offsets_retention * 1000)
        self._clock = clock

    def start(self) -> None:
        self._loop.call_later(self._interval, self._look)

    def _look(self) -> None:
        self._loop.call_later(self._interval, self._look)  # first: a fault must not be the last look
        before = self._clock.now() - self._retention_ms
        for group_id, group in list(self._coordinator.groups.items()):
            if group.state is not GroupState.EMPTY:
                continue
            committed = self._coordinator.committed(group_id)
            expired = [
                partition
                for partition in expired_offsets(committed, self._coordinator.active_at(group_id), before)
                if not self._coordinator.is_unstable(group_id, partition)
            ]
            if expired:
                self._forget(group_id, expired)

    def _forget(self, group_id: str, partitions: list[TopicPartition]) -> None:
        try:
            self._coordinator.forget_offsets(group_id, partitions, lambda _: None)
            if not self._coordinator.has_offsets(group_id):
                self._coordinator.delete(group_id, lambda _: None)
        except RequestError as e:
            _LOG.warning("old offsets of group %s stay for now: %s", group_id, e)
        else:
            _LOG.info("forgot %d offsets of group %s, which nobody has used for long", len(partitions), group_id)


def expired_offsets(
    committed: Mapping[TopicPartition, CommittedOffset], active_at: int, before: int
) -> list[TopicPartition]:
    """The offsets of a group without members that are older than `before`; times are milliseconds since 1970.

    Their age counts from the last commit, or from when the group last had members (`active_at`), if that is later.
    """
    return [partition for partition, offset in committed.items() if max(active_at, offset.timestamp) < before]
