"""What clients may take, all of a broker's listeners together."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The names in comments are Kafka's settings."""

    max_request_size: int = 100 << 20  # socket.request.max.bytes
    max_connections: int = 10_000  # max.connections
    max_connections_per_ip: int | None = None  # max.connections.per.ip
    max_queued_request_bytes: int | None = None  # queued.max.request.bytes
    max_idle_seconds: float = 600.0  # connections.max.idle.ms


class ConnectionCounts:
    """How many clients there are, and from where."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_host: Counter[str] = Counter()
        self._total = 0

    def admit(self, host: str) -> str | None:
        """Count one client more; or the limit that refuses it, as Kafka calls it."""
        limits = self._limits
        if self._total >= limits.max_connections:
            return f"max.connections={limits.max_connections}"
        if limits.max_connections_per_ip is not None and self._by_host[host] >= limits.max_connections_per_ip:
            return f"max.connections.per.ip={limits.max_connections_per_ip}"
        self._by_host[host] += 1
        self._total += 1
        return None

    def leave(self, host: str) -> None:
        """Count one client less."""
        self._total -= 1
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]


class RequestMemory:
    """Memory for requests that do not fit into the buffer that every connection has.

    As in Kafka a request is let in as long as there is some left, so that any size gets its turn: the limit is
    passed by one request at most.
    """

    def __init__(self, limit: int | None) -> None:
        self.is_limited = limit is not None
        self._limit = limit or 0
        self._taken = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def take(self, size: int, when_free: Callable[[], None]) -> bool:
        """Whether `size` bytes are taken now; otherwise `when_free` is called once there is reason to try again."""
        if self.is_limited and self._taken >= self._limit:
            self._waiting.append(when_free)
            return False
        self._taken += size
        return True

    def stop_waiting(self, when_free: Callable[[], None]) -> None:
        """The request is not to come any more."""
        self._waiting.remove(when_free)

    def take_more(self, size: int) -> None:
        """For a request that has taken some."""
        self._taken += size

    def give_back(self, size: int) -> None:
        self._taken -= size
        while self._waiting and self._taken < self._limit:
            self._waiting.popleft()()
