"""Exactly once for sinks whose target has transactions: offsets are kept beside the data and change with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kconnect.errors import ConnectError
from kconnect.record import SinkRecord, TopicPartition
from kconnect.sink import PartitionLog, SinkTaskContext
from kconnect.stored_offset import StoredOffset

log = logging.getLogger(__name__)


class OffsetStore(Protocol):
    """Where a target keeps a connector's offsets: for each partition a `StoredOffset`, and the number of its owner,
    which grows with each task that takes the partition."""

    def place(self, partition: TopicPartition) -> str:
        """Where that is, for messages: `Redis at db:6379, key …`."""
        ...

    def take(self, partition: TopicPartition) -> tuple[int, StoredOffset | None]:
        """Raise the owner's number by one; that, and what is stored."""
        ...

    def look(self, partitions: Sequence[TopicPartition]) -> Sequence[tuple[int | None, int | None]]:
        """Owner and offset of each. Should either change before the transaction that follows, that must fail."""
        ...

    def put_back(self, partition: TopicPartition, offset: int) -> None:
        """Store a smaller offset, outside of a transaction."""
        ...


@dataclass(slots=True)
class _Claim:
    """A partition that is this task's. `written`: everything before it is in the target, as far as that has answered;
    None: nothing that is known."""

    owner: int
    log: PartitionLog
    written: int | None
    next_offset: int = 0
    """What the batch under way makes of `written`."""


class OffsetLedger:
    """What of a task's partitions is written. Belongs to the task's thread.

    For each `put`: `begin`; one transaction of the target that writes what it gave, and `offsets`; `done` if that
    succeeded. Not before the first `put`, an empty one as well, are partitions taken, which fences their earlier owner.
    ConnectError when a partition has another owner by now, or its offset was counted in another log.
    """

    def __init__(self, store: OffsetStore, context: SinkTaskContext) -> None:
        self._store = store
        self._context = context
        self._claims: dict[TopicPartition, _Claim] = {}
        self._batch: list[TopicPartition] = []

    def begin(self, records: Sequence[SinkRecord]) -> list[SinkRecord]:
        """Those of `records` that are not written yet. Where the target has less than the consumer group has committed,
        or much more, none of the partition's: reading goes to where the target is."""
        new = [p for p in sorted(self._context.assignment()) if p not in self._claims]
        moved = {partition for partition in new if self._take(partition, records)}
        last = {partition_of(record): record.original_offset for record in records}
        self._batch = [partition for partition in last if partition not in moved]
        if not self._batch:
            return []
        looked = zip(list(self._batch), self._store.look(self._batch), strict=True)
        moved.update(partition for partition, found in looked if self._has_gone_back(partition, *found))
        self._batch = [partition for partition in self._batch if partition not in moved]
        for partition in self._batch:
            claim = self._claims[partition]
            claim.next_offset = max(last[partition] + 1, claim.written or 0)
        left = [record for record in records if partition_of(record) not in moved]
        unwritten = [record for record in left if not self._is_written(record)]
        if len(unwritten) < len(left):
            self._check_that_they_are_written({partition_of(record) for record in left if self._is_written(record)})
        return unwritten

    def offsets(self) -> dict[TopicPartition, StoredOffset]:
        """What the transaction of the batch that was begun stores."""
        claims = {partition: self._claims[partition] for partition in self._batch}
        return {partition: StoredOffset.of(claim.next_offset, claim.log) for partition, claim in claims.items()}

    def done(self) -> None:
        """The transaction succeeded."""
        for partition in self._batch:
            self._claims[partition].written = self._claims[partition].next_offset

    def go_back(self, records: Sequence[SinkRecord]) -> None:
        """These, in their order, are not written, though the transaction succeeded."""
        first = {partition_of(record): record.original_offset for record in reversed(records)}
        for partition, offset in first.items():
            self._store.put_back(partition, offset)
            self._claims[partition].written = offset

    def give_up(self, partitions: Iterable[TopicPartition]) -> None:
        """They are closed; when they come back they are taken anew."""
        for partition in partitions:
            self._claims.pop(partition, None)

    def _take(self, partition: TopicPartition, records: Sequence[SinkRecord]) -> bool:
        """Whether reading goes elsewhere, and the partition's records among `records` are to be left."""
        owner, stored = self._store.take(partition)
        there = self._context.partition_log(partition)
        if stored is not None:
            stored.check(partition, there, self._store.place(partition))
        self._claims[partition] = _Claim(owner, there, None if stored is None else stored.offset)
        if stored is None:
            return False
        read = [record.original_offset for record in records if partition_of(record) == partition]
        if read and read[0] <= stored.offset <= read[-1] + 1:
            return False
        log.info(
            "%s goes on at %d, as the target has it; the log begins at %d", partition, stored.offset, there.start_offset
        )
        self._context.offset({partition: stored.offset})
        return bool(read)

    def _has_gone_back(self, partition: TopicPartition, owner: int | None, offset: int | None) -> bool:
        claim = self._claims[partition]
        known, claim.written = claim.written, offset
        if owner != claim.owner or (known is not None and offset is None):
            del self._claims[partition]
            raise ConnectError(
                f"{partition}: another task has taken it over, or its offset was removed from where it is kept "
                f"({self._store.place(partition)}): this one must not write any more"
            )
        if known is None or offset is None or offset >= known:
            return False
        log.warning(
            "%s: the target has lost what was written from %d to %d: it is read again", partition, offset, known
        )
        self._context.offset({partition: offset})
        return True

    def _check_that_they_are_written(self, partitions: Iterable[TopicPartition]) -> None:
        """Records come again after an error, or a commit that failed; or they are others, of a log that was made anew
        or cut under the task, with offsets that were used before. ConnectError for these."""
        for partition in partitions:
            claim = self._claims[partition]
            stored = StoredOffset.of(claim.written or 0, claim.log)
            stored.check(partition, self._context.partition_log(partition), self._store.place(partition))

    def _is_written(self, record: SinkRecord) -> bool:
        written = self._claims[partition_of(record)].written
        return written is not None and record.original_offset < written


def partition_of(record: SinkRecord) -> TopicPartition:
    """Where it was read, whatever transforms made of it."""
    return TopicPartition(record.original_topic, record.original_partition)
