"""Growing pauses between attempts."""

from __future__ import annotations

import random

from kconnect_workers.group.settings import GroupSettings

_JITTER = 0.2
_LEAST_SECONDS = 0.01


class Backoff:
    """From `retry.backoff.ms`, doubled with each attempt, to `retry.backoff.max.ms`, give or take a fifth."""

    def __init__(self, settings: GroupSettings) -> None:
        self._first_s = max(_LEAST_SECONDS, settings.retry_backoff_ms / 1000)
        self._most_s = max(self._first_s, settings.retry_backoff_max_ms / 1000)
        self._attempts = 0

    def next_s(self) -> float:
        """How long to wait before the next attempt, in seconds."""
        pause = min(self._most_s, self._first_s * 2.0 ** min(self._attempts, 30))
        self._attempts += 1
        return pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, keeps no secret

    def reset(self) -> None:
        self._attempts = 0
