"""Logical values to primitives and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect import logical
from kconnect.errors import DataError
from kconnect.schema import DATE_SCHEMA, STRING_SCHEMA, TIME_SCHEMA, TIMESTAMP_SCHEMA, Schema, Type, decimal_schema

MILLIS = st.integers(-62_135_596_800_000, 253_402_300_799_999)


@given(st.integers(), st.integers(-50, 50))
def test_decimals_round_trip_whatever_their_size(unscaled: int, scale: int) -> None:
    digits = tuple(map(int, str(abs(unscaled))))
    value = Decimal((unscaled < 0, digits, -scale))
    data = logical.unscaled_bytes(value, scale)
    read = logical.decimal_of(data, scale)
    assert int.from_bytes(data, "big", signed=True) == unscaled
    assert (read, read.as_tuple().exponent) == (value, -scale)


@given(st.dates())
def test_dates_round_trip(value: date) -> None:
    assert logical.to_logical(DATE_SCHEMA, logical.from_logical(DATE_SCHEMA, value)) == value


@given(MILLIS)
def test_timestamps_round_trip(millis: int) -> None:
    assert logical.from_logical(TIMESTAMP_SCHEMA, logical.to_logical(TIMESTAMP_SCHEMA, millis)) == millis


@given(st.integers(0, logical.MILLIS_PER_DAY - 1))
def test_times_round_trip(millis: int) -> None:
    assert logical.from_logical(TIME_SCHEMA, logical.to_logical(TIME_SCHEMA, millis)) == millis


def test_what_is_below_a_millisecond_is_cut_off() -> None:
    before_epoch = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert logical.epoch_millis(before_epoch) == -1
    assert logical.millis_of_day(time(0, 0, 0, 1_999)) == 1


def test_a_timestamp_is_the_same_instant_in_any_zone() -> None:
    berlin = timezone(timedelta(hours=1))
    assert logical.epoch_millis(datetime(1970, 1, 1, 1, tzinfo=berlin)) == 0


@pytest.mark.parametrize(
    ("schema", "primitive", "message"),
    [
        (TIMESTAMP_SCHEMA, 253_402_300_800_000, "years 1 to 9999"),
        (TIMESTAMP_SCHEMA, -(1 << 63), "years 1 to 9999"),
        (DATE_SCHEMA, 2_932_897, "years 1 to 9999"),
        (DATE_SCHEMA, -(1 << 31), "years 1 to 9999"),
        (TIME_SCHEMA, 86_400_000, "not a time of the day"),
        (TIME_SCHEMA, True, "made from an integer"),
        (decimal_schema(2), b"", "no bytes"),
        (decimal_schema(2), "1.5", "made from bytes"),
        (Schema(Type.BYTES, name=decimal_schema(0).name), b"\x01", "no parameter `scale`"),
    ],
)
def test_primitives_that_stand_for_nothing_are_refused(schema: Schema, primitive: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        logical.to_logical(schema, primitive)


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        (decimal_schema(2), Decimal("1.5"), "2 digits after the point"),
        (decimal_schema(2), Decimal("NaN"), "2 digits after the point"),
        (TIMESTAMP_SCHEMA, datetime(2020, 1, 1), "no time zone"),
        (TIME_SCHEMA, time(1, tzinfo=UTC), "has a time zone"),
        (DATE_SCHEMA, datetime(2020, 1, 1, tzinfo=UTC), "takes date"),
    ],
)
def test_values_that_do_not_fit_are_refused(schema: Schema, value: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        logical.from_logical(schema, value)


def test_other_schemas_leave_values_alone() -> None:
    assert logical.from_logical(STRING_SCHEMA, "x") == "x"
    assert logical.to_logical(STRING_SCHEMA, "x") == "x"
