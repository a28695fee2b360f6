"""What SQLite's values become: a declared type says what a column is, but SQLite lets any value in."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

from kconnect.errors import DataError
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_NAME,
    DATE_SCHEMA,
    DECIMAL_NAME,
    FLOAT64_SCHEMA,
    INT64_SCHEMA,
    STRING_SCHEMA,
    TIME_NAME,
    TIME_SCHEMA,
    TIMESTAMP_NAME,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
)
from kconnect_sql.dialect import Column, Row
from kconnect_sql.numeric import numeric_schema
from kconnect_sql.position import EPOCH

_AS_THEY_ARE: dict[Type, frozenset[type]] = {
    Type.INT8: frozenset({int, type(None)}),
    Type.INT16: frozenset({int, type(None)}),
    Type.INT32: frozenset({int, type(None)}),
    Type.INT64: frozenset({int, type(None)}),
    Type.FLOAT64: frozenset({float, type(None)}),
    Type.STRING: frozenset({str, type(None)}),
    Type.BYTES: frozenset({bytes, type(None)}),
}
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


class RowConverter:
    """Makes of SQLite's rows what the columns' schemas say. `where` names the table in errors."""

    def __init__(self, columns: Sequence[Column], zone: datetime.tzinfo, where: str) -> None:
        self._where = where
        self._columns = [
            (
                index,
                column,
                None if column.schema.name else _AS_THEY_ARE.get(column.schema.type),
                _conversion(column.schema, zone),
            )
            for index, column in enumerate(columns)
        ]

    def convert(self, rows: list[Row]) -> list[Row]:
        """Raises DataError that names the column for a value that its schema cannot hold."""
        values = list(zip(*rows, strict=True))
        changed = False
        for index, column, fitting, convert in self._columns:
            if fitting is None or not fitting.issuperset(map(type, values[index])):
                values[index] = tuple([self._one(column, convert, value) for value in values[index]])
                changed = True
        return list(zip(*values, strict=True)) if changed else rows

    def _one(self, column: Column, convert: Callable[[Any], Any], value: Any) -> Any:
        if value is None:
            return None
        try:
            return convert(value)
        except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
            what = column.schema.name or column.schema.type.value
            raise DataError(f"{self._where}: the column {column.name} holds {value!r}, no {what}") from error


def moment_of(value: Any, zone: datetime.tzinfo) -> datetime.datetime:
    """Text as ISO 8601 (in `zone` unless it says), or milliseconds since 1970. Raises ValueError or TypeError."""
    if isinstance(value, int):
        return EPOCH + datetime.timedelta(milliseconds=value)
    moment = datetime.datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(datetime.UTC)


def _conversion(schema: Schema, zone: datetime.tzinfo) -> Callable[[Any], Any]:
    match schema.name:
        case name if name == DECIMAL_NAME:
            return _to_decimal(int((schema.parameters or {})["scale"]))
        case name if name == DATE_NAME:
            return lambda value: (
                moment_of(value, zone).date() if isinstance(value, int) else datetime.date.fromisoformat(value[:10])
            )
        case name if name == TIME_NAME:
            return datetime.time.fromisoformat
        case name if name == TIMESTAMP_NAME:
            return lambda value: moment_of(value, zone)
    return _PLAIN[schema.type]


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        raise TypeError
    return str(value)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(memoryview(value))


def _truth(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError
    return bool(value)


_PLAIN: dict[Type, Callable[[Any], Any]] = {
    Type.INT8: _whole,
    Type.INT16: _whole,
    Type.INT32: _whole,
    Type.INT64: _whole,
    Type.FLOAT64: _number,
    Type.STRING: _text,
    Type.BYTES: _bytes,
    Type.BOOLEAN: _truth,
}


def declared_schema(declared: str, mapping: str) -> Schema:
    """By the declared type, as SQLite's own affinity rules go, and finer where the name says more."""
    name = declared.upper()
    size = re.search(r"\((\d+)(?:\s*,\s*(\d+))?\)", name)
    if "BOOL" in name:
        return BOOLEAN_SCHEMA
    if "INT" in name:
        return INT64_SCHEMA
    if any(word in name for word in ("CHAR", "CLOB", "TEXT", "JSON", "UUID")):
        return STRING_SCHEMA
    if "TIMESTAMP" in name or "DATETIME" in name:
        return TIMESTAMP_SCHEMA
    if name == "DATE":
        return DATE_SCHEMA
    if name == "TIME":
        return TIME_SCHEMA
    if any(word in name for word in ("REAL", "FLOA", "DOUB")):
        return FLOAT64_SCHEMA
    if any(word in name for word in ("DEC", "NUMERIC", "MONEY")):
        if size is None:
            return FLOAT64_SCHEMA
        return numeric_schema(mapping, int(size[1]), int(size[2] or 0))
    return BYTES_SCHEMA if not name or "BLOB" in name else STRING_SCHEMA


def schema_of_value(value: Any) -> Schema:
    match value:
        case int():
            return INT64_SCHEMA
        case float():
            return FLOAT64_SCHEMA
        case bytes():
            return BYTES_SCHEMA
    return STRING_SCHEMA


def optional(schema: Schema) -> Schema:
    return Schema(schema.type, optional=True, name=schema.name, version=schema.version, parameters=schema.parameters)


def _to_decimal(scale: int) -> Callable[[Any], Decimal]:
    step = Decimal(1).scaleb(-scale)
    return lambda value: Decimal(str(value)).quantize(step, context=_EXACT)
