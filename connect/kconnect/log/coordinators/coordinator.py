"""All groups of the broker: their timers, their committed offsets, and what is kept of both."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from kconnect.log.coordinators.committed_offsets import CommittedOffsets, TopicPartition
from kconnect.log.coordinators.effects import Effect, Keep
from kconnect.log.coordinators.group import Group
from kconnect.log.coordinators.group_state import GroupState
from kconnect.log.coordinators.offset_records import (
    CommittedOffset,
    GroupRecord,
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
    from collections.abc import Callable, Iterable, Mapping

    from kconnect.log.coordinators.member import Join
    from kconnect.log.coordinators.offsets_log import Entry, OffsetsLog
    from kconnect.log.coordinators.transaction import ProducerIdentity
    from kconnect.log.loop import Loop, Timer
    from kconnect.log.protocol.payloads import GroupMetadataValue

_LOG = logging.getLogger(__name__)


class GroupCoordinator:
    """Owns the groups. Belongs to the thread of the loop.

    Answers to joins and syncs go to the `reply_to` of the request, which is a callable that takes the answer.
    """

    def __init__(self, loop: Loop, log: OffsetsLog, *, initial_rebalance_delay: float) -> None:
        self.groups: dict[str, Group] = {}
        self._offsets = CommittedOffsets()
        self._restored: dict[str, GroupMetadataValue] = {}
        self._active_at: dict[str, int] = {}
        self._timers: dict[str, tuple[float, Timer]] = {}
        self._loop = loop
        self._log = log
        self._initial_delay = initial_rebalance_delay

    def load(self) -> None:
        """Find groups and offsets as they were kept. Raises LogError."""
        self._log.replay(self)
        now = time.monotonic()
        for group_id, state in self._restored.items():
            group = restore_group(group_id, state, now, initial_rebalance_delay=self._initial_delay)
            self.groups[group_id] = group
            self._schedule(group)
        self._restored = {}
        for group_id in self._offsets.groups():
            self.find_or_create(group_id)

    def restore(self, entry: OffsetRecord | GroupRecord, producer_id: int) -> None:
        """Take up what was kept; offsets of a producer (-1: none) are pending until its transaction ends."""
        if isinstance(entry, GroupRecord):
            self._restored.pop(entry.group_id, None)
            self._active_at.pop(entry.group_id, None)
            if entry.state is not None:
                self._restored[entry.group_id] = entry.state
                self._active_at[entry.group_id] = entry.state.current_state_timestamp
            return
        partition = entry.topic, entry.partition
        if entry.committed is None:
            self._offsets.forget(entry.group_id, [partition])
        elif producer_id < 0:
            self._offsets.commit(entry.group_id, {partition: entry.committed})
        else:
            self._offsets.commit_in_transaction(entry.group_id, producer_id, {partition: entry.committed})

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
        now = self._active_at[group.group_id] = time.time_ns() // 1_000_000
        entry = group_key(group.group_id), group_value(group, now)
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

        def synced(offset: int | None) -> None:
            if offset is not None and self.groups.get(group_id) is group:
                self._offsets.commit(group_id, _placed(offsets, offset))
            done(_error(offset))

        self._append(group_id, _entries(group_id, offsets), synced)

    def commit_in_transaction(
        self, group_id: str, producer: ProducerIdentity, offsets: Mapping[TopicPartition, CommittedOffset]
    ) -> None:
        """Let `offsets` count once the producer's transaction commits. Raises RequestError."""
        try:
            position = self._log.append_in_transaction(group_id, producer, _entries(group_id, offsets))
        except RequestError as e:
            raise _refusal(e) from e
        self.find_or_create(group_id)
        self._offsets.commit_in_transaction(group_id, producer.producer_id, _placed(offsets, position))

    def end_transaction(self, producer_id: int, partition: int, *, commit: bool) -> None:
        """A transaction's marker is in a partition of the offsets topic: what it had pending there is decided."""
        self._offsets.end_transaction(
            producer_id, commit=commit, lies_here=lambda group_id: self.log_partition(group_id) == partition
        )

    def log_partition(self, group_id: str) -> int:
        """The partition of the offsets topic that a transaction with offsets of a group has. Raises RequestError."""
        return self._log.partition_index(group_id)

    def _append(self, group_id: str, entries: list[Entry], done: Callable[[int | None], None]) -> None:
        try:
            self._log.append(group_id, entries, done)
        except RequestError as e:
            raise _refusal(e) from e

    def committed(self, group_id: str) -> Mapping[TopicPartition, CommittedOffset]:
        """The offsets of a group, none of an unknown one."""
        return self._offsets.of(group_id)

    def has_offsets(self, group_id: str) -> bool:
        """Whether a group has offsets, pending ones too."""
        return bool(self._offsets.partitions_of(group_id))

    def active_at(self, group_id: str) -> int:
        """When the state of a group last changed, in milliseconds since 1970; -1 where it never had members."""
        return self._active_at.get(group_id, -1)

    def is_unstable(self, group_id: str, partition: TopicPartition) -> bool:
        """Whether a transaction that is not decided yet has an offset of a group for `partition`."""
        return self._offsets.is_pending(group_id, partition)

    def forget_offsets(
        self, group_id: str, partitions: list[TopicPartition], done: Callable[[ErrorCode], None]
    ) -> None:
        """Drop committed offsets, for good once `done` is called without an error. Raises RequestError."""
        known = self._offsets.partitions_of(group_id)
        doomed = [key for key in partitions if key in known]
        if not doomed:
            done(ErrorCode.NONE)
            return
        self._append(group_id, _tombstones(group_id, doomed), lambda offset: done(_error(offset)))
        self._offsets.forget(group_id, doomed)

    def forget_topic(self, topic: str) -> None:
        """Drop what groups have committed for a deleted topic."""
        for group_id in self._offsets.groups():
            doomed = [key for key in self._offsets.partitions_of(group_id) if key[0] == topic]
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
        partitions = self._offsets.partitions_of(group_id)
        entries = [*_tombstones(group_id, partitions), (group_key(group_id), None)]
        self._append(group_id, entries, lambda offset: done(_error(offset)))
        del self.groups[group_id]
        self._active_at.pop(group_id, None)
        self._offsets.forget(group_id, partitions)
        _, timer = self._timers.pop(group_id, (None, None))
        if timer is not None:
            timer.cancel()


def _entries(group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> list[Entry]:
    return [(offset_key(group_id, *partition), offset_value(committed)) for partition, committed in offsets.items()]


def _tombstones(group_id: str, partitions: Iterable[TopicPartition]) -> list[Entry]:
    return [(offset_key(group_id, *partition), None) for partition in partitions]


def _placed(offsets: Mapping[TopicPartition, CommittedOffset], position: int) -> dict[TopicPartition, CommittedOffset]:
    """`offsets` whose records were appended from `position` on, in their order."""
    return {
        partition: committed._replace(position=position + number)
        for number, (partition, committed) in enumerate(offsets.items())
    }


def _error(offset: int | None) -> ErrorCode:
    return ErrorCode.COORDINATOR_NOT_AVAILABLE if offset is None else ErrorCode.NONE


def _refusal(error: RequestError) -> RequestError:
    if error.code is ErrorCode.MESSAGE_TOO_LARGE:
        return RequestError(ErrorCode.INVALID_COMMIT_OFFSET_SIZE, error.message)
    if error.code is ErrorCode.INVALID_PRODUCER_EPOCH:
        return error
    # As Kafka: clients ask for their coordinator again, and come back.
    return RequestError(ErrorCode.COORDINATOR_NOT_AVAILABLE, error.message)
