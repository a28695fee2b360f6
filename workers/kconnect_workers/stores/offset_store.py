"""Source offsets, kept in a log: what a connector's tasks committed, by source partition."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from kconnect_workers.stores.entry_log import Apply, Entry, EntryLog
from kconnect_workers.stores.source_offsets import Offset, Partition, SourceOffsets


class OffsetStore:
    """`open_log` makes the log, given the function that it applies entries with. Belongs to the worker's event loop.

    A connector may have a topic of its own, which `open_own` opens. What that does not hold is looked up in the
    worker's log, where a copy is kept. Reading starts with the first question: a worker that is never asked for offsets
    follows no offsets.
    """

    def __init__(
        self,
        open_log: Callable[[Apply], EntryLog],
        open_own: Callable[[str, Apply], Awaitable[EntryLog]] | None = None,
        *,
        topic: str | None = None,
    ) -> None:
        """`topic` is that of the worker's log. Without `open_own`, all offsets are in it."""
        self._topic = topic
        self._shared = _Followed(open_log)
        self._open_own = open_own
        self._own: dict[str, _Followed] = {}

    async def stop(self) -> None:
        for followed in (*self._own.values(), self._shared):
            await followed.log.stop()

    async def offsets(self, connector: str, topic: str | None = None) -> list[tuple[Partition, Offset]]:
        """What is committed now, in the order of first commits. `topic` is the connector's own, if it has one."""
        found: dict[bytes, tuple[Partition, Offset]] = {}
        for followed in await self._followed(topic):
            await followed.catch_up()
            found |= followed.known.by_partition(connector)
        return list(found.values())

    async def alter(
        self, connector: str, offsets: Sequence[tuple[Partition, Offset | None]], topic: str | None = None
    ) -> None:
        """Set these partitions' offsets; None forgets the partition."""
        for followed in await self._followed(topic):  # the connector's own last: until then it holds what it held
            await followed.catch_up()
            await followed.log.append([followed.known.entry(connector, *offset) for offset in offsets])

    async def read(self, connector: str) -> list[tuple[bytes, bytes]]:
        """The entries in the worker's log, as they are."""
        await self._shared.catch_up()
        return self._shared.known.entries(connector)

    async def write(self, entries: Sequence[Entry]) -> None:
        """Store entries in the worker's log as they are; returns when they are stored."""
        await self._shared.catch_up()
        await self._shared.log.append(entries)

    async def _followed(self, topic: str | None) -> list[_Followed]:
        if topic is None or topic == self._topic or self._open_own is None:
            return [self._shared]
        if topic not in self._own:
            known = SourceOffsets()
            log = await self._open_own(topic, known.apply)
            self._own.setdefault(topic, _Followed(lambda _: log, known))
        return [self._shared, self._own[topic]]


class _Followed:
    """A log, and what it is known to hold."""

    def __init__(self, open_log: Callable[[Apply], EntryLog], known: SourceOffsets | None = None) -> None:
        self.known = known or SourceOffsets()
        self.log = open_log(self.known.apply)
        self._started = False

    async def catch_up(self) -> None:
        if not self._started:
            await self.log.start()
            self._started = True
        await self.log.read_to_end()
