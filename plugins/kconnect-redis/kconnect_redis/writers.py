"""How batches get into Redis: command by command, in a transaction, or in one together with their offsets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from kconnect import RetriableError, SinkRecord, TopicPartition
from kconnect_redis.batch import Batch, Refusal, partition_of
from kconnect_redis.commands import RecordCommands
from kconnect_redis.config import RedisSinkConfig
from kconnect_redis.deployment import Deployment
from kconnect_redis.link import Command, Link
from kconnect_redis.offset_ledger import OffsetLedger
from kconnect_redis.transaction import execute


class Writer(Protocol):
    """Belongs to the task's thread."""

    def write(self, records: Sequence[SinkRecord]) -> list[Refusal]:
        """Records that Redis refused; all others are written when this returns. After a RetriableError the same
        records may be given again. Any other error concerns all of them."""
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

    def write(self, records: Sequence[SinkRecord]) -> list[Refusal]:
        left = [r for r in records if r.original_offset > self._written.get(partition_of(r), -1)]
        batch = Batch(left, self._commands)
        if batch.commands:
            failed = batch.judge(self._deployment.send(batch.commands), self._deployment)
            if failed is not None:
                self._keep_beginning(left, failed[0], batch)
                raise failed[1]
            self._replicas.wait(self._deployment)
        refused, self._refused = self._refused + batch.refused, []
        self._written.clear()
        return refused

    def close(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._written.pop(partition, None)

    def _keep_beginning(self, records: Sequence[SinkRecord], failed: SinkRecord, batch: Batch) -> None:
        before = records[: next(n for n, record in enumerate(records) if record is failed)]
        self._written |= {partition_of(record): record.original_offset for record in before}
        self._refused += [refusal for refusal in batch.refused if any(refusal[0] is record for record in before)]


class TransactionWriter:
    """What is put at once in one MULTI/EXEC; with a ledger, exactly once."""

    def __init__(
        self, config: RedisSinkConfig, deployment: Deployment, commands: RecordCommands, ledger: OffsetLedger | None
    ) -> None:
        self._deployment = deployment
        self._commands = commands
        self._replicas = Replicas(config)
        self._ledger = ledger
        self._refused: list[Refusal] = []
        """Of a batch that is written, and whose replicas are waited for."""

    def write(self, records: Sequence[SinkRecord]) -> list[Refusal]:
        [link] = self._deployment.links()
        if self._ledger is not None:
            records = self._ledger.begin(link, records)
        batch = Batch(records, self._commands)
        data = [command for _, command in batch.commands]
        offsets = [] if self._ledger is None else self._ledger.commands()
        if data or offsets:
            self._execute(link, batch, [*data, *offsets])
        if self._ledger is not None:
            self._refused += batch.refused
        self._replicas.wait(self._deployment)
        refused = batch.refused if self._ledger is None else self._refused
        self._refused = []
        return refused

    def close(self, partitions: Iterable[TopicPartition]) -> None:
        if self._ledger is not None:
            self._ledger.give_up(partitions)

    def _execute(self, link: Link, batch: Batch, commands: Sequence[Command]) -> None:
        answers = execute(link, commands)
        if answers is None:
            raise RetriableError("the offsets in Redis were changed by someone else, which is looked into")
        if self._ledger is not None:
            self._ledger.done()
        failed = batch.judge(answers[: len(batch.commands)], self._deployment)
        if failed is None:
            return
        record, error = failed
        if self._ledger is not None:  # they passed a record that is not written: better twice than never
            self._ledger.go_back(link, partition_of(record), record.original_offset)
        raise error


class Replicas:
    """`redis.wait.replicas`: how many must have what the links have written."""

    def __init__(self, config: RedisSinkConfig) -> None:
        self._count = config.wait_replicas
        self._timeout_ms = config.wait_timeout

    def wait(self, deployment: Deployment) -> None:
        """Raises RetriableError when they do not have it in time."""
        if not self._count:
            return
        for link in deployment.links():
            reached = link.call("WAIT", self._count, self._timeout_ms)
            if reached < self._count:
                raise RetriableError(
                    f"{reached} of the {self._count} replicas of redis.wait.replicas have what was written to "
                    f"{link.address} after {self._timeout_ms} ms (redis.wait.timeout)"
                )
