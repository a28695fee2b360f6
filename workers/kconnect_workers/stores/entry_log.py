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


class PositionedLog(EntryLog, Protocol):
    """Of one partition, so that a number says how far it has been read."""

    @property
    def position(self) -> int:
        """The offset behind the last entry that was applied, -1 before the first. While an entry is applied, that is
        the offset behind it."""
        ...


class MemoryLog:
    """A PositionedLog that forgets everything when the worker ends (standalone on Kafka keeps only offsets)."""

    def __init__(self, apply: Apply) -> None:
        self._apply = apply
        self._entries = 0

    @property
    def position(self) -> int:
        return self._entries or -1

    async def start(self) -> None:
        pass

    async def append(self, entries: Sequence[Entry]) -> None:
        for key, value in entries:
            self._entries += 1
            self._apply(key, value)

    async def read_to_end(self) -> None:
        pass

    async def stop(self) -> None:
        pass
