"""Times moved from one zone to another."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from kconnect.errors import ConfigError, DataError
from kconnect.logical import EPOCH
from kconnect.schema import TIMESTAMP_NAME

_OFFSET: Final = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?")
_ISO: Final = re.compile(r"(?:(\d{4}-\d\d-\d\d)T)?(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d(?::\d\d)?)")
_MAX_HOURS: Final = 18

_UNITS: Final = {
    "io.debezium.time.Timestamp": 1_000,
    "io.debezium.time.MicroTimestamp": 1_000_000,
    "io.debezium.time.NanoTimestamp": 1_000_000_000,
}
"""How many of an int64 make a second."""

SOURCE_UNITS: Final = {"ts_ms": 1_000, "ts_us": 1_000_000, "ts_ns": 1_000_000_000}
"""The same of the fields of an event's source."""

_ZONED_TIMESTAMP: Final = "io.debezium.time.ZonedTimestamp"
_ZONED_TIME: Final = "io.debezium.time.ZonedTime"


def parse_zone(name: str) -> tzinfo:
    """`Europe/Paris` or `+05:30`. ValueError for anything else."""
    match = _OFFSET.fullmatch(name)
    if match is None:
        if name in ("", "Z"):
            raise ValueError(name)
        return ZoneInfo(name)
    sign, hours, minutes, seconds = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    if offset > timedelta(hours=_MAX_HOURS) or int(minutes) > 59 or int(seconds or 0) > 59:
        raise ValueError(name)
    return timezone(-offset if sign == "-" else offset)


def valid_zone(name: str, value: str | None) -> None:
    """A validator of keys that hold a zone."""
    try:
        parse_zone(value or "")
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            "is no time zone", key=name, value=value, suggestion="such as Europe/Paris or +05:30"
        ) from None


class ZoneMove:
    """Reads times without a zone as times in the given one, and writes those with a zone as times there."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def of(self, schema_name: str | None) -> Callable[[Any], Any] | None:
        """What moves values whose schema has this name; None for those that do not move."""
        if schema_name in _UNITS:
            unit = _UNITS[schema_name]
            return lambda value: value - self._offset_at(value // unit, local=True) * unit
        if schema_name == TIMESTAMP_NAME:
            return self._instant
        if schema_name == _ZONED_TIMESTAMP:
            return lambda text: _rewritten(text, "timestamp", self._timestamp_text)
        if schema_name == _ZONED_TIME:
            return lambda text: _rewritten(text, "time", self._time_text)
        return None

    def of_source(self, field: str) -> Callable[[Any], Any] | None:
        """What makes the times at which a source saw something times of the zone."""
        unit = SOURCE_UNITS.get(field)
        if unit is None:
            return None
        return lambda value: value + self._offset_at(value // unit, local=False) * unit

    def _instant(self, value: datetime) -> datetime:
        seconds = (value - EPOCH) // timedelta(seconds=1)
        return value - timedelta(seconds=self._offset_at(seconds, local=True))

    def _timestamp_text(self, text: str) -> str:
        day, clock, fraction, given = _parts(text, with_day=True)
        local = datetime.fromisoformat(f"{day}T{clock}")
        offset = self._seconds(local)
        moved = local - timedelta(seconds=given) + timedelta(seconds=offset)
        return moved.strftime(f"{moved.year:04d}-%m-%dT%H:%M:%S") + fraction + _offset_text(offset)

    def _time_text(self, text: str) -> str:
        """With the zone's offset of now: a time of the day alone does not tell summer from winter."""
        _, clock, fraction, given = _parts(text, with_day=False)
        offset = self._seconds(datetime.now(UTC).astimezone(self._zone).replace(tzinfo=None))
        moved = datetime.fromisoformat(f"2000-01-02T{clock}") + timedelta(seconds=offset - given)
        return moved.strftime("%H:%M:%S") + fraction + _offset_text(offset)

    def _offset_at(self, seconds: int, *, local: bool) -> int:
        """The zone's offset in seconds, `seconds` after 1970 by its own clocks or by those of Greenwich."""
        try:
            moment = EPOCH + timedelta(seconds=seconds)
            return self._seconds((moment if local else moment.astimezone(self._zone)).replace(tzinfo=None))
        except OverflowError:
            raise DataError(f"{seconds} seconds from 1970 is beyond the years that can be moved") from None

    def _seconds(self, local: datetime) -> int:
        offset = self._zone.utcoffset(local.replace(tzinfo=self._zone))
        assert offset is not None
        return offset // timedelta(seconds=1)


def _rewritten(text: str, kind: str, rewrite: Callable[[str], str]) -> str:
    try:
        return rewrite(text)
    except (ValueError, OverflowError):
        raise DataError(f"{text!r} is no {kind} with a zone, as ISO 8601 writes them") from None


def _parts(text: str, *, with_day: bool) -> tuple[str, str, str, int]:
    """Day, time, fraction with its point, and offset in seconds. Raises ValueError."""
    match = _ISO.fullmatch(text)
    if match is None or (match[1] is not None) is not with_day:
        raise ValueError(text)
    fraction = (match[3] or "").rstrip("0")
    offset = 0
    if match[4] != "Z":
        fixed = parse_zone(match[4]).utcoffset(None)
        assert fixed is not None
        offset = fixed // timedelta(seconds=1)
    return match[1] or "", match[2], f".{fraction}" if fraction else "", offset


def _offset_text(seconds: int) -> str:
    if seconds == 0:
        return "Z"
    minutes, rest = divmod(abs(seconds), 60)
    text = f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{rest:02d}" if rest else text
