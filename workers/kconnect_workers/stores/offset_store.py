"""Source offsets, kept in a log: what a connector's tasks committed, by source partition.

A key is the JSON array `["<connector>",{<partition>}]`, a value the JSON object of the offset. Keys are compared as
parsed JSON, since the order of members is the writer's; an update reuses the bytes of the key that was read.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from kconnect_workers.stores.entry_log import Apply, Entry, EntryLog

_logger = logging.getLogger(__name__)

Partition: TypeAlias = Mapping[str, Any]
Offset: TypeAlias = Mapping[str, Any]


class OffsetStore:
    """`open_log` makes the log, given the function that it applies entries with. Belongs to the worker's event loop.

    Reading starts with the first question: a worker that is never asked for offsets follows no offsets.
    """

    def __init__(self, open_log: Callable[[Apply], EntryLog]) -> None:
        self._offsets: dict[str, dict[str, tuple[bytes, bytes]]] = defaultdict(dict)
        self._log = open_log(self._apply)
        self._started = False

    async def stop(self) -> None:
        await self._log.stop()

    async def offsets(self, connector: str) -> list[tuple[Partition, Offset]]:
        """What is committed now, in the order of first commits."""
        await self._catch_up()
        return [
            (msgspec.json.decode(key)[1], msgspec.json.decode(value))
            for key, value in self._offsets[connector].values()
        ]

    async def alter(self, connector: str, offsets: Sequence[tuple[Partition, Offset | None]]) -> None:
        """Set these partitions' offsets; None forgets the partition."""
        await self._catch_up()
        await self._log.append([self._entry(connector, *offset) for offset in offsets])

    async def read(self, connector: str) -> list[tuple[bytes, bytes]]:
        """The stored entries, as they are."""
        await self._catch_up()
        return list(self._offsets[connector].values())

    async def write(self, entries: Sequence[Entry]) -> None:
        """Store entries as they are; returns when they are stored."""
        await self._catch_up()
        await self._log.append(entries)

    async def _catch_up(self) -> None:
        if not self._started:
            await self._log.start()
            self._started = True
        await self._log.read_to_end()

    def _entry(self, connector: str, partition: Partition, offset: Offset | None) -> Entry:
        stored = self._offsets[connector].get(_identity(partition))
        key = stored[0] if stored else msgspec.json.encode([connector, partition])
        return key, None if offset is None else msgspec.json.encode(offset)

    def _apply(self, key: bytes, value: bytes | None) -> None:
        try:
            connector, partition = msgspec.json.decode(key, type=tuple[str, dict[str, Any] | None])
        except msgspec.DecodeError as e:
            _logger.error("offset record %r cannot be read: %s; it is ignored", key, e)
            return
        identity = _identity(partition or {})
        if value is None:
            self._offsets[connector].pop(identity, None)
        else:
            self._offsets[connector][identity] = (key, value)


def _identity(partition: Partition) -> str:
    return msgspec.json.encode(partition, order="deterministic").decode()
