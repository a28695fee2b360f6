"""Java's SimpleDateFormat; what it prints and reads was asked of JDK 17."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import ConfigError, DataError
from kconnect_transforms.date_format import DateFormat
from kconnect_transforms.java_calendar import date_of, day_of, day_of_week, week_of_year

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEW_YEAR = 1483425001864  # 2017-01-03T06:30:01.864Z


def millis(*parts: int) -> int:
    return (datetime(*parts, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("pattern", "instant", "text"),
    [
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", NEW_YEAR, "2017-01-03T06:30:01.864Z"),
        ("EEE, d MMM yyyy h:mm a z", NEW_YEAR, "Tue, 3 Jan 2017 6:30 AM UTC"),
        ("EEEE dd MMMM yy", NEW_YEAR, "Tuesday 03 January 17"),
        ("''yyyy''", NEW_YEAR, "'2017'"),
        ("h 'o''clock'", NEW_YEAR, "6 o'clock"),
        ("YYYY-'W'ww-u", millis(2018, 12, 31), "2019-W01-1"),
        ("D F W", millis(2020, 12, 31), "366 5 5"),
        ("k K", 0, "24 0"),
        ("yyyy-MM-dd", -62135596800000, "0001-01-03"),  # the Julian calendar
        ("G yyyy", -62198755200000, "BC 0002"),
        ("yyyy-MM-dd HH:mm:ss.SSS", 2**62 // 1000, "148108-07-06 14:00:27.387"),
        ("", NEW_YEAR, ""),
    ],
)
def test_instants_are_printed(pattern: str, instant: int, text: str) -> None:
    assert DateFormat(pattern).format(instant) == text


@pytest.mark.parametrize(
    ("pattern", "text", "instant"),
    [
        ("yyyy-MM-dd HH:mm:ss", "2017-01-03 06:30:01 and more", millis(2017, 1, 3, 6, 30, 1)),
        ("yyyyMMddHHmmss", "20170103063001", millis(2017, 1, 3, 6, 30, 1)),
        ("yyyy-MM-dd", "2017-13-32", millis(2018, 2, 1)),
        ("d MMM yyyy", "3 january 2017", millis(2017, 1, 3)),
        ("hh:mm a", "12:30 pm", millis(1970, 1, 1, 12, 30)),
        ("yyyy-MM-dd HH:mm Z", "2017-01-03 06:30 -0130", millis(2017, 1, 3, 8)),
        ("yyyy-MM-dd HH:mmXXX", "2017-01-03 06:30+02:00", millis(2017, 1, 3, 4, 30)),
        ("yyyy-MM-dd z", "2017-01-03 GMT+2:00", millis(2017, 1, 2, 22)),
        ("D yyyy", "60 2020", millis(2020, 2, 29)),
        ("YYYY ww u", "2019 01 1", millis(2018, 12, 31)),
        ("EEE F MM yyyy", "Tue 2 01 2017", millis(2017, 1, 10)),
        ("G yyyy", "BC 0001", -62167392000000),
        ("yyyy-MM-dd", "1500-02-29", day_of(1500, 2, 29) * 86_400_000),
    ],
)
def test_texts_are_read(pattern: str, text: str, instant: int) -> None:
    assert DateFormat(pattern).parse(text) == instant


@pytest.mark.parametrize("text", ["", "x", "2017", "2017-", "2017-01-x", "2017/01/01"])
def test_a_text_that_does_not_match_is_named(text: str) -> None:
    with pytest.raises(DataError, match="does not match the pattern 'yyyy-MM-dd'"):
        DateFormat("yyyy-MM-dd").parse(text)


@pytest.mark.parametrize("pattern", ["yyyy-q", "bad", "'open", "XXXX"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError):
        DateFormat(pattern)


def test_two_digits_mean_a_year_of_the_last_eighty_or_the_next_twenty() -> None:
    this_year = datetime.now(UTC).year
    for year in (this_year - 79, this_year, this_year + 19):
        assert DateFormat("yy").parse(f"{year % 100:02d}") == millis(year, 1, 1)


@given(st.datetimes(min_value=datetime(1583, 1, 1), max_value=datetime(9998, 12, 31)))
def test_after_1582_days_are_pythons(moment: datetime) -> None:
    day = (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(days=1)
    assert date_of(day) == (moment.year, moment.month, moment.day)
    assert day_of_week(day) == moment.isoweekday() % 7
    year, week = week_of_year(day)
    assert (year, week) == week_of_year(day - day_of_week(day) + 6)


@given(st.integers(-5_000_000, 5_000_000))
def test_a_day_is_the_day_of_its_date(day: int) -> None:
    assert day_of(*date_of(day)) == day


@given(st.integers(-(10**14), 10**14))
def test_what_is_printed_in_full_is_read_again(instant: int) -> None:
    full = DateFormat("G yyyy-MM-dd HH:mm:ss.SSS Z")
    assert full.parse(full.format(instant)) == instant
