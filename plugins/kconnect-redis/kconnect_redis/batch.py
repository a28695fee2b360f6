"""A batch of records as commands, and what Redis answered to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from redis.exceptions import ResponseError

from kconnect import DataError, SinkRecord, TopicPartition
from kconnect_redis.commands import RecordCommands
from kconnect_redis.deployment import Deployment, KeyedCommand

Refusal = tuple[SinkRecord, DataError]


class Batch:
    """`refused` are records that cannot be written, with the reasons; they grow by `judge`."""

    def __init__(self, records: Iterable[SinkRecord], commands_of: RecordCommands) -> None:
        self.commands: list[KeyedCommand] = []
        self.refused: list[Refusal] = []
        self._records: list[SinkRecord] = []
        for record in records:
            try:
                key, commands = commands_of.of(record)
            except DataError as error:
                self.refuse(record, error)
                continue
            for command in commands:
                self.commands.append((key, command))
                self._records.append(record)

    def judge(self, answers: Sequence[Any], deployment: Deployment) -> tuple[SinkRecord, Exception] | None:
        """Note which records were refused, up to the first command that failed for another reason than its record: that
        record, and the reason."""
        for number, answer in enumerate(answers):
            if isinstance(answer, ResponseError):
                error = deployment.failure(answer)
                record = self._records[number]
                if not isinstance(error, DataError):
                    return record, error
                if not any(refused is record for refused, _ in self.refused):
                    self.refuse(record, error)
        return None

    def refuse(self, record: SinkRecord, error: DataError) -> None:
        self.refused.append((record, DataError(f"{where(record)}: {error}")))


def where(record: SinkRecord) -> str:
    return f"{record.original_topic}-{record.original_partition}@{record.original_offset}"


def partition_of(record: SinkRecord) -> TopicPartition:
    """Where it was read, whatever transforms made of it."""
    return TopicPartition(record.original_topic, record.original_partition)
