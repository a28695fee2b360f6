"""Days and dates as Java's GregorianCalendar counts them, in UTC and with US weeks.

Before 15 October 1582 the calendar is the Julian one. Years are astronomical: 0 is 1 BC. Days count from
1970-01-01, days of the week from 0 for Sunday.
"""

from __future__ import annotations

from typing import NamedTuple

MILLIS_PER_DAY = 86_400_000
_CUTOVER_DAY = -141_427  # 1582-10-15
_CUTOVER_YEAR = 1582
# 0000-03-01 in either calendar: years that begin in March end in their leap day.
_GREGORIAN_MARCH_0 = -719_468
_JULIAN_MARCH_0 = -719_470


class CalendarDate(NamedTuple):
    year: int
    month: int
    """1 to 12."""
    day: int


def day_of(year: int, month: int, day: int) -> int:
    """The day of a date. Months and days beyond their range run over into those after or before."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    if year > _CUTOVER_YEAR:
        return _gregorian_day(year, month) + day - 1
    if year < _CUTOVER_YEAR:
        return _julian_day(year, month) + day - 1
    gregorian = _gregorian_day(year, month) + day - 1
    return gregorian if gregorian >= _CUTOVER_DAY else _julian_day(year, month) + day - 1


def date_of(day: int) -> CalendarDate:
    if day >= _CUTOVER_DAY:
        era, day_of_era = divmod(day - _GREGORIAN_MARCH_0, 146_097)
        year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
        day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
        return _from_march(era * 400 + year_of_era, day_of_year)
    era, day_of_era = divmod(day - _JULIAN_MARCH_0, 1461)
    year_of_era = (day_of_era - day_of_era // 1460) // 365
    return _from_march(era * 4 + year_of_era, day_of_era - 365 * year_of_era)


def day_of_week(day: int) -> int:
    return (day + 4) % 7


def week_of_year(day: int) -> tuple[int, int]:
    """The week year and the week. Weeks begin on Sundays; the first is the one that has 1 January."""
    year = date_of(day).year
    if day + 6 - day_of_week(day) >= day_of(year + 1, 1, 1):
        return year + 1, 1
    first = day_of(year, 1, 1)
    return year, (day - first + day_of_week(first)) // 7 + 1


def week_of_month(day: int) -> int:
    date = date_of(day)
    first = day_of(date.year, date.month, 1)
    return (day - first + day_of_week(first)) // 7 + 1


def _from_march(year: int, day_of_year: int) -> CalendarDate:
    """The date of a day in a year that begins on 1 March."""
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    return CalendarDate(year + (month >= 10), month + 3 if month < 10 else month - 9, day)


def _gregorian_day(year: int, month: int) -> int:
    year -= month <= 2
    return _GREGORIAN_MARCH_0 + 365 * year + year // 4 - year // 100 + year // 400 + _days_from_march(month)


def _julian_day(year: int, month: int) -> int:
    year -= month <= 2
    return _JULIAN_MARCH_0 + 365 * year + year // 4 + _days_from_march(month)


def _days_from_march(month: int) -> int:
    return (153 * ((month + 9) % 12) + 2) // 5
