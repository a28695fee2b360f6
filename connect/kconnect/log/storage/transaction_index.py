"""A segment's index of aborted transactions, in Kafka's file format: what readers of committed data leave out."""

from __future__ import annotations

import logging
import os
import struct
from typing import TYPE_CHECKING, NamedTuple

from kconnect.log.storage.atomic import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_LOG = logging.getLogger(__name__)

_ENTRY = struct.Struct(">hqqqq")
_VERSION = 0


class AbortedTransaction(NamedTuple):
    """A transaction of one partition that was aborted.

    `last_offset` is that of its marker. `last_stable_offset` is the partition's behind that marker: before it,
    every transaction that was aborted has its entry here or further up.
    """

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class TransactionIndex:
    """The transactions whose abort markers lie in one segment, in the order of the markers.

    Every segment has the file, empty in most cases: one that is missing was lost, and has to be built again.
    """

    __slots__ = ("_base", "_entries", "_path", "_sound", "_unsynced")

    def __init__(self, path: Path, base_offset: int) -> None:
        self._path = path
        self._base = base_offset
        self._entries: list[AbortedTransaction] = []
        self._sound = self._unsynced = False

    def load(self) -> bool:
        """Read the file; False, and empty, where it is missing or wrong. Raises OSError."""
        self._entries, self._sound = [], False
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return False
        if len(content) % _ENTRY.size:
            return False
        entries = []
        previous = self._base - 1
        for version, *fields in _ENTRY.iter_unpack(content):
            entry = AbortedTransaction._make(fields)
            if version != _VERSION or entry.last_offset <= previous or entry.first_offset >= entry.last_offset:
                return False
            previous = entry.last_offset
            entries.append(entry)
        self._entries, self._sound = entries, True
        return True

    @property
    def is_sound(self) -> bool:
        """Whether the file was there, and right, when it was loaded, or was written since."""
        return self._sound

    def append(self, aborted: AbortedTransaction) -> None:
        """Add a transaction, whose marker lies behind those of all others."""
        self._entries.append(aborted)
        self._unsynced = True
        try:
            fd = self._open()
            try:
                os.pwrite(fd, _ENTRY.pack(_VERSION, *aborted), (len(self._entries) - 1) * _ENTRY.size)
            finally:
                os.close(fd)
        except OSError as e:
            # Without the file the next start builds it again: better none than one with a gap.
            _LOG.warning("%s cannot be written for now: %s", self._path, e.strerror)
            self._path.unlink(missing_ok=True)

    def truncate(self, next_offset: int) -> None:
        """Forget markers at or behind `next_offset`. Raises OSError."""
        if self._entries and self._entries[-1].last_offset >= next_offset:
            self.replace([entry for entry in self._entries if entry.last_offset < next_offset])

    def replace(self, entries: list[AbortedTransaction]) -> None:
        """Hold exactly `entries`, which are in the order of their markers. Raises OSError."""
        replace_file(self._path, b"".join(_ENTRY.pack(_VERSION, *entry) for entry in entries), sync=False)
        self._entries = entries
        self._sound = self._unsynced = True

    def open_unsynced(self) -> int | None:
        """A descriptor of the file for a sync that has to cover it, or None. Raises OSError."""
        if not self._unsynced:
            return None
        fd = self._open()
        self._unsynced = False
        return fd

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[AbortedTransaction]:
        return iter(self._entries)


def aborted_between(indexes: Iterable[TransactionIndex], start: int, end: int) -> list[AbortedTransaction]:
    """The transactions that may have data in the offsets from `start` to before `end`.

    `indexes` are those of the segments from the one that has `start` on: markers may lie far behind the data.
    """
    found = []
    for index in indexes:
        for aborted in index:
            if aborted.last_offset >= start and aborted.first_offset < end:
                found.append(aborted)
            if aborted.last_stable_offset >= end:
                return found
    return found
