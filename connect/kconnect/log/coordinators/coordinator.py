"""All groups of the broker: their timers, their committed offsets, and what is kept of both."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from kconnect.log.coordinators.effects import Effect, Keep
from kconnect.log.coordinators.group import Group, GroupState
from kconnect.log.coordinators.offset_records import (
    CommittedOffset,
    OffsetRecord,
    group_key,
    group_value,
    offset_key,
    offset_value,
    restore_group,
)
from kconnect.log.errors import RequestError
from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kconnect.log.coordinators.member import Join
    from kconnect.log.coordinators.offsets_log import OffsetsLog
    from kconnect.log.loop import Loop, Timer
    from kconnect.log.protocol.payloads import GroupMetadataValue

_LOG = logging.getLogger(__name__)

TopicPartition = tuple[str, int]


class GroupCoordinator:
    """Owns the groups. Belongs to the thread of the loop.

    Answers to joins and syncs go to the `reply_to` of the request, which is a callable that takes the answer.
    """

    def __init__(self, loop: Loop, log: OffsetsLog, *, initial_rebalance_delay: float) -> None:
        self.groups: dict[str, Group] = {}
        self._offsets: dict[str, dict[TopicPartition, CommittedOffset]] = {}
        self._timers: dict[str, tuple[float, Timer]] = {}
        self._loop = loop
        self._log = log
        self._initial_delay = initial_rebalance_delay

    def load(self) -> None:
        """Find groups and offsets as they were kept. Raises LogError."""
        states: dict[str, GroupMetadataValue] = {}
        for entry in self._log.replay():
            if isinstance(entry, OffsetRecord):
                offsets = self._offsets.setdefault(entry.group_id, {})
                if entry.committed is None:
                    offsets.pop((entry.topic, entry.partition), None)
                else:
                    offsets[entry.topic, entry.partition] = entry.committed
            elif entry.state is None:
                states.pop(entry.group_id, None)
            else:
                states[entry.group_id] = entry.state
        now = time.monotonic()
        for group_id, state in states.items():
            group = restore_group(group_id, state, now, initial_rebalance_delay=self._initial_delay)
            self.groups[group_id] = group
            self._schedule(group)
        for group_id in [id_ for id_, offsets in self._offsets.items() if offsets]:
            self.find_or_create(group_id)

    def find_or_create(self, group_id: str) -> Group:
        """The group of that id, an empty one if there was none."""
        group = self.groups.get(group_id)
        if group is None:
            group = self.groups[group_id] = Group(group_id, initial_rebalance_delay=self._initial_delay)
        return group

    def join(self, group_id: str, request: Join) -> None:
        """Let a member join; the group is made by the first one that may."""
        group = self.groups.get(group_id) or Group(group_id, initial_rebalance_delay=self._initial_delay)
        effects = group.join(request, time.monotonic())
        if not group.is_unused:
            self.groups[group_id] = group
        self.apply(group, effects)

    def apply(self, group: Group, effects: list[Effect]) -> None:
        """Do what a group has decided, and wake it when it asks to be."""
        for effect in effects:
            if isinstance(effect, Keep):
                self._keep(group)
            else:
                effect.reply_to(effect)
        self._schedule(group)

    def _keep(self, group: Group) -> None:
        entry = group_key(group.group_id), group_value(group, time.time_ns() // 1_000_000)
        try:
            self._log.append(group.group_id, [entry], lambda _: None)
        except RequestError as e:
            # The group goes on; only a restart of the broker would now make its members join again.
            _LOG.warning("the state of group %s cannot be kept: %s", group.group_id, e)

    def _schedule(self, group: Group) -> None:
        deadline = group.next_deadline
        due, timer = self._timers.get(group.group_id, (None, None))
        if deadline is not None and due is not None and due <= deadline:
            return  # it fires early, finds nothing to do, and is set anew
        if timer is not None:
            timer.cancel()
            del self._timers[group.group_id]
        if deadline is not None:
            timer = self._loop.call_later(max(0.0, deadline - time.monotonic()), lambda: self._tick(group))
            self._timers[group.group_id] = deadline, timer

    def _tick(self, group: Group) -> None:
        self._timers.pop(group.group_id, None)
        self.apply(group, group.tick(time.monotonic()))

    # Offsets

    def commit(
        self, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset], done: Callable[[ErrorCode], None]
    ) -> None:
        """Let `offsets` count once they, and all data older than them, are safe; then call `done`.

        Raises RequestError where they cannot be appended.
        """
        group = self.find_or_create(group_id)

        def synced(safe: bool) -> None:
            if safe and self.groups.get(group_id) is group:
                self._offsets.setdefault(group_id, {}).update(offsets)
            done(ErrorCode.NONE if safe else ErrorCode.COORDINATOR_NOT_AVAILABLE)

        entries: list[tuple[bytes, bytes | None]] = [
            (offset_key(group_id, topic, partition), offset_value(committed))
            for (topic, partition), committed in offsets.items()
        ]
        self._append(group_id, entries, synced)

    def _append(self, group_id: str, entries: list[tuple[bytes, bytes | None]], done: Callable[[bool], None]) -> None:
        try:
            self._log.append(group_id, entries, done)
        except RequestError as e:
            if e.code is ErrorCode.MESSAGE_TOO_LARGE:
                raise RequestError(ErrorCode.INVALID_COMMIT_OFFSET_SIZE, e.message) from e
            # As Kafka: clients ask for their coordinator again, and come back.
            raise RequestError(ErrorCode.COORDINATOR_NOT_AVAILABLE, e.message) from e

    def committed(self, group_id: str) -> Mapping[TopicPartition, CommittedOffset]:
        """The offsets of a group, none of an unknown one."""
        return self._offsets.get(group_id, {})

    def forget_offsets(self, group_id: str, partitions: list[TopicPartition], done: Callable[[bool], None]) -> None:
        """Drop committed offsets, for good once `done(True)` is called. Raises RequestError."""
        known = self._offsets.get(group_id, {})
        doomed = [key for key in partitions if key in known]
        if not doomed:
            done(True)
            return
        self._append(group_id, [(offset_key(group_id, *key), None) for key in doomed], done)
        for key in doomed:
            del known[key]

    def forget_topic(self, topic: str) -> None:
        """Drop what groups have committed for a deleted topic."""
        for group_id, offsets in self._offsets.items():
            doomed = [key for key in offsets if key[0] == topic]
            try:
                self.forget_offsets(group_id, doomed, lambda _: None)
            except RequestError as e:
                _LOG.warning("offsets of group %s for the deleted topic %s stay: %s", group_id, topic, e)

    def delete(self, group_id: str, done: Callable[[ErrorCode], None]) -> None:
        """Forget an empty group and its offsets, for good once `done` is called. Raises RequestError."""
        group = self.groups.get(group_id)
        if group is None:
            raise RequestError(ErrorCode.GROUP_ID_NOT_FOUND)
        if group.state is not GroupState.EMPTY:
            raise RequestError(ErrorCode.NON_EMPTY_GROUP)
        entries: list[tuple[bytes, bytes | None]] = [
            (offset_key(group_id, *key), None) for key in self._offsets.get(group_id, {})
        ]
        entries.append((group_key(group_id), None))
        self._append(
            group_id, entries, lambda safe: done(ErrorCode.NONE if safe else ErrorCode.COORDINATOR_NOT_AVAILABLE)
        )
        del self.groups[group_id]
        self._offsets.pop(group_id, None)
        _, timer = self._timers.pop(group_id, (None, None))
        if timer is not None:
            timer.cancel()
