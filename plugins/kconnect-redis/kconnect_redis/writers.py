"""How batches get into Redis: command by command, in a transaction, or in one together with their offsets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from redis.exceptions import ResponseError

from kconnect import ConnectError, DataError, RetriableError, SinkRecord, SinkTaskContext, TopicPartition
from kconnect.offset_ledger import OffsetLedger, partition_of
from kconnect_redis.batch import Batch, Refusal, Report
from kconnect_redis.commands import RecordCommands
from kconnect_redis.config import RedisSinkConfig
from kconnect_redis.deployment import Deployment
from kconnect_redis.link import Command, Link
from kconnect_redis.offset_store import RedisOffsets
from kconnect_redis.transaction import execute


class Writer(Protocol):
    """Belongs to the task's thread."""

    def write(self, records: Sequence[SinkRecord], report: Report) -> None:
        """When this returns, every record is written or reported. After a RetriableError the same records may be given
        again."""
        ...

    def close(self, partitions: Iterable[TopicPartition]) -> None:
        """Records of these may come from another offset on when they come again."""
        ...


class PlainWriter:
    """Each command by itself. After an error in the middle only what comes from there on is written again."""

    def __init__(self, config: RedisSinkConfig, deployment: Deployment, commands: RecordCommands) -> None:
        self._deployment = deployment
        self._commands = commands
        self._replicas = Replicas(config)
        self._written: dict[TopicPartition, int] = {}
        """Of a batch that failed in the middle: up to which offsets its beginning is written."""
        self._refused: list[Refusal] = []

    def write(self, records: Sequence[SinkRecord], report: Report) -> None:
        left = [r for r in records if r.original_offset > self._written.get(partition_of(r), -1)]
        batch = Batch(left, self._commands)
        if batch.commands:
            failed = batch.judge(self._deployment.send(batch.commands), self._deployment)
            if failed is not None:
                unwritten, error = failed
                self._keep_beginning(left, unwritten[0], batch)
                raise error
            self._replicas.wait(self._deployment.links())
        refused, self._refused = self._refused + batch.refused, []
        self._written.clear()
        for record, error in refused:
            report(record, error)

    def close(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._written.pop(partition, None)

    def _keep_beginning(self, records: Sequence[SinkRecord], failed: SinkRecord, batch: Batch) -> None:
        before = records[: next(n for n, record in enumerate(records) if record is failed)]
        self._written |= {partition_of(record): record.original_offset for record in before}
        self._refused += [refusal for refusal in batch.refused if any(refusal[0] is record for record in before)]


class TransactionWriter:
    """What is put at once in one MULTI/EXEC."""

    def __init__(self, config: RedisSinkConfig, link: Link, commands: RecordCommands) -> None:
        self._link = link
        self._commands = commands
        self._replicas = Replicas(config)

    def write(self, records: Sequence[SinkRecord], report: Report) -> None:
        batch = Batch(records, self._commands)
        if batch.commands:
            failed = batch.judge(_executed(self._link, [command for _, command in batch.commands]), self._link)
            if failed is not None:
                raise failed[1]
            self._replicas.wait([self._link])
        for record, error in batch.refused:
            report(record, error)

    def close(self, partitions: Iterable[TopicPartition]) -> None:
        pass


class ExactlyOnceWriter:
    """What is put at once, and its offsets, in one MULTI/EXEC.

    A transaction is not undone when Redis refuses one of its commands, and it has moved the offsets. So the types of
    keys are looked at before. Where one changes in between, and that is not tolerated, the offset goes back to the
    record: nothing is passed over when the task starts again.
    """

    def __init__(
        self, config: RedisSinkConfig, link: Link, commands: RecordCommands, name: str, context: SinkTaskContext
    ) -> None:
        self._link = link
        self._commands = commands
        self._replicas = Replicas(config)
        self._offsets = RedisOffsets(link, name)
        self._ledger = OffsetLedger(self._offsets, context)
        self._type = _TYPES.get(config.kind)
        self._reported: set[tuple[TopicPartition, int]] = set()
        """Of a batch that may be given again."""

    def write(self, records: Sequence[SinkRecord], report: Report) -> None:
        batch = Batch(self._ledger.begin(records), self._commands)
        self._refuse_other_types(batch)
        for refusal in batch.refused:
            self._report_once(refusal, report)
        offsets = self._offsets.commands(self._ledger.offsets())
        if offsets:
            self._execute(batch, offsets, report)
            self._replicas.wait([self._link])
        self._reported.clear()

    def close(self, partitions: Iterable[TopicPartition]) -> None:
        self._reported.clear()
        self._ledger.give_up(partitions)

    def _refuse_other_types(self, batch: Batch) -> None:
        keys = list(dict.fromkeys(key for key, _ in batch.commands)) if self._type else []
        for key, answer in zip(keys, self._link.send([("TYPE", key) for key in keys]), strict=True):
            if isinstance(answer, ResponseError):
                raise self._link.failure(answer)
            if answer.decode() not in ("none", self._type):
                batch.refuse_key(key, DataError(f"WRONGTYPE: the key {key!r} is a {answer.decode()}, no {self._type}"))

    def _report_once(self, refusal: Refusal, report: Report) -> None:
        record, error = refusal
        place = (partition_of(record), record.original_offset)
        if place not in self._reported:
            report(record, error)
            self._reported.add(place)

    def _execute(self, batch: Batch, offsets: Sequence[Command], report: Report) -> None:
        answers = _executed(self._link, [*(command for _, command in batch.commands), *offsets])
        self._ledger.done()
        known = len(batch.refused)
        failed = batch.judge(answers[: len(batch.commands)], self._link)
        for number, refusal in enumerate(batch.refused[known:], known):
            try:
                self._report_once(refusal, report)
            except ConnectError:
                self._ledger.go_back([record for record, _ in batch.refused[number:]])
                raise
        if failed is not None:
            unwritten, error = failed
            self._ledger.go_back(unwritten)
            raise error


def _executed(link: Link, commands: Sequence[Command]) -> list[Any]:
    answers = execute(link, commands)
    if answers is None:
        raise RetriableError("the offsets in Redis were changed by someone else, which is looked into")
    return answers


_TYPES: Final = {
    "HASH": "hash",
    "JSON": "ReJSON-RL",
    "STREAM": "stream",
    "LIST": "list",
    "SET": "set",
    "ZSET": "zset",
    "TIMESERIES": "TSDB-TYPE",
}
"""What TYPE says of the keys that can be written; a string replaces anything."""


class Replicas:
    """`redis.wait.replicas`: how many must have what the links have written."""

    def __init__(self, config: RedisSinkConfig) -> None:
        self._count = config.wait_replicas
        self._timeout_ms = config.wait_timeout

    def wait(self, links: Iterable[Link]) -> None:
        """Raises RetriableError when they do not have it in time."""
        if not self._count:
            return
        for link in links:
            reached = link.call("WAIT", self._count, self._timeout_ms)
            if reached < self._count:
                raise RetriableError(
                    f"{reached} of the {self._count} replicas of redis.wait.replicas have what was written to "
                    f"{link.address} after {self._timeout_ms} ms (redis.wait.timeout)"
                )
