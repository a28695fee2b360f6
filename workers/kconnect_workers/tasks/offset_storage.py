"""One connector's source offsets, as its tasks and plugins read and write them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from kconnect.record import SourceOffset, SourcePartition
from kconnect_workers.stores.entry_log import Apply, Entry
from kconnect_workers.stores.source_offsets import SourceOffsets


class OffsetLog(Protocol):
    """Where offsets are kept: the offsets topic, or the worker's file. One call at a time."""

    def read(self, apply: Apply) -> None:
        """Hand `apply` everything that was stored since the last call, up to the end at the time of this one.
        ConnectError when that cannot be had."""
        ...

    def write(self, entries: Sequence[Entry], timeout_s: float) -> None:
        """Return when `entries` are stored. ConnectError when they are not within `timeout_s` seconds."""
        ...

    def idle(self) -> None:
        """No read is expected soon: release what reading needs. `read` may be called again."""
        ...

    def close(self) -> None: ...


class OffsetStorage:
    """The `OffsetStorageReader` of a connector's plugins, and the writer of its tasks. Plugins may ask from threads of
    their own: one caller is served at a time."""

    def __init__(self, connector: str, offset_log: OffsetLog) -> None:
        self._connector = connector
        self._log = offset_log
        self._known = SourceOffsets(only=connector)
        self._lock = threading.Lock()

    def catch_up(self) -> None:
        """Read everything that is stored by now."""
        with self._lock:
            self._log.read(self._known.apply)

    def offset(self, partition: SourcePartition) -> dict[str, Any] | None:
        return self.offsets([partition])[0]

    def offsets(self, partitions: Sequence[SourcePartition]) -> list[dict[str, Any] | None]:
        """The log is read once for all of them."""
        self.catch_up()
        return [self._known.offset(self._connector, partition) for partition in partitions]

    def write(self, offsets: Iterable[tuple[SourcePartition, SourceOffset]], timeout_s: float) -> None:
        """Store `offsets`, which JSON can carry; returns when that is done. ConnectError when it does not succeed
        within `timeout_s` seconds."""
        with self._lock:
            entries = self._entries(offsets)
            self._log.write(entries, timeout_s)
            self._stored(entries)

    def entries(self, offsets: Iterable[tuple[SourcePartition, SourceOffset]]) -> list[Entry]:
        """What has to be written to have `offsets`, which JSON can carry, stored; `stored` when that is done."""
        with self._lock:
            return self._entries(offsets)

    def stored(self, entries: Iterable[Entry]) -> None:
        """Someone else has written these."""
        with self._lock:
            self._stored(entries)

    def _entries(self, offsets: Iterable[tuple[SourcePartition, SourceOffset]]) -> list[Entry]:
        return [self._known.entry(self._connector, *offset) for offset in offsets]

    def _stored(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._known.apply(*entry)

    def idle(self) -> None:
        """No question is expected soon: release what reading needs, unless someone is reading now."""
        if self._lock.acquire(blocking=False):
            try:
                self._log.idle()
            finally:
                self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._log.close()
