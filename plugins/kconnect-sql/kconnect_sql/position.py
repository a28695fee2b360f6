"""Where reading a table has come to, and the source partition and offset maps that say so, as JDBC connectors do."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kconnect.errors import ConnectError
from kconnect_sql.dialect import Table

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
            since = self.moment - EPOCH
            offset[TIMESTAMP] = since // datetime.timedelta(milliseconds=1)
            offset[NANOS] = since.microseconds * 1000
        return offset

    @classmethod
    def from_offset(cls, offset: Mapping[str, Any]) -> Position:
        """Raises ConnectError for what no SQL source wrote."""
        number, ms, nanos = offset.get(INCREMENTING), offset.get(TIMESTAMP), offset.get(NANOS)
        for name, value in ((INCREMENTING, number), (TIMESTAMP, ms), (NANOS, nanos)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise ConnectError(f"the offset {dict(offset)} has {name}={value!r}; it must be a whole number")
        moment = None
        if ms is not None:
            moment = EPOCH + datetime.timedelta(
                seconds=ms // 1000, microseconds=(nanos or ms % 1000 * 1_000_000) // 1000
            )
        return cls(number=number, moment=moment)


def partition_of(table: Table | None) -> dict[str, Any]:
    """The source partition of a table; of the query for None."""
    return {"protocol": "1", "table": str(table)} if table is not None else QUERY_PARTITION


def earlier_partitions(table: Table, catalog: str | None) -> list[dict[str, Any]]:
    """Other partitions under which JDBC connectors may have kept this table's offset."""
    names = [f"{catalog}.{table}", table.name] if catalog else [table.name]
    return [{"protocol": "1", "table": name} for name in names] + [{"table": table.name}]
