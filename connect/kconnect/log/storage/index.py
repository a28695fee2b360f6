"""A segment's two sparse indexes, in Kafka's file formats: offset → position, timestamp → offset."""

from __future__ import annotations

import os
import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from operator import le, lt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TIME_ENTRY = struct.Struct(">qi")


class OffsetIndex:
    """File positions of some batches of a segment, by the last offset of each batch.

    Entries are kept in memory and appended to the `.index` file by `flush`; the file is a help for the
    next start and may always be thrown away.
    """

    __slots__ = ("_base", "_flushed", "_in_file", "_offsets", "_path", "_positions")

    ENTRY_SIZE = 8

    def __init__(self, path: Path, base_offset: int) -> None:
        self._path = path
        self._base = base_offset
        self._offsets = array("i")
        self._positions = array("i")
        # How many entries the file shares with this index, and how many it has: -1 while that is not known.
        self._flushed, self._in_file = 0, -1

    def load(self, log_size: int) -> bool:
        """Read the file; False, and empty, unless it can belong to a log file of `log_size` bytes."""
        entries = _read_int32s(self._path, width=8)
        if entries is None:
            return False
        offsets, positions = entries[0::2], entries[1::2]
        growing = all(map(lt, offsets, offsets[1:])) and all(map(lt, positions, positions[1:]))
        if positions and (not growing or offsets[0] < 0 or positions[0] < 0 or positions[-1] >= log_size):
            return False
        self._offsets, self._positions = offsets, positions
        self._flushed = self._in_file = len(offsets)
        return True

    def append(self, last_offset: int, position: int) -> None:
        """The batch at `position` ends with `last_offset`; both grow from call to call."""
        self._offsets.append(last_offset - self._base)
        self._positions.append(position)

    def floor(self, offset: int) -> int:
        """Where to begin a search for `offset`: the position of a batch that begins no later."""
        i = bisect_right(self._offsets, offset - self._base) - 1
        return self._positions[i] if i >= 0 else 0

    @property
    def file_size(self) -> int:
        """How many bytes the file has, or will have."""
        return self.ENTRY_SIZE * len(self._offsets)

    def ceiling(self, position: int) -> int | None:
        """An offset that all batches which begin before `position` end before; None where the index has none."""
        i = bisect_left(self._positions, position)
        return self._base + self._offsets[i] + 1 if i < len(self._positions) else None

    @property
    def last_offset(self) -> int:
        """The offset of the last entry; one below the base offset without entries."""
        return self._base + (self._offsets[-1] if self._offsets else -1)

    def truncate(self, position: int) -> None:
        """Forget entries at or behind `position`."""
        while self._positions and self._positions[-1] >= position:
            self._positions.pop()
            self._offsets.pop()
        self._flushed = min(self._flushed, len(self._offsets))

    def flush(self) -> None:
        """Bring the file up to date. Raises OSError."""
        if self._flushed == self._in_file == len(self._offsets):
            return
        interleaved = array("i", bytes(8 * (len(self._offsets) - self._flushed)))
        interleaved[0::2] = self._offsets[self._flushed :]
        interleaved[1::2] = self._positions[self._flushed :]
        _write_tail(self._path, _big_endian(interleaved), 8 * self._flushed)
        self._flushed = self._in_file = len(self._offsets)


class TimeIndex:
    """The largest timestamp of a segment up to some offsets, in the `.timeindex` file.

    An entry (timestamp, offset) says: no record before `offset` in this segment is later than `timestamp`,
    and `offset` ends the batch that has it. Timestamps are milliseconds since 1970.
    """

    __slots__ = ("_base", "_flushed", "_in_file", "_offsets", "_path", "_timestamps")

    ENTRY_SIZE = _TIME_ENTRY.size

    def __init__(self, path: Path, base_offset: int) -> None:
        self._path = path
        self._base = base_offset
        self._timestamps = array("q")
        self._offsets = array("i")
        # How many entries the file shares with this index, and how many it has: -1 while that is not known.
        self._flushed, self._in_file = 0, -1

    def load(self) -> bool:
        """Read the file; False, and empty, unless its entries grow."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return False
        if len(content) % _TIME_ENTRY.size:
            return False
        timestamps, offsets = array("q"), array("i")
        for timestamp, offset in _TIME_ENTRY.iter_unpack(content):
            timestamps.append(timestamp)
            offsets.append(offset)
        if not (all(map(lt, timestamps, timestamps[1:])) and all(map(le, offsets, offsets[1:]))):
            return False
        self._timestamps, self._offsets = timestamps, offsets
        self._flushed = self._in_file = len(offsets)
        return True

    def append(self, timestamp: int, offset: int) -> None:
        """Add an entry, unless an earlier one is as late already."""
        if timestamp >= 0 and (not self._timestamps or timestamp > self._timestamps[-1]):
            self._timestamps.append(timestamp)
            self._offsets.append(offset - self._base)

    def floor(self, timestamp: int) -> int:
        """An offset before which every record of the segment is earlier than `timestamp`."""
        i = bisect_right(self._timestamps, timestamp - 1) - 1
        return self._base + (self._offsets[i] if i >= 0 else 0)

    @property
    def file_size(self) -> int:
        """How many bytes the file has, or will have."""
        return self.ENTRY_SIZE * len(self._offsets)

    @property
    def last(self) -> tuple[int, int]:
        """(timestamp, offset) of the last entry; (-1, -1) without entries."""
        return (self._timestamps[-1], self._base + self._offsets[-1]) if self._timestamps else (-1, -1)

    def truncate(self, next_offset: int) -> None:
        """Forget entries at or behind `next_offset`."""
        while self._offsets and self._base + self._offsets[-1] >= next_offset:
            self._offsets.pop()
            self._timestamps.pop()
        self._flushed = min(self._flushed, len(self._offsets))

    def flush(self) -> None:
        """Bring the file up to date. Raises OSError."""
        if self._flushed == self._in_file == len(self._offsets):
            return
        entries = zip(self._timestamps[self._flushed :], self._offsets[self._flushed :], strict=True)
        tail = b"".join(_TIME_ENTRY.pack(timestamp, offset) for timestamp, offset in entries)
        _write_tail(self._path, tail, _TIME_ENTRY.size * self._flushed)
        self._flushed = self._in_file = len(self._offsets)


def last_position(path: Path, log_size: int) -> int:
    """The position of the last entry in an `.index` file; 0 where the file cannot belong to the log file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size < 8 or size % 8:
                return 0
            file.seek(-4, os.SEEK_END)
            position = int.from_bytes(file.read(4), "big")
    except FileNotFoundError:
        return 0
    return position if position < log_size else 0


def _read_int32s(path: Path, *, width: int) -> array[int] | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) % width:
        return None
    numbers = array("i", content)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _big_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def _write_tail(path: Path, tail: bytes, position: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(fd, position)
        os.pwrite(fd, tail, position)
    finally:
        os.close(fd)
