"""The lease: a process works only as long as the worker vouches for it.

The worker renews while it holds its place (in distributed mode: while its group heartbeats succeed), for less than
the session timeout. A process whose lease runs out ends before anyone else can be given its work. Time is
monotonic: neither a change of the clock nor a suspended machine expires a lease.
"""

from __future__ import annotations

import enum
import signal
import time
from collections.abc import Callable


class ExitCode(enum.IntEnum):
    """Why a host ended itself, beside 0 (as asked) and 1 (failed)."""

    DONE = 0
    FAILED = 1
    LEASE_EXPIRED = 75
    WORKER_GONE = 76

    @property
    def reason(self) -> str:
        return _REASONS[self]


_REASONS = {
    ExitCode.DONE: "ended by itself",
    ExitCode.FAILED: "failed",
    ExitCode.LEASE_EXPIRED: "gave up because the worker did not renew its lease",
    ExitCode.WORKER_GONE: "ended because its worker was gone",
}


class Lease:
    """A point of the machine's monotonic clock up to which the holder may work.

    The worker names the point, so that a renewal counts from when it was sent: a holder that was stopped for a while
    and then finds old renewals in its socket is not misled by them.
    """

    def __init__(self, until: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = until

    def renew(self, until: float) -> None:
        """Hold up to `until`; never for less than before."""
        self._until = max(self._until, until)

    @property
    def remaining_s(self) -> float:
        """Seconds left, 0 when it has run out."""
        return max(0.0, self._until - self._clock())

    @property
    def expired(self) -> bool:
        return self._clock() >= self._until


def describe_exit(status: int) -> str:
    """What an exit status (negative for a signal) says to a person."""
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = "unknown"
        return f"killed by signal {-status} ({name})"
    try:
        return f"{ExitCode(status).reason} (exit code {status})"
    except ValueError:
        return f"ended with exit code {status}"
