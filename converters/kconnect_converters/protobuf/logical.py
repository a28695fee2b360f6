"""Logical values and the messages that stand for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from kconnect import logical
from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME

_NANOS_PER_MILLI: Final = 1_000_000
_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def decimal_of(message: Any) -> Decimal:
    """Rounded to the message's precision, where it says one."""
    number = Decimal(int.from_bytes(message.value, "big", signed=True)).scaleb(-message.scale, _EXACT)
    if message.precision and len(number.as_tuple().digits) > message.precision:
        return Context(prec=message.precision, rounding=ROUND_HALF_UP).plus(number)
    return number


def set_decimal(message: Any, value: Any) -> None:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError(f"{value!r:.60} is no finite Decimal")
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    unscaled = int(value.scaleb(-exponent, _EXACT))
    message.value = unscaled.to_bytes((unscaled + (unscaled < 0)).bit_length() // 8 + 1, "big", signed=True)
    message.precision = len(digits)
    message.scale = -exponent


def date_of(message: Any) -> date:
    try:
        return date(message.year, message.month, message.day)
    except ValueError as error:
        raise DataError(f"google.type.Date {message.year}-{message.month}-{message.day} is no day: {error}") from None


def set_date(message: Any, value: Any) -> None:
    if value.__class__ is not date:
        raise TypeError(f"{value!r:.60} is no date")
    message.year, message.month, message.day = value.year, value.month, value.day


def time_of(message: Any) -> time:
    """Cut to milliseconds, which is all that Connect has."""
    try:
        micros = message.nanos // _NANOS_PER_MILLI * 1000
        return time(message.hours, message.minutes, message.seconds, micros)
    except ValueError as error:
        raise DataError(f"google.type.TimeOfDay is no time of a day: {error}") from None


def set_time(message: Any, value: Any) -> None:
    if value.__class__ is not time:
        raise TypeError(f"{value!r:.60} is no time")
    millis = logical.millis_of_day(value)  # refuses zones
    message.hours, message.minutes, message.seconds = value.hour, value.minute, value.second
    message.nanos = millis % 1000 * _NANOS_PER_MILLI


def timestamp_of(message: Any) -> datetime:
    """Cut to milliseconds, which is all that Connect has."""
    return logical.timestamp_of(message.seconds * 1000 + message.nanos // _NANOS_PER_MILLI)


def set_timestamp(message: Any, value: Any) -> None:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r:.60} is no datetime")
    seconds, millis = divmod(logical.epoch_millis(value), 1000)
    message.seconds, message.nanos = seconds, millis * _NANOS_PER_MILLI


READ: Final[dict[str, Callable[[Any], Any]]] = {
    DECIMAL_NAME: decimal_of,
    DATE_NAME: date_of,
    TIME_NAME: time_of,
    TIMESTAMP_NAME: timestamp_of,
}
SET: Final[dict[str, Callable[[Any, Any], None]]] = {
    DECIMAL_NAME: set_decimal,
    DATE_NAME: set_date,
    TIME_NAME: set_time,
    TIMESTAMP_NAME: set_timestamp,
}
