"""One connector's source offsets, as its tasks and plugins read and write them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from kconnect.errors import ConnectError
from kconnect.record import SourceOffset, SourcePartition
from kconnect_workers.stores.entry_log import Apply, Entry
from kconnect_workers.stores.source_offsets import SourceOffsets

log = logging.getLogger(__name__)


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
    their own: one caller is served at a time.

    `shared` is the worker's log of offsets, where the connector has one of its own: what that does not hold (yet) is
    looked up there, and what is written to it is copied, if that can be done."""

    def __init__(self, connector: str, offset_log: OffsetLog, shared: OffsetLog | None = None) -> None:
        self._connector = connector
        self._log = offset_log
        self._known = SourceOffsets(only=connector)
        self._shared = shared
        self._known_shared = SourceOffsets(only=connector)
        self._lock = threading.Lock()

    def catch_up(self) -> None:
        """Read everything that is stored by now."""
        with self._lock:
            self._log.read(self._known.apply)
            if self._shared is not None:
                self._shared.read(self._known_shared.apply)

    def offset(self, partition: SourcePartition) -> dict[str, Any] | None:
        return self.offsets([partition])[0]

    def offsets(self, partitions: Sequence[SourcePartition]) -> list[dict[str, Any] | None]:
        """The log is read once for all of them."""
        self.catch_up()
        return [self._offset(partition) for partition in partitions]

    def _offset(self, partition: SourcePartition) -> dict[str, Any] | None:
        own = self._known.offset(self._connector, partition)
        return self._known_shared.offset(self._connector, partition) if own is None else own

    def write(self, offsets: Collection[tuple[SourcePartition, SourceOffset]], timeout_s: float) -> None:
        """Store `offsets`, which JSON can carry; returns when that is done. ConnectError when it does not succeed
        within `timeout_s` seconds."""
        with self._lock:
            entries = _entries(self._known, self._connector, offsets)
            self._log.write(entries, timeout_s)
            self._stored(entries, offsets, timeout_s)

    def entries(self, offsets: Collection[tuple[SourcePartition, SourceOffset]]) -> list[Entry]:
        """What has to be written to have `offsets`, which JSON can carry, stored; `stored` when that is done."""
        with self._lock:
            return _entries(self._known, self._connector, offsets)

    def stored(
        self, entries: Iterable[Entry], offsets: Collection[tuple[SourcePartition, SourceOffset]], timeout_s: float
    ) -> None:
        """Someone else has written these `entries` of `offsets`."""
        with self._lock:
            self._stored(entries, offsets, timeout_s)

    def _stored(
        self, entries: Iterable[Entry], offsets: Collection[tuple[SourcePartition, SourceOffset]], timeout_s: float
    ) -> None:
        for entry in entries:
            self._known.apply(*entry)
        if self._shared is None:
            return
        copies = _entries(self._known_shared, self._connector, offsets)
        try:
            self._shared.write(copies, timeout_s)
        except ConnectError as e:
            log.warning("%s: its offsets are stored, and not copied to the worker's: %s", self._connector, e)
        else:
            for entry in copies:
                self._known_shared.apply(*entry)

    def idle(self) -> None:
        """No question is expected soon: release what reading needs, unless someone is reading now."""
        if self._lock.acquire(blocking=False):
            try:
                for each in self._logs():
                    each.idle()
            finally:
                self._lock.release()

    def close(self) -> None:
        with self._lock:
            for each in self._logs():
                each.close()

    def _logs(self) -> list[OffsetLog]:
        return [self._log] if self._shared is None else [self._log, self._shared]


def _entries(
    known: SourceOffsets, connector: str, offsets: Iterable[tuple[SourcePartition, SourceOffset]]
) -> list[Entry]:
    return [known.entry(connector, *offset) for offset in offsets]
