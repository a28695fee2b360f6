"""When to try again: by status, and after which wait."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from kconnect import ConfigError

_RANGE: Final = re.compile(r"(\d{3})(?:(-|\.\.)(\d{3})?)?")
_LONGEST_MS: Final = 300_000
"""However long a server asks to wait, it is asked again after this."""


@dataclass(frozen=True, slots=True)
class StatusCodes:
    """Ranges of HTTP statuses, written `429,500-599` or `400-`."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, name: str, text: str) -> StatusCodes:
        """ConfigError, naming the key `name`."""
        ranges = []
        for item in filter(None, map(str.strip, text.split(","))):
            match = _RANGE.fullmatch(item)
            if match is None:
                raise ConfigError("is not a list of statuses", key=name, value=text, suggestion="such as 429,500-599")
            first = int(match[1])
            ranges.append((first, int(match[3]) if match[3] else 599 if match[2] else first))
        return cls(tuple(ranges))

    def __contains__(self, status: int) -> bool:
        return any(first <= status <= last for first, last in self.ranges)


def status_codes(name: str, value: object) -> None:
    """A validator."""
    StatusCodes.parse(name, str(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    first_ms: int
    grows: bool

    def delay_ms(self, tries: int) -> int:
        """Before the try that follows `tries` of them; where it grows, a random time up to twice the one before."""
        if not self.grows or tries <= 1:
            return self.first_ms
        longest = min(self.first_ms << min(tries - 1, 16), max(_LONGEST_MS, self.first_ms))
        return self.first_ms + round(random.random() * (longest - self.first_ms))  # noqa: S311 - no secret


def retry_after_ms(headers: Mapping[str, str]) -> int | None:
    """How long the server asks to wait (RFC 9110, 10.2.3), five minutes at most; None: it does not ask."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return int(min(max(seconds, 0.0) * 1000, _LONGEST_MS))
