"""Java's SimpleDateFormat: texts of instants by patterns such as `yyyy-MM-dd HH:mm:ss.SSS`, in UTC and English.

Parsing is as lenient as Java's: numbers beyond their range run over (13 January months on), text after the match is
ignored, two-digit years fall between 80 years ago and 20 years from now.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from kconnect.errors import ConfigError, DataError
from kconnect_transforms.java_calendar import (
    MILLIS_PER_DAY,
    date_of,
    day_of,
    day_of_week,
    week_of_month,
    week_of_year,
)

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
ERAS = ("BC", "AD")
HALVES = ("AM", "PM")
LETTERS = "GyYMLwWDdFEuaHkKhmsSzZX"

_INTEGER = re.compile(r"-?\d+")
_NUMERIC_ZONE = re.compile(r"([+-])(\d{1,2}):?(\d{2})")
_ISO_ZONES = {
    1: re.compile(r"([+-])(\d{2})()"),
    2: re.compile(r"([+-])(\d{2})(\d{2})"),
    3: re.compile(r"([+-])(\d{2}):(\d{2})"),
}
_UTC_NAMES = ("Coordinated Universal Time", "Greenwich Mean Time", "UTC", "GMT")


class _Element(NamedTuple):
    """A run of one pattern letter, or (without a letter) literal text."""

    letter: str
    length: int
    text: str = ""

    @property
    def is_number(self) -> bool:
        return self.letter in "yYwWDdFuHkKhmsS" or (self.letter in "ML" and self.length <= 2) if self.letter else False


class _ParseError(Exception):
    """The text does not match."""


class DateFormat:
    """A compiled pattern. Raises ConfigError for a letter that Java's does not know."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._elements = _elements(pattern)

    def format(self, millis: int) -> str:
        """The text of an instant, given in milliseconds since the epoch."""
        day, of_day = divmod(millis, MILLIS_PER_DAY)
        return "".join(
            element.text if not element.letter else _FORMATS[element.letter](day, of_day, element.length)
            for element in self._elements
        )

    def parse(self, text: str) -> int:
        """The instant that `text` says, in milliseconds since the epoch. Raises DataError."""
        fields = _Fields()
        position = 0
        try:
            for element, following in zip(self._elements, [*self._elements[1:], None], strict=True):
                if element.letter:
                    abutting = following is not None and following.is_number
                    position = _parse_element(fields, element, text, position, abutting=abutting)
                elif text.startswith(element.text, position):
                    position += len(element.text)
                else:
                    raise _ParseError
        except _ParseError:
            raise DataError(f"{text!r} does not match the pattern {self.pattern!r}") from None
        return fields.millis()


def _elements(pattern: str) -> list[_Element]:
    elements: list[_Element] = []

    def literal(text: str) -> None:
        if elements and not elements[-1].letter:
            elements[-1] = elements[-1]._replace(text=elements[-1].text + text)
        else:
            elements.append(_Element("", 0, text))

    for at, piece in enumerate(re.split(r"('')|'((?:[^']|'')*)'", pattern)):
        if piece is None:
            continue
        if at % 3 == 1:
            literal("'")
        elif at % 3 == 2:
            literal(piece.replace("''", "'"))
        else:
            for letter, run in groupby(piece):
                count = len(list(run))
                if not (letter.isascii() and letter.isalpha()):
                    if letter == "'":
                        raise ConfigError(
                            f"{pattern!r} has a quote that does not end", suggestion="write '' for a quote"
                        )
                    literal(letter * count)
                elif letter not in LETTERS or (letter == "X" and count > 3):
                    raise ConfigError(
                        f"{letter * count!r} in {pattern!r} means nothing in a date pattern",
                        suggestion="put literal text between single quotes",
                    )
                else:
                    elements.append(_Element(letter, count))
    return elements


def _year(year: int, count: int) -> str:
    of_era = year if year > 0 else 1 - year
    return f"{of_era % 100:02d}" if count == 2 else f"{of_era:0{count}d}"


