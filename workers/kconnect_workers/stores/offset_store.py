"""Source offsets, kept in a log: what a connector's tasks committed, by source partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kconnect_workers.stores.entry_log import Apply, Entry, EntryLog
from kconnect_workers.stores.source_offsets import Offset, Partition, SourceOffsets


class OffsetStore:
    """`open_log` makes the log, given the function that it applies entries with. Belongs to the worker's event loop.

    Reading starts with the first question: a worker that is never asked for offsets follows no offsets.
    """

    def __init__(self, open_log: Callable[[Apply], EntryLog]) -> None:
        self._known = SourceOffsets()
        self._log = open_log(self._known.apply)
        self._started = False

    async def stop(self) -> None:
        await self._log.stop()

    async def offsets(self, connector: str) -> list[tuple[Partition, Offset]]:
        """What is committed now, in the order of first commits."""
        await self._catch_up()
        return self._known.offsets(connector)

    async def alter(self, connector: str, offsets: Sequence[tuple[Partition, Offset | None]]) -> None:
        """Set these partitions' offsets; None forgets the partition."""
        await self._catch_up()
        await self._log.append([self._known.entry(connector, *offset) for offset in offsets])

    async def read(self, connector: str) -> list[tuple[bytes, bytes]]:
        """The stored entries, as they are."""
        await self._catch_up()
        return self._known.entries(connector)

    async def write(self, entries: Sequence[Entry]) -> None:
        """Store entries as they are; returns when they are stored."""
        await self._catch_up()
        await self._log.append(entries)

    async def _catch_up(self) -> None:
        if not self._started:
            await self._log.start()
            self._started = True
        await self._log.read_to_end()
