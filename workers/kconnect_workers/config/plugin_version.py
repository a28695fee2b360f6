"""Versions of plugins as connectors ask for them: exactly `1.2`, or ranges as `[1.0,2.0)`."""

from __future__ import annotations

import re

from kconnect.errors import ConfigError

_PARTS = re.compile(r"\d+|[A-Za-z]+")
_RANGE = re.compile(r"([\[(])([^,\[\]()]*)(?:,([^,\[\]()]*))?([\])])")


def matches(wanted: str, version: str) -> bool:
    """Whether `version` is what `wanted` asks for: that version, or one in a range (several, separated by commas).

    An empty end of a range is open. ConfigError for a `wanted` that is neither a version nor ranges.
    """
    wanted = wanted.strip()
    if not wanted or not any(bracket in wanted for bracket in "[]()"):
        if not re.fullmatch(r"[0-9A-Za-z.+_-]+", wanted):
            raise ConfigError(
                f"{wanted!r} is neither a version nor a range of versions", suggestion="such as [1.0,2.0)"
            )
        return _order(wanted) == _order(version)
    ranges = list(_RANGE.finditer(wanted))
    if not ranges or _RANGE.sub("", wanted).strip(" ,"):
        raise ConfigError(f"{wanted!r} is not a range of versions", suggestion="such as [1.0,2.0)")
    return any(_within(found, version) for found in ranges)


def _within(found: re.Match[str], version: str) -> bool:
    opening, low, high, closing = found.groups()
    place = _order(version)
    if high is None:
        return place == _order(low)
    above = not low.strip() or place > _order(low) or (opening == "[" and place == _order(low))
    below = not high.strip() or place < _order(high) or (closing == "]" and place == _order(high))
    return above and below


def _order(version: str) -> list[tuple[int, int, str]]:
    """A key to compare versions by: numbers by value, words (pre-releases) below numbers, trailing zeros no matter."""
    parts = [(1, int(part), "") if part.isdigit() else (-1, 0, part.lower()) for part in _PARTS.findall(version)]
    while parts and parts[-1] == (1, 0, ""):
        parts.pop()
    return [*parts, (0, 0, "")]
