"""Timestamps of records: ISO 8601, or milliseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

from kconnect import ConnectError, DataError
from kconnect.logical import epoch_millis, timestamp_of


def instant(text: str) -> datetime:
    """In UTC; a time without a zone is taken for one. ConnectError for what is no time."""
    try:
        if text.removeprefix("-").isdecimal():
            return timestamp_of(int(text))
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, DataError) as error:
        raise ConnectError(
            f"{text!r} is no timestamp: ISO 8601 is, such as 2026-01-31T12:00:00Z, and so are milliseconds since 1970"
        ) from error


def instant_text(value: datetime) -> str:
    """ISO 8601 in UTC, with as many digits as there are: what Java's Instant prints."""
    text = value.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    if not value.microsecond:
        return f"{text}Z"
    digits = f"{value.microsecond:06}"
    return f"{text}.{digits[:3] if digits.endswith('000') else digits}Z"


def millis(value: datetime) -> int:
    return epoch_millis(value)
