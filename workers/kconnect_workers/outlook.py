"""The outlook of what has failed: whether it is started again by itself, and when, as the last line of its trace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_AGAIN = "Started again by itself"
_NEVER = "Not started again by itself"


def again(delay_s: float, failures: int) -> str:
    """It is started `delay_s` seconds from now, having failed so often in a row."""
    at = datetime.now(UTC) + timedelta(seconds=delay_s)
    return f"{_AGAIN} at {at:%Y-%m-%d %H:%M:%S} UTC, after failure {failures} in a row."


def never(why: str) -> str:
    """It is left as it is."""
    return f"{_NEVER}: {why}."


def with_outlook(trace: str | None, outlook: str) -> str:
    return outlook if trace is None else f"{trace.rstrip()}\n{outlook}"


def without_outlook(trace: str) -> tuple[str, str | None]:
    """What `with_outlook` was given; None where it has none."""
    rest, _, last = trace.rstrip().rpartition("\n")
    return (rest, last) if last.startswith((_AGAIN, _NEVER)) else (trace, None)
