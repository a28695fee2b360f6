"""Waiting for a condition, with an end."""

from __future__ import annotations

import time


class Deadline:
    """A point in time, `seconds` from now, until which something must have happened."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self, what: str) -> None:
        """Raises TimeoutError, saying `what` did not happen, once the time is over."""
        if time.monotonic() > self._end:
            raise TimeoutError(f"after {self._seconds:g} s: {what}")
