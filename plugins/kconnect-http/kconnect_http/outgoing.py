"""Requests made of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kconnect import DataError, SinkRecord
from kconnect_http.sink_settings import SinkSettings

Refuse = Callable[[SinkRecord, DataError], None]
"""Told of a record that no request can be made of. Raises ConnectError where that is not tolerated."""


class Target(NamedTuple):
    """Records of one target may share a request."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    batch_key: str


class Outgoing(NamedTuple):
    """A request: `bodies` are of its records, one each; None for a request without a body."""

    target: Target
    records: Sequence[SinkRecord]
    bodies: Sequence[bytes | None]

    def halves(self) -> tuple[Outgoing, Outgoing]:
        middle = len(self.records) // 2
        target, records, bodies = self
        return Outgoing(target, records[:middle], bodies[:middle]), Outgoing(target, records[middle:], bodies[middle:])


class OutgoingBuilder:
    """Makes requests of records in their order: a request holds records that follow one another."""

    def __init__(self, settings: SinkSettings, refuse: Refuse) -> None:
        self._settings = settings
        self._refuse = refuse
        fixed = [header.fixed for _, header in settings.headers]
        key = settings.batch_key
        self._fixed: Target | None = None
        """The target of all records, where nothing of a record is in it."""
        if settings.url.fixed is not None and None not in fixed and (key is None or key.fixed is not None):
            names = [name for name, _ in settings.headers]
            headers = tuple((name, text) for name, text in zip(names, fixed, strict=True) if text is not None)
            self._fixed = Target(settings.method, settings.url.fixed, headers, "")

    def requests(self, records: Sequence[SinkRecord]) -> Iterator[Outgoing]:
        batch = self._settings.batch
        most_records, most_bytes = (1, 0) if batch is None else (batch.max_records, batch.max_bytes)
        target: Target | None = None
        gathered: list[SinkRecord] = []
        bodies: list[bytes | None] = []
        size = 0
        for record in records:
            try:
                own, body = self._of(record)
            except DataError as error:
                if target is not None and gathered:  # what comes before it is sent before it is reported
                    yield Outgoing(target, gathered, bodies)
                    gathered, bodies, size = [], [], 0
                self._refuse(record, error)
                continue
            length = 0 if body is None else len(body)
            full = len(gathered) >= most_records or size + length > most_bytes or body is None
            if target is not None and gathered and (full or own != target):
                yield Outgoing(target, gathered, bodies)
                gathered, bodies, size = [], [], 0
            target = own
            gathered.append(record)
            bodies.append(body)
            size += length
        if target is not None and gathered:
            yield Outgoing(target, gathered, bodies)

    def _of(self, record: SinkRecord) -> tuple[Target, bytes | None]:
        settings = self._settings
        if record.value is None and settings.null_values in ("fail", "delete"):
            if settings.null_values == "fail":
                raise DataError("has no value (behavior.on.null.values=delete would send DELETE, ignore pass over it)")
            return self._target(record, "DELETE"), None
        body = settings.encode(record.value_schema, record.value)
        if settings.rewrite is not None:
            body = settings.rewrite(record, body)
        return self._fixed or self._target(record, settings.method), body

    def _target(self, record: SinkRecord, method: str) -> Target:
        settings = self._settings
        headers = tuple((name, header.of(record)) for name, header in settings.headers)
        batch_key = "" if settings.batch_key is None else settings.batch_key.of(record)
        return Target(method, settings.url.of(record), headers, batch_key)
