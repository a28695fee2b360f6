"""The time by which records age."""

from __future__ import annotations

import time


class SteadyClock:
    """The date as it was at the start, and what has passed since: a wrong date for an hour must delete nothing."""

    def __init__(self) -> None:
        self._start = time.time() - time.monotonic()

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int((self._start + time.monotonic()) * 1000)
