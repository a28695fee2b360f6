"""A batch of records as commands, and what Redis answered to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from redis.exceptions import ResponseError

from kconnect import DataError, SinkRecord
from kconnect_redis.commands import RecordCommands
from kconnect_redis.deployment import KeyedCommand
from kconnect_redis.link import Argument


class Server(Protocol):
    """A link, or a deployment of several."""

    def failure(self, error: ResponseError) -> Exception:
        """What a command's error means."""
        ...


Refusal = tuple[SinkRecord, DataError]
Report = Callable[[SinkRecord, DataError], None]
"""Told of a record that cannot be written. Raises ConnectError where that is not tolerated."""


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

    def judge(self, answers: Sequence[Any], server: Server) -> tuple[list[SinkRecord], Exception] | None:
        """Note which records were refused, up to the first command that failed for another reason than its record: the
        records from there on, and the reason."""
        for number, answer in enumerate(answers):
            if isinstance(answer, ResponseError):
                error = server.failure(answer)
                record = self._records[number]
                if not isinstance(error, DataError):
                    return self._records[number:], error
                if not any(refused is record for refused, _ in self.refused):
                    self.refuse(record, error)
        return None

    def refuse_key(self, key: Argument, error: DataError) -> None:
        """Leave out what would be written to `key`."""
        kept = [n for n, (each, _) in enumerate(self.commands) if each != key]
        gone = {id(self._records[n]): self._records[n] for n, (each, _) in enumerate(self.commands) if each == key}
        self.commands = [self.commands[n] for n in kept]
        self._records = [self._records[n] for n in kept]
        for record in gone.values():
            self.refuse(record, error)

    def refuse(self, record: SinkRecord, error: DataError) -> None:
        self.refused.append((record, DataError(f"{where(record)}: {error}")))


def where(record: SinkRecord) -> str:
    return f"{record.original_topic}-{record.original_partition}@{record.original_offset}"
