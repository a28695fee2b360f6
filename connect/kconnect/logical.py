"""Logical values and the primitives that stand for them on the wire: decimals, dates, times, timestamps.

A Decimal is the big-endian two's complement of its unscaled number, its scale a parameter of the schema; a Date is
days since 1970-01-01, a Time milliseconds of the day, a Timestamp milliseconds since the epoch. What Python has
below a millisecond is cut off. All functions raise DataError for what does not fit.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache
from typing import Any, Final

from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLIS_PER_DAY: Final = 86_400_000
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def decimal_scale(schema: Schema) -> int:
    """The digits after the point that a decimal schema's parameter `scale` says."""
    scale = (schema.parameters or {}).get("scale")
    if scale is None:
        raise DataError(f"{schema!r} has no parameter `scale`, so its bytes cannot be read as a decimal")
    try:
        return int(scale)
    except ValueError:
        raise DataError(f"{schema!r} has scale={scale!r}, which is not a number") from None


def unscaled_bytes(value: Decimal, scale: int) -> bytes:
    """The bytes of a decimal that has exactly `scale` digits after the point."""
    if not value.same_quantum(_unit(scale)):
        raise DataError(f"decimal {value} does not have the {scale} digits after the point that its schema says")
    unscaled = int(value.scaleb(scale, _EXACT))
    return unscaled.to_bytes((unscaled + (unscaled < 0)).bit_length() // 8 + 1, "big", signed=True)


@lru_cache
def _unit(scale: int) -> Decimal:
    """The smallest decimal of that scale."""
    return Decimal((0, (1,), -scale))


def decimal_of(data: bytes, scale: int) -> Decimal:
    if not data:
        raise DataError("no bytes: a decimal has one at least")
    return Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-scale, _EXACT)


def epoch_days(value: date) -> int:
    return value.toordinal() - _EPOCH_ORDINAL


def date_of(days: int) -> date:
    try:
        return date.fromordinal(days + _EPOCH_ORDINAL)
    except (ValueError, OverflowError):
        raise DataError(f"{days} days since 1970 is outside the years 1 to 9999 that can be handled") from None


def millis_of_day(value: time) -> int:
    if value.tzinfo is not None:
        raise DataError(f"{value.isoformat()} has a time zone; a Time is a time of the day without one")
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000


def time_of(millis: int) -> time:
    if not 0 <= millis < MILLIS_PER_DAY:
        raise DataError(f"{millis} ms is not a time of the day (0 to {MILLIS_PER_DAY - 1})")
    seconds, millis = divmod(millis, 1000)
    minutes, seconds = divmod(seconds, 60)
    return time(minutes // 60, minutes % 60, seconds, millis * 1000)


def epoch_millis(value: datetime) -> int:
    if value.tzinfo is None:
        raise DataError(f"{value.isoformat()} has no time zone; a timestamp is an instant")
    elapsed = value - EPOCH
    return (elapsed.days * 86400 + elapsed.seconds) * 1000 + elapsed.microseconds // 1000


def timestamp_of(millis: int) -> datetime:
    """The instant, in UTC."""
    try:
        return EPOCH + millis * _MILLISECOND
    except OverflowError:
        raise DataError(f"{millis} ms since 1970 is outside the years 1 to 9999 that can be handled") from None


_TYPES: Final = {DATE_NAME: Type.INT32, TIME_NAME: Type.INT32, TIMESTAMP_NAME: Type.INT64}
_FROM: Final[dict[str, Any]] = {
    DATE_NAME: (date, epoch_days),
    TIME_NAME: (time, millis_of_day),
    TIMESTAMP_NAME: (datetime, epoch_millis),
}
_TO: Final[dict[str, Any]] = {DATE_NAME: date_of, TIME_NAME: time_of, TIMESTAMP_NAME: timestamp_of}


def from_logical(schema: Schema, value: Any) -> Any:
    """The int or bytes that `value` is on the wire; `value` itself when `schema` names no logical type."""
    if schema.name == DECIMAL_NAME:
        if not isinstance(value, Decimal):
            raise DataError(f"{schema!r} takes Decimal, not {type(value).__name__} {value!r}")
        return unscaled_bytes(value, decimal_scale(schema))
    if schema.name not in _FROM:
        return value
    kind, convert = _FROM[schema.name]
    if not isinstance(value, kind) or (kind is date and isinstance(value, datetime)):
        raise DataError(f"{schema!r} takes {kind.__name__}, not {type(value).__name__} {value!r}")
    return convert(value)


def to_logical(schema: Schema, primitive: Any) -> Any:
    """The logical value for what is on the wire; `primitive` itself when `schema` names no logical type."""
    if schema.name == DECIMAL_NAME:
        if not isinstance(primitive, bytes | bytearray | memoryview):
            raise DataError(f"a decimal is made from bytes, not from {type(primitive).__name__} {primitive!r}")
        return decimal_of(bytes(primitive), decimal_scale(schema))
    if schema.name not in _TO:
        return primitive
    if not isinstance(primitive, int) or isinstance(primitive, bool) or schema.type is not _TYPES[schema.name]:
        raise DataError(f"{schema!r} is made from an integer, not from {type(primitive).__name__} {primitive!r}")
    return _TO[schema.name](primitive)