def _name(names: tuple[str, ...], index: int, count: int) -> str:
    return names[index] if count >= 4 else names[index][:3]


def _month(day: int, of_day: int, count: int) -> str:
    month = date_of(day).month
    return _name(MONTHS, month - 1, count) if count >= 3 else f"{month:0{count}d}"


_Format = Callable[[int, int, int], str]


def _number(value: Callable[[int, int], int]) -> _Format:
    return lambda day, of_day, count: f"{value(day, of_day):0{count}d}"


_FORMATS: dict[str, _Format] = {
    "G": lambda day, of_day, count: ERAS[date_of(day).year > 0],
    "y": lambda day, of_day, count: _year(date_of(day).year, count),
    "Y": lambda day, of_day, count: _year(week_of_year(day)[0], count),
    "M": _month,
    "L": _month,
    "w": _number(lambda day, of_day: week_of_year(day)[1]),
    "W": _number(lambda day, of_day: week_of_month(day)),
    "D": _number(lambda day, of_day: day - day_of(date_of(day).year, 1, 1) + 1),
    "d": _number(lambda day, of_day: date_of(day).day),
    "F": _number(lambda day, of_day: (date_of(day).day - 1) // 7 + 1),
    "E": lambda day, of_day, count: _name(WEEKDAYS, day_of_week(day), count),
    "u": _number(lambda day, of_day: day_of_week(day) or 7),
    "a": lambda day, of_day, count: HALVES[of_day >= MILLIS_PER_DAY // 2],
    "H": _number(lambda day, of_day: of_day // 3_600_000),
    "k": _number(lambda day, of_day: of_day // 3_600_000 or 24),
    "K": _number(lambda day, of_day: of_day // 3_600_000 % 12),
    "h": _number(lambda day, of_day: of_day // 3_600_000 % 12 or 12),
    "m": _number(lambda day, of_day: of_day // 60_000 % 60),
    "s": _number(lambda day, of_day: of_day // 1000 % 60),
    "S": _number(lambda day, of_day: of_day % 1000),
    "z": lambda day, of_day, count: "Coordinated Universal Time" if count >= 4 else "UTC",
    "Z": lambda day, of_day, count: "+0000",
    "X": lambda day, of_day, count: "Z",
}


class _Fields:
    """What a text says, by pattern letter. Where fields contradict each other, those that were read last hold."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self.zone_minutes = 0

    def set(self, letter: str, value: int) -> None:
        self._values.pop(letter, None)  # the order of the dict is that of reading
        self._values[letter] = value

    def millis(self) -> int:
        values = self._values
        hours = values.get("H")
        if hours is None or self._read_at("K") > self._read_at("H"):
            hours = values.get("K", 0) + 12 * values.get("a", 0)
        minutes = hours * 60 + values.get("m", 0) - self.zone_minutes
        return self._day() * MILLIS_PER_DAY + minutes * 60_000 + values.get("s", 0) * 1000 + values.get("S", 0)

    def _read_at(self, letter: str) -> int:
        return list(self._values).index(letter) if letter in self._values else -1

    def _with_weekday(self, letter: str) -> int:
        """When a week and the day in it were both read."""
        return max(self._read_at(letter), self._read_at("E")) if {letter, "E"} <= self._values.keys() else -1

    def _day(self) -> int:
        values = self._values
        weekday = values.get("E", 0)
        if "Y" in values:
            return _day_in_week(day_of(values["Y"], 1, 1), values.get("w", 1), weekday)
        year = values.get("y", 1970)
        if values.get("G") == 0:
            year = 1 - year
        january, first = day_of(year, 1, 1), day_of(year, values.get("M", 1), 1)
        match self._determining():
            case "D":
                return january + values["D"] - 1
            case "w":
                return _day_in_week(january, values["w"], weekday)
            case "W":
                return _day_in_week(first, values["W"], weekday)
            case "F":
                return first + (weekday - day_of_week(first)) % 7 + 7 * (values.get("F", 1) - 1)
        return first + values.get("d", 1) - 1

    def _determining(self) -> str:
        """The field that, with the ones it needs, was read last and so decides about the day."""
        complete = {
            "d": self._read_at("d"),
            "W": self._with_weekday("W"),
            "F": self._with_weekday("F"),
            "D": self._read_at("D"),
            "w": self._with_weekday("w"),
        }
        if max(complete.values()) < 0:
            complete = {
                "W": self._read_at("W"),
                "F": max(self._read_at("F"), self._read_at("E")),
                "w": self._read_at("w"),
            }
        latest = max(complete, key=lambda letter: complete[letter])
        return latest if complete[latest] >= 0 else "d"


def _day_in_week(first: int, week: int, weekday: int) -> int:
    """The day of the week in a week that is counted from the one that `first` lies in."""
    return first - day_of_week(first) + 7 * (week - 1) + weekday


def _parse_element(fields: _Fields, element: _Element, text: str, position: int, *, abutting: bool) -> int:
    """Read one element at `position` and return where it ends."""
    while text[position : position + 1] in (" ", "\t"):
        position += 1
    letter = element.letter
    if element.is_number:
        end = position + element.length if abutting else len(text)
        number = _INTEGER.match(text, position, end)
        if number is None or end > len(text):
            raise _ParseError
        _set_number(fields, element, int(number[0]), number[0])
        return number.end()
    if letter in "ML":
        index, position = _parse_name(text, position, MONTHS)
        fields.set("M", index + 1)
    elif letter == "E":
        index, position = _parse_name(text, position, WEEKDAYS)
        fields.set("E", index)
    elif letter in "Ga":
        index, position = _parse_name(text, position, ERAS if letter == "G" else HALVES)
        fields.set(letter, index)
    else:
        fields.zone_minutes, position = _parse_zone(text, position, element)
    return position


def _set_number(fields: _Fields, element: _Element, value: int, written: str) -> None:
    match element.letter:
        case "y" | "Y":
            if element.length <= 2 and len(written) == 2 and written.isdecimal():
                value = _in_century(value)
            fields.set(element.letter, value)
        case "M" | "L":
            fields.set("M", value)
        case "u":
            fields.set("E", value % 7)
        case "k":
            fields.set("H", 0 if value == 24 else value)
        case "h":
            fields.set("K", 0 if value == 12 else value)
        case letter:
            fields.set(letter, value)


def _in_century(year: int) -> int:
    """The year between 80 years ago and 20 years from now that ends in two digits."""
    start = datetime.now(UTC).year - 80
    return start // 100 * 100 + year + (100 if year < start % 100 else 0)


def _parse_name(text: str, position: int, names: tuple[str, ...]) -> tuple[int, int]:
    """The name at `position`, in full or by its first three letters, in any case: its index, and where it ends."""
    rest = text[position:].lower()
    for index, name in enumerate(names):
        if rest.startswith(name.lower()):
            return index, position + len(name)
    for index, name in enumerate(names):
        if rest.startswith(name[:3].lower()):
            return index, position + 3
    raise _ParseError


def _parse_zone(text: str, position: int, element: _Element) -> tuple[int, int]:
    """Minutes east of Greenwich, and where the zone ends."""
    if element.letter == "X":
        if text.startswith("Z", position):
            return 0, position + 1
        offset = _ISO_ZONES[element.length].match(text, position)
    else:
        for name in _UTC_NAMES:
            if text[position : position + len(name)].lower() == name.lower():
                position += len(name)
                offset = _NUMERIC_ZONE.match(text, position)
                if offset is None:
                    return 0, position
                break
        else:
            offset = _NUMERIC_ZONE.match(text, position)
    if offset is None:
        raise _ParseError
    minutes = int(offset[2]) * 60 + int(offset[3] or 0)
    return (-minutes if offset[1] == "-" else minutes), offset.end()
