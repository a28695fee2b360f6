"""Where reading a table has come to, and the source partition and offset maps that say so, as JDBC connectors do."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kconnect.connector import OffsetStorageReader
from kconnect.errors import ConnectError
from kconnect_sql.table import Table

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
INCREMENTING = "incrementing"
TIMESTAMP = "timestamp"
NANOS = "timestamp.nanos"
QUERY_PARTITION: dict[str, Any] = {"query": "query"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The last row read: its incrementing number, its timestamp, or both; None before the first."""

    number: int | None = None
    moment: datetime.datetime | None = None

    def to_offset(self) -> dict[str, Any]:
        offset: dict[str, Any] = {}
        if self.number is not None:
            offset[INCREMENTING] = self.number
        if self.moment is not None:
            offset |= moment_offset(self.moment)
        return offset

    @classmethod
    def from_offset(cls, offset: Mapping[str, Any]) -> Position:
        """Raises ConnectError for what no SQL source wrote."""
        number, ms, nanos = offset.get(INCREMENTING), offset.get(TIMESTAMP), offset.get(NANOS)
        for name, value in ((INCREMENTING, number), (TIMESTAMP, ms), (NANOS, nanos)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise ConnectError(f"the offset {dict(offset)} has {name}={value!r}; it must be a whole number")
        if ms is None:
            return cls(number=number)
        micros = ms % 1000 * 1000 if nanos is None else nanos // 1000
        try:
            moment = EPOCH + datetime.timedelta(seconds=ms // 1000, microseconds=micros)
        except OverflowError:
            raise ConnectError(f"the offset {dict(offset)} has a timestamp outside the years 1 to 9999") from None
        return cls(number=number, moment=moment)


@dataclass(slots=True)
class Place:
    """A table (None: the query), under which source partition its offsets are kept, and how far it has been read; a
    position of None is a beginning."""

    table: Table | None
    partition: dict[str, Any]
    position: Position | None = None


def place_of(table: Table | None, database: str, stored: OffsetStorageReader) -> Place:
    """Where to go on, by the stored offsets: also those that a JDBC connector keeps under another form of the name,
    which then stay there."""
    candidates = [QUERY_PARTITION] if table is None else _partitions(table, database)
    for partition, offset in zip(candidates, stored.offsets(candidates), strict=True):
        if offset:
            return Place(table, partition, Position.from_offset(offset))
    return Place(table, candidates[0])


def moment_offset(moment: datetime.datetime) -> dict[str, Any]:
    """The part of an offset that tells an instant."""
    since = moment - EPOCH
    millis = since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
    return {TIMESTAMP: millis, NANOS: since.microseconds * 1000}


def whole_number(value: Any, column: str) -> int:
    """An incrementing column's value as offsets keep it."""
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    raise ConnectError(f"the incrementing column {column} holds {value!r}, which is not a whole number")


def _partitions(table: Table, database: str) -> list[dict[str, Any]]:
    names = dict.fromkeys([str(table), *([f"{database}.{table}"] if database else []), table.name])
    return [{"protocol": "1", "table": name} for name in names] + [{"table": table.name}]
