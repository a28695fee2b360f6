"""Single tokens of text that stand for a number, a day, a time or an instant."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from kconnect import float32
from kconnect.errors import DataError
from kconnect.logical import time_of
from kconnect.record import SchemaAndValue
from kconnect.schema import (
    DATE_SCHEMA,
    FLOAT32_SCHEMA,
    FLOAT64_SCHEMA,
    INT8_SCHEMA,
    INT16_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    decimal_schema,
)

_INTEGERS: Final = ((8, INT8_SCHEMA), (16, INT16_SCHEMA), (32, INT32_SCHEMA), (64, INT64_SCHEMA))
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?")
_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME: Final = re.compile(r"(\d\d):(\d\d):(\d\d)\.(\d{3})Z", re.ASCII)
_TIMESTAMP: Final = re.compile(f"{_DATE.pattern}T{_TIME.pattern}", re.ASCII)


def parse_temporal(token: str) -> SchemaAndValue | None:
    """A day, time or both; a month 13 or day 30 of February counts on into the next, as in Kafka."""
    token = token.replace("\\:", ":").strip()
    try:
        if match := _TIMESTAMP.fullmatch(token):
            year, month, day, *clock = map(int, match.groups())
            moment = datetime(year, 1, 1, tzinfo=UTC) + _since_new_year(year, month, day) + _clock(*clock)
            return SchemaAndValue(TIMESTAMP_SCHEMA, moment)
        if match := _DATE.fullmatch(token):
            year, month, day = map(int, match.groups())
            return SchemaAndValue(DATE_SCHEMA, date(year, 1, 1) + _since_new_year(year, month, day))
        if match := _TIME.fullmatch(token):
            millis = _clock(*map(int, match.groups())) // timedelta(milliseconds=1)
            return SchemaAndValue(TIME_SCHEMA, time_of(millis))
    except (ValueError, OverflowError, DataError):
        pass
    return None


def _since_new_year(year: int, month: int, day: int) -> timedelta:
    years, month_index = divmod(month - 1, 12)
    return date(year + years, month_index + 1, 1) - date(year, 1, 1) + timedelta(days=day - 1)


def _clock(hours: int, minutes: int, seconds: int, millis: int) -> timedelta:
    return timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=millis)


def parse_number(token: str) -> SchemaAndValue | None:
    """The number, of the first type that holds it: INT8 to INT64, FLOAT32, FLOAT64, Decimal."""
    if token[0] not in "+-" and not token[0].isdigit():
        return None
    number = read_decimal(token)
    if number is None:
        return None
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if number.adjusted() < 20 and number == number.to_integral_value():
        for bits, schema in _INTEGERS:
            if -(1 << (bits - 1)) <= int(number) < 1 << (bits - 1):
                return SchemaAndValue(schema, int(number))
    if exponent != 0 and abs(float(number)) < float32.OVERFLOW:
        return SchemaAndValue(FLOAT32_SCHEMA, float32.rounded(float(number)))
    if exponent != 0 and abs(float(number)) != float("inf"):
        return SchemaAndValue(FLOAT64_SCHEMA, float(number))
    return SchemaAndValue(decimal_schema(-exponent), number)


def read_decimal(text: str) -> Decimal | None:
    """The number in the form that Java's BigDecimal reads, None if it has another."""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
