"""Exactly once: the offsets in Redis, changed by the transactions that write the data.

Each partition has a hash, `kconnect:offset:<connector>:<topic>:<partition>`: `offset` is that of the next record, with
the ids of the cluster and of the topic that it counts in. `owner` is raised by one by whoever takes the partition; a
transaction watches the hash, so that one of an earlier owner does not run.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis.exceptions import ResponseError

from kconnect import (
    ConnectError,
    PartitionLog,
    RetriableError,
    SinkRecord,
    SinkTaskContext,
    StoredOffset,
    TopicPartition,
)
from kconnect_redis.batch import partition_of
from kconnect_redis.failures import translated
from kconnect_redis.link import Command, Link
from kconnect_redis.transaction import execute

log = logging.getLogger(__name__)


def ledger_key(connector: str, partition: TopicPartition) -> str:
    return f"kconnect:offset:{connector}:{partition.topic}:{partition.partition}"


@dataclass(slots=True)
class _Claim:
    """A partition that is this task's. `written`: everything before it is in Redis, as far as it has answered; None:
    nothing that is known."""

    owner: int
    log: PartitionLog
    written: int | None
    next_offset: int | None = None
    """What the batch under way makes of `written`."""


class OffsetLedger:
    """The offsets of a task's partitions. Belongs to its thread.

    For each batch `begin`, then one transaction that ends with `commands`, then `done` if it ran. ConnectError when a
    partition has another owner, or its offset was counted in another log.
    """

    def __init__(self, connector: str, context: SinkTaskContext) -> None:
        self._connector = connector
        self._context = context
        self._claims: dict[TopicPartition, _Claim] = {}
        self._batch: list[TopicPartition] = []

    def begin(self, link: Link, records: Sequence[SinkRecord]) -> list[SinkRecord]:
        """Those of `records` that are not in Redis yet, to be written by a transaction of the same link."""
        new = [p for p in sorted(self._context.assignment()) if p not in self._claims]
        rewound = {partition for partition in new if self._claim(link, partition, records)}
        last = {partition_of(record): record.original_offset for record in records}
        self._batch = [partition for partition in last if partition not in rewound]
        if not self._batch:
            return []
        for partition in self._watch(link):
            rewound.add(partition)
            self._batch.remove(partition)
        for partition in self._batch:
            self._claims[partition].next_offset = max(last[partition] + 1, self._claims[partition].written or 0)
        new_records = [record for record in records if self._is_new(record, rewound)]
        if len(new_records) < len(records):
            self._check_that_they_are_written(records, rewound)
        return new_records

    def commands(self) -> list[Command]:
        """They make the offsets those behind the batch that was begun."""
        commands: list[Command] = []
        for partition in self._batch:
            claim = self._claims[partition]
            stored = StoredOffset.of(claim.next_offset or 0, claim.log)
            commands.append(("HSET", self._key(partition), "offset", stored.offset, *_pairs(stored)))
        return commands

    def done(self) -> None:
        """The transaction ran."""
        for partition in self._batch:
            self._claims[partition].written = self._claims[partition].next_offset

    def go_back(self, link: Link, records: Sequence[SinkRecord]) -> None:
        """These are not written after all."""
        for record in reversed(records):  # the first of each partition is what stays
            partition = partition_of(record)
            link.call("HSET", self._key(partition), "offset", record.original_offset)
            self._claims[partition].written = record.original_offset

    def give_up(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._claims.pop(partition, None)

    def _claim(self, link: Link, partition: TopicPartition, records: Sequence[SinkRecord]) -> bool:
        """Take the partition. Whether reading goes back, and its records among `records` are to be left."""
        key = self._key(partition)
        answers = execute(link, [("HINCRBY", key, "owner", 1), ("HMGET", key, "offset", "cluster_id", "topic_id")])
        if answers is None:  # a watch of an earlier try
            raise RetriableError(f"{partition}: its offset in Redis was changed by someone else, which is looked into")
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise ConnectError(f"{partition}: the offset in Redis at {key}: {translated(answer, link.address)}")
        owner, (offset, cluster_id, topic_id) = answers
        there = self._context.partition_log(partition)
        claim = self._claims[partition] = _Claim(owner=owner, log=there, written=None)
        if offset is None:
            return False
        stored = StoredOffset(int(offset), _text(cluster_id), _text(topic_id))
        try:
            stored.check(partition, there, f"Redis at {link.address}, key {key},")
        except ConnectError:
            del self._claims[partition]
            raise
        claim.written = stored.offset
        read = [record.original_offset for record in records if partition_of(record) == partition]
        if read and read[0] <= stored.offset <= read[-1] + 1:
            return False
        log.info(
            "%s goes on at %d, as Redis has it (the log begins at %d)", partition, stored.offset, there.start_offset
        )
        self._context.offset({partition: stored.offset})
        return bool(read)

    def _watch(self, link: Link) -> list[TopicPartition]:
        """Look at the offsets, from when on they must not change. Those that have gone back are given, and reading goes
        back with them."""
        keys = [self._key(partition) for partition in self._batch]
        answers = link.send([("WATCH", *keys), *(("HMGET", key, "owner", "offset") for key in keys)])
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise translated(answer, link.address)
        return [p for p, answer in zip(self._batch, answers[1:], strict=True) if self._has_gone_back(p, *answer)]

    def _has_gone_back(self, partition: TopicPartition, owner: bytes | None, offset: bytes | None) -> bool:
        claim = self._claims[partition]
        known, found = claim.written, None if offset is None else int(offset)
        if owner is None or int(owner) != claim.owner or (known is not None and found is None):
            del self._claims[partition]
            raise ConnectError(
                f"{partition}: another task has taken it over, or its offset in Redis, {self._key(partition)}, was "
                "removed: this one must not write any more"
            )
        claim.written = found
        if known is None or found is None or found >= known:
            return False
        log.warning("%s: Redis has lost what was written from %d to %d, which is read again", partition, found, known)
        self._context.offset({partition: found})
        return True

    def _check_that_they_are_written(self, records: Sequence[SinkRecord], rewound: set[TopicPartition]) -> None:
        """Records come again after an error, or a commit that failed; or they are others, of a log that was made anew
        or cut under the task, with offsets that were used before. ConnectError for these."""
        again = {partition_of(r) for r in records if not self._is_new(r, rewound)} - rewound
        for partition in again:
            claim = self._claims[partition]
            stored = StoredOffset.of(claim.written or 0, claim.log)
            stored.check(partition, self._context.partition_log(partition), f"Redis, key {self._key(partition)},")

    def _is_new(self, record: SinkRecord, rewound: set[TopicPartition]) -> bool:
        partition = partition_of(record)
        if partition in rewound:
            return False
        written = self._claims[partition].written
        return written is None or record.original_offset >= written

    def _key(self, partition: TopicPartition) -> str:
        return ledger_key(self._connector, partition)


def set_offsets(link: Link, connector: str, offsets: Mapping[TopicPartition, int | None]) -> None:
    """What a user makes of the offsets, which count in whatever log is there when a task next writes. No offsets: all
    are forgotten."""
    for partition, offset in offsets.items():
        key = ledger_key(connector, partition)
        if offset is None:
            link.call("DEL", key)
        else:
            link.call("HDEL", key, "cluster_id", "topic_id")
            link.call("HSET", key, "offset", offset)
    if not offsets:
        for name in list(_keys_of(link, connector)):
            link.call("DEL", name)


def _keys_of(link: Link, connector: str) -> Iterator[bytes]:
    """Of this connector alone: names of connectors may have colons, names of topics have none."""
    prefix = ledger_key(connector, TopicPartition("", 0)).removesuffix(":0")
    exactly = re.compile(re.escape(prefix.encode()) + rb"[^:]+:\d+")
    return filter(exactly.fullmatch, link.scan(re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"))


def _pairs(stored: StoredOffset) -> list[str]:
    ids = {"cluster_id": stored.cluster_id, "topic_id": stored.topic_id}
    return [text for name, value in ids.items() if value is not None for text in (name, value)]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
