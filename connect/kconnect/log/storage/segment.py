"""One segment: a log file of consecutive v2 batches, and its indexes."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from kconnect.log.errors import CorruptLogError
from kconnect.log.protocol.batch import HEADER, LENGTH_PREFIX, MAGIC, BatchHeader, checksum
from kconnect.log.storage import segment_files
from kconnect.log.storage.index import OffsetIndex, TimeIndex, last_position
from kconnect.log.storage.transaction_index import TransactionIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_SEGMENT_BYTES = 0x7FFFFFFF
"""Positions in the index are 32 bits."""

NEVER = 0x7FFFFFFFFFFFFFFF
"""A time that does not come."""

_SEARCH_CHUNK = 8 << 10
_SCAN_CHUNK = 4 << 20


class Span(NamedTuple):
    """Where a batch lies in a segment's file."""

    position: int
    size: int


class Segment:
    """Batches from `base_offset` on, in `<base_offset>.log` and its `suffix`. Belongs to one thread.

    The active segment is sealed when its index has `max_index_bytes` (`is_index_full`), before a batch whose timestamp
    is later than `roll_at`, or when it is old: `begun_at`, in milliseconds since 1970, is the time of its first append,
    or of its opening; `jitter`, from 0 to 1, is the part of `segment.jitter.ms` that is taken off its age.

    Every method that touches the file raises OSError; what finds broken framing raises CorruptLogError.
    """

    __slots__ = (
        "_first_timestamp",
        "_index_interval",
        "_max_timestamp",
        "_max_timestamp_offset",
        "_offset_index",
        "_suffix",
        "_time_index",
        "_unindexed_bytes",
        "base_offset",
        "begun_at",
        "fd",
        "is_index_full",
        "jitter",
        "max_index_bytes",
        "path",
        "roll_at",
        "size",
        "transaction_index",
    )

    def __init__(self, folder: Path, base_offset: int, *, index_interval: int, create: bool, suffix: str = "") -> None:
        self.base_offset = base_offset
        self.path = segment_files.file_of(folder, base_offset, ".log", suffix)
        self._suffix = suffix
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        self.fd = os.open(self.path, flags, 0o600)
        self.size = os.fstat(self.fd).st_size
        self._index_interval = index_interval
        self._unindexed_bytes = 0
        self._offset_index: OffsetIndex | None = None
        self._time_index: TimeIndex | None = None
        self.transaction_index = TransactionIndex(self._transaction_index_path, base_offset)
        self._max_timestamp = self._max_timestamp_offset = self._first_timestamp = -1
        self.max_index_bytes = 10 << 20
        self.is_index_full = False
        self.jitter = random.random()  # noqa: S311 - nothing is to be kept secret by it
        self.roll_at = NEVER
        self.begun_at = time.time_ns() // 1_000_000

    @classmethod
    def create(cls, folder: Path, base_offset: int, *, index_interval: int, suffix: str = "") -> Self:
        """A new, empty segment; what was left in files of that name is cut off."""
        segment = cls(folder, base_offset, index_interval=index_interval, create=True, suffix=suffix)
        segment._offset_index = OffsetIndex(segment._index_path, base_offset)
        segment._time_index = TimeIndex(segment._time_index_path, base_offset)
        segment.transaction_index.replace([])
        if segment.size:
            segment.truncate(0, base_offset)
        return segment

    @property
    def _index_path(self) -> Path:
        return segment_files.file_of(self.path.parent, self.base_offset, ".index", self._suffix)

    @property
    def _time_index_path(self) -> Path:
        return segment_files.file_of(self.path.parent, self.base_offset, ".timeindex", self._suffix)

    @property
    def _transaction_index_path(self) -> Path:
        return segment_files.file_of(self.path.parent, self.base_offset, ".txnindex", self._suffix)

    def append(self, batch: memoryview | bytes, last_offset: int, max_timestamp: int) -> None:
        """Write one whole batch at the end. On OSError (a full disk) nothing of it stays."""
        position = self.size
        length = len(batch)
        written = os.pwrite(self.fd, batch, position)
        if written != length:
            self._append_rest(memoryview(batch), position, written)
        self.size = position + length
        self.note(position, length, last_offset, max_timestamp)

    def _append_rest(self, batch: memoryview, position: int, written: int) -> None:
        """After a short write: the rest, or the error that stands in its way."""
        try:
            while written < len(batch):
                written += os.pwrite(self.fd, batch[written:], position + written)
        except OSError:
            os.ftruncate(self.fd, position)
            raise

    def write(self, batches: bytes) -> None:
        """Write whole batches at the end, which are to be noted then. On OSError nothing of them stays."""
        position, length = self.size, len(batches)
        written = os.pwrite(self.fd, batches, position)
        if written != length:
            self._append_rest(memoryview(batches), position, written)
        self.size = position + length

    def note(self, position: int, length: int, last_offset: int, max_timestamp: int) -> None:
        """Take up into the indexes, where it is due, a batch that lies at `position`."""
        if max_timestamp > self._max_timestamp:
            self._max_timestamp, self._max_timestamp_offset = max_timestamp, last_offset
        if self._unindexed_bytes > self._index_interval:
            self.offset_index.append(last_offset, position)
            self.time_index.append(self._max_timestamp, self._max_timestamp_offset)
            self._unindexed_bytes = 0
            self.is_index_full = (
                self.offset_index.file_size + OffsetIndex.ENTRY_SIZE > self.max_index_bytes
                or self.time_index.file_size + 2 * TimeIndex.ENTRY_SIZE > self.max_index_bytes
            )
        self._unindexed_bytes += length

    def begin(self, first_timestamp: int, *, age_ms: int) -> None:
        """The first batch is about to come; none that is later by more than `age_ms` shall lie beside it."""
        self._first_timestamp = first_timestamp
        self.begun_at = time.time_ns() // 1_000_000
        self.roll_at = first_timestamp + age_ms if first_timestamp >= 0 else NEVER

    @property
    def offset_index(self) -> OffsetIndex:
        """Loaded on first use; rebuilt from the log file where it is missing or wrong."""
        if self._offset_index is None:
            self._rebuild_unless(self.load_indexes())
        assert self._offset_index is not None
        return self._offset_index

    @property
    def time_index(self) -> TimeIndex:
        """Loaded on first use, together with the offset index."""
        if self._time_index is None:
            self._rebuild_unless(self.load_indexes())
        assert self._time_index is not None
        return self._time_index

    @property
    def max_timestamp(self) -> int:
        """The largest timestamp of a record, -1 without records."""
        return max(self._max_timestamp, self.time_index.last[0])

    @property
    def first_timestamp(self) -> int:
        """The largest timestamp of the first batch, -1 without batches."""
        if self._first_timestamp < 0 and self.size:
            header = os.pread(self.fd, HEADER.size, 0)
            if len(header) == HEADER.size:
                self._first_timestamp = BatchHeader._make(HEADER.unpack(header)).max_timestamp
        return self._first_timestamp

    def load_indexes(self) -> bool:
        """Take the indexes from their files; False, and empty indexes, where those are missing or wrong."""
        offsets = OffsetIndex(self._index_path, self.base_offset)
        times = TimeIndex(self._time_index_path, self.base_offset)
        sound = offsets.load(self.size) and times.load()
        if not sound:
            offsets = OffsetIndex(self._index_path, self.base_offset)
            times = TimeIndex(self._time_index_path, self.base_offset)
        self._offset_index, self._time_index = offsets, times
        return sound

    def _rebuild_unless(self, sound: bool) -> None:
        if not sound:
            for position, header in self.walk(0):
                self.note(position, header.size, header.last_offset, header.max_timestamp)
            self.time_index.append(self._max_timestamp, self._max_timestamp_offset)

    def last_indexed_position(self) -> int:
        """The position of the last batch in the index file, 0 where that is no help; loads nothing."""
        return last_position(self._index_path, self.size)

    def rewind_indexes(self, position: int) -> None:
        """Forget what the indexes say of batches behind the one at `position`; from it on all are noted again."""
        self.offset_index.truncate(position + 1)
        self.time_index.truncate(self.offset_index.last_offset + 1)
        self._max_timestamp, self._max_timestamp_offset = self.time_index.last
        self._unindexed_bytes = 0

    def locate(self, offset: int) -> Span | None:
        """The batch that has `offset`, or the first one behind it; None at the end of the segment."""
        position, end = self.offset_index.floor(offset), self.size
        unpack = HEADER.unpack_from
        while position < end:
            chunk = os.pread(self.fd, min(_SEARCH_CHUNK, end - position), position)
            at, limit = 0, len(chunk) - HEADER.size
            while at <= limit:
                base, length, _, magic, _, _, last_delta, *_ = unpack(chunk, at)
                if magic != MAGIC or length < HEADER.size - LENGTH_PREFIX:
                    raise CorruptLogError(self.path, position + at, "no record batch begins here")
                if base + last_delta >= offset:
                    return Span(position + at, length + LENGTH_PREFIX)
                at += length + LENGTH_PREFIX
            if at == 0:
                raise CorruptLogError(self.path, position, "the file ends within a batch")
            position += at
        return None

    def walk(self, position: int) -> Iterator[tuple[int, BatchHeader]]:
        """Positions and headers of the batches from `position`, which begins one, to the end; unchecked CRC.

        Raises CorruptLogError where the framing breaks, the end of the file within a batch included.
        """
        while position < self.size:
            chunk = os.pread(self.fd, _SEARCH_CHUNK, position)
            at = 0
            while at + HEADER.size <= len(chunk):
                header = BatchHeader._make(HEADER.unpack_from(chunk, at))
                reason = _framing_error(header, self.size - position - at)
                if reason:
                    raise CorruptLogError(self.path, position + at, reason)
                yield position + at, header
                at += header.size
            if at == 0:
                raise CorruptLogError(self.path, position, "the file ends within a batch header")
            position += at

    def scan(self, position: int) -> Iterator[tuple[int, BatchHeader, bytes]]:
        """As `walk`, with the batches themselves, and the checksum of every one compared."""
        while position < self.size:
            chunk = os.pread(self.fd, min(_SCAN_CHUNK, self.size - position), position)
            at = 0
            while at + HEADER.size <= len(chunk):
                header = BatchHeader._make(HEADER.unpack_from(chunk, at))
                reason = _framing_error(header, self.size - position - at)
                if reason is None and at + header.size > len(chunk):
                    if at:
                        break
                    chunk = os.pread(self.fd, header.size, position)
                batch = chunk[at : at + header.size]
                if reason is None and checksum(batch) != header.crc:
                    reason = "the checksum of the batch is wrong"
                if reason:
                    raise CorruptLogError(self.path, position + at, reason)
                yield position + at, header, batch
                at += header.size
            if at == 0:
                raise CorruptLogError(self.path, position, "the file ends within a batch header")
            position += at

    def read(self, position: int, size: int) -> bytes:
        """Up to `size` bytes of the file from `position`."""
        return os.pread(self.fd, size, position)

    def truncate(self, position: int, next_offset: int) -> None:
        """Cut the file at `position`, where `next_offset` would have begun."""
        os.ftruncate(self.fd, position)
        self.size = position
        self.offset_index.truncate(position)
        self.time_index.truncate(next_offset)
        self.transaction_index.truncate(next_offset)
        self._max_timestamp, self._max_timestamp_offset = self.time_index.last

    def flush_indexes(self) -> None:
        """Bring the index files up to date, the largest timestamp so far included."""
        if self._offset_index is not None and self._time_index is not None:
            self._time_index.append(self._max_timestamp, self._max_timestamp_offset)
            self._time_index.flush()  # first: an entry of the offset index promises that times are known up to it
            self._offset_index.flush()

    def sync(self) -> None:
        """Make what the files hold survive a power loss; their names are the folder's."""
        os.fsync(self.fd)
        for path in (self._index_path, self._time_index_path, self._transaction_index_path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def close(self) -> None:
        """Give the file back; the segment must not be used any more."""
        os.close(self.fd)
        self.fd = -1

    def delete(self) -> None:
        """Close and remove the files."""
        self.close()
        segment_files.remove(self.path.parent, self.base_offset)

    def retire(self) -> None:
        """Close the files and rename them: they are not of the log any more, and may be removed later."""
        self.close()
        segment_files.rename(self.path.parent, self.base_offset, "", segment_files.DELETED)


def _framing_error(header: BatchHeader, available: int) -> str | None:
    """Why no batch of at most `available` bytes can begin like this, or None."""
    if header.magic != MAGIC:
        return f"no record batch begins here (magic {header.magic}, {MAGIC} expected)"
    if header.size < HEADER.size or header.last_offset_delta < 0:
        return "no record batch begins here"
    if header.size > available:
        return f"a batch of {header.size} bytes begins here, and the file ends after {available}"
    return None
