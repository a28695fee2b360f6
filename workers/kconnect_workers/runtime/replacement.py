"""How soon something that died is started again."""

from __future__ import annotations

_FIRST_DELAY_S = 0.0
_SECOND_DELAY_S = 1.0
_MAX_DELAY_S = 60.0
_FORGIVEN_AFTER_S = 120.0


class ReplacementPolicy:
    """At once the first time, then after 1, 2, 4 … up to 60 seconds; a death long after the last one counts as the
    first again."""

    def __init__(self) -> None:
        self._delay_s = _FIRST_DELAY_S
        self._last: float | None = None

    def next_delay_s(self, now: float) -> float:
        """Tell of a death at `now`, in seconds of a monotonic clock; how long to wait with the replacement."""
        if self._last is None or now - self._last > _FORGIVEN_AFTER_S:
            self._delay_s = _FIRST_DELAY_S
        else:
            self._delay_s = min(_MAX_DELAY_S, max(_SECOND_DELAY_S, self._delay_s * 2))
        self._last = now
        return self._delay_s
