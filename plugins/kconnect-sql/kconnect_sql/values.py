"""What drivers' values become, where a driver or a database is loose about types, as SQLite is."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

from kconnect.errors import DataError
from kconnect.schema import (
    DATE_NAME,
    DECIMAL_NAME,
    TIME_NAME,
    TIMESTAMP_NAME,
    Schema,
    Type,
)
from kconnect_sql.position import EPOCH
from kconnect_sql.table import Column, Row

_AS_THEY_ARE: dict[Type, frozenset[type]] = {
    Type.INT8: frozenset({int, type(None)}),
    Type.INT16: frozenset({int, type(None)}),
    Type.INT32: frozenset({int, type(None)}),
    Type.INT64: frozenset({int, type(None)}),
    Type.FLOAT64: frozenset({float, type(None)}),
    Type.STRING: frozenset({str, type(None)}),
    Type.BYTES: frozenset({bytes, type(None)}),
    Type.BOOLEAN: frozenset({bool, type(None)}),
}
_UNFIT = (ValueError, TypeError, InvalidOperation, OverflowError)
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


class RowConverter:
    """Makes of a driver's rows what the columns' schemas say. `where` names the table in errors."""

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
                values[index] = self._converted(column, convert, values[index])
                changed = True
        return list(zip(*values, strict=True)) if changed else rows

    def _converted(self, column: Column, convert: Callable[[Any], Any], values: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            return tuple([None if value is None else convert(value) for value in values])
        except _UNFIT:  # which one it was is only asked now
            return tuple([self._one(column, convert, value) for value in values])

    def _one(self, column: Column, convert: Callable[[Any], Any], value: Any) -> Any:
        if value is None:
            return None
        try:
            return convert(value)
        except _UNFIT as error:
            what = column.schema.name or column.schema.type.value
            raise DataError(f"{self._where}: the column {column.name} holds {value!r}, no {what}") from error


def moment_of(value: Any, zone: datetime.tzinfo) -> datetime.datetime:
    """Text as ISO 8601 (in `zone` unless it says), or milliseconds since 1970. Raises ValueError or TypeError."""
    if isinstance(value, int):
        return EPOCH + datetime.timedelta(milliseconds=value)
    moment = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment if moment.tzinfo is datetime.UTC else moment.astimezone(datetime.UTC)


def _conversion(schema: Schema, zone: datetime.tzinfo) -> Callable[[Any], Any]:
    match schema.name:
        case name if name == DECIMAL_NAME:
            return _to_decimal(int((schema.parameters or {})["scale"]))
        case name if name == DATE_NAME:
            return lambda value: _date(value, zone)
        case name if name == TIME_NAME:
            return _time
        case name if name == TIMESTAMP_NAME:
            return lambda value: moment_of(value, zone)
    return _PLAIN[schema.type]


def _date(value: Any, zone: datetime.tzinfo) -> datetime.date:
    if isinstance(value, int):
        return moment_of(value, zone).date()
    if isinstance(value, datetime.datetime):
        return value.date()
    return value if isinstance(value, datetime.date) else datetime.date.fromisoformat(value[:10])


def _time(value: Any) -> datetime.time:
    if isinstance(value, datetime.timedelta):  # as drivers of MySQL have it
        return (datetime.datetime.min + value).time()
    return value if isinstance(value, datetime.time) else datetime.time.fromisoformat(value)


def _whole(value: Any) -> int:
    if isinstance(value, (float, Decimal)) and value == int(value):
        return int(value)
    if not isinstance(value, int):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float, Decimal)):
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


def _to_decimal(scale: int) -> Callable[[Any], Decimal]:
    step = Decimal(1).scaleb(-scale)
    return lambda value: Decimal(str(value)).quantize(step, None, _EXACT)


def optional(schema: Schema) -> Schema:
    """The same schema, null allowed."""
    return Schema(schema.type, optional=True, name=schema.name, version=schema.version, parameters=schema.parameters)
