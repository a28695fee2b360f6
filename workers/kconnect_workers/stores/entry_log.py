"""A log of keyed entries, of which the last per key counts: what every store stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

Entry: TypeAlias = tuple[bytes, bytes | None]
"""A key and its newest value; None deletes the key."""

Apply: TypeAlias = Callable[[bytes, bytes | None], None]


class EntryLog(Protocol):
    """Entries are applied in the order of the log, on the worker's event loop, by a function given to the maker of
    the log. Every method belongs to that loop."""

    async def start(self) -> None:
        """Read everything that is there; returns when all of it has been applied."""
        ...

    async def append(self, entries: Sequence[Entry]) -> None:
        """Write `entries`; returns when they are acknowledged and applied here. ConnectError when that fails."""
        ...

    async def read_to_end(self) -> None:
        """Returns when all that was in the log at the time of the call has been applied."""
        ...

    async def stop(self) -> None: ...


class MemoryLog:
    """An EntryLog that forgets everything when the worker ends (standalone on an outside Kafka keeps only offsets)."""

    def __init__(self, apply: Apply) -> None:
        self._apply = apply

    async def start(self) -> None:
        pass

    async def append(self, entries: Sequence[Entry]) -> None:
        for key, value in entries:
            self._apply(key, value)

    async def read_to_end(self) -> None:
        pass

    async def stop(self) -> None:
        pass
