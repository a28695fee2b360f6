"""The event loop: readiness of sockets, timers, and calls from other threads; one thread runs it all."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import selectors
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger(__name__)

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

_UNEXPECTED = "an unexpected error, a fault in the log itself; please report it"


class Timer:
    """A call that is due at some time, unless it is cancelled before."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Let the call not happen. May be called twice, and after the call."""
        self.callback = None


class Loop:
    """Runs callbacks, in the thread that calls `run`, until `stop`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._soon: deque[Callable[[], None]] = deque()
        self._stopping = False
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        self.watch(self._wake_receiver, READ, self._drain_wakes)

    def watch(self, sock: socket.socket, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback(events)` whenever `sock` is ready for some of `events`."""
        self._selector.register(sock, events, callback)

    def rewatch(self, sock: socket.socket, events: int, callback: Callable[[int], None]) -> None:
        """Change what a watched socket is watched for."""
        self._selector.modify(sock, events, callback)

    def unwatch(self, sock: socket.socket) -> None:
        """Stop watching; before the socket is closed."""
        self._selector.unregister(sock)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` after `seconds`, by the monotonic clock."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def defer(self, callback: Callable[[], None]) -> None:
        """Call `callback` at the end of this round. From the loop's thread only."""
        self._soon.append(callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the loop's thread, at the end of this round. From any thread."""
        self._soon.append(callback)
        with contextlib.suppress(BlockingIOError):  # enough wakes are on their way then
            self._wake_sender.send(b"\0")

    def stop(self) -> None:
        """End `run` after this round. From any thread, and from a signal handler."""
        self._stopping = True
        self.call_soon(lambda: None)

    def run(self) -> None:
        """Serve until `stop`. A callback that raises is logged and ends nothing."""
        while not self._stopping:
            for key, events in self._selector.select(self._patience()):
                try:
                    key.data(events)
                except Exception:
                    _LOG.exception(_UNEXPECTED)
            self._run_due()

    def _patience(self) -> float | None:
        if self._soon:
            return 0.0
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _run_due(self) -> None:
        for _ in range(len(self._soon)):
            _guarded(self._soon.popleft())
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                _guarded(callback)

    def _drain_wakes(self, _: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self._wake_receiver.recv(4096)) == 4096:
                pass

    def close(self) -> None:
        """Give back what the loop itself holds; `run` must have returned."""
        self._selector.close()
        self._wake_receiver.close()
        self._wake_sender.close()


def _guarded(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        _LOG.exception(_UNEXPECTED)
