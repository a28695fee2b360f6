"""Record batches of format v2 from the outside: their headers, checksums and bounds, without their records."""

from collections.abc import Iterator
from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple

from google_crc32c import value as crc32c

from kconnect.log.protocol.errors import CorruptBatchError, UnsupportedMagicError
from kconnect.log.protocol.message import Buffer

HEADER = Struct(">qiibIhiqqqhii")
LENGTH_PREFIX = 12
"""Bytes before those that the length field counts."""
CRC_START = 21
"""The checksum covers everything from here on."""
MAGIC = 2

# Plain numbers, where headers are looked at one after another: an IntFlag takes ten times as long.
_TRANSACTIONAL = 0x10
_CONTROL = 0x20

_MAGIC_AT = 16
_LENGTH = Struct(">i")
_LENGTH_AT = 8


class Attribute(IntFlag):
    """Bits of a batch's attributes; the lowest three are its compression."""

    LOG_APPEND_TIME = 0x08
    TRANSACTIONAL = _TRANSACTIONAL
    CONTROL = _CONTROL
    DELETE_HORIZON = 0x40


class Compression(IntEnum):
    """How the records of a batch are compressed."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


class BatchHeader(NamedTuple):
    """The fields of the header, in their order; timestamps are milliseconds since 1970, -1 for none."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return self.length + LENGTH_PREFIX

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def compression(self) -> Compression:
        """Raises CorruptBatchError when there is no such compression."""
        try:
            return Compression(self.attributes & 0x07)
        except ValueError:
            raise CorruptBatchError(f"there is no compression {self.attributes & 0x07}") from None

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & _CONTROL)


def read_header(buffer: Buffer, position: int = 0) -> BatchHeader:
    """The header of the batch that starts at `position`, all of which has to be in the buffer.

    Raises UnsupportedMagicError for the formats before v2, CorruptBatchError when no batch starts here.
    """
    available = len(buffer) - position
    if available > _MAGIC_AT and buffer[position + _MAGIC_AT] != MAGIC:
        raise UnsupportedMagicError(buffer[position + _MAGIC_AT])
    if available < HEADER.size:
        raise CorruptBatchError(f"a record batch has {HEADER.size} bytes at least, only {available} are left")
    header = BatchHeader._make(HEADER.unpack_from(buffer, position))
    if header.size < HEADER.size or header.last_offset_delta < 0 or header.record_count < 0:
        raise CorruptBatchError(f"no record batch starts at byte {position}")
    if header.size > available:
        raise CorruptBatchError(f"a record batch of {header.size} bytes starts here, {available} are left")
    return header


def batches(buffer: memoryview, *, partial: bool = False) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Each batch in turn: its header and the slice of `buffer` that is all of it.

    With `partial`, as in answers to Fetch, the last one may be cut short and is then left out.
    Raises what `read_header` raises, at the batch that is wrong.
    """
    position, end = 0, len(buffer)
    while position < end:
        if partial and _is_cut_short(buffer, position):
            return
        header = read_header(buffer, position)
        yield header, buffer[position : position + header.size]
        position += header.size


def check_crc(header: BatchHeader, batch: Buffer) -> None:
    """Raises CorruptBatchError unless the checksum of the bytes is the one in the header."""
    actual = checksum(batch)
    if actual != header.crc:
        raise CorruptBatchError(f"the checksum is {actual:#010x}, the header says {header.crc:#010x}")


def checksum(batch: Buffer) -> int:
    """The CRC32C of a whole batch, taken from where it begins to count."""
    # The library takes nothing but bytes; a copy of 64 KiB costs 1.5 µs of 5.
    return int(crc32c(bytes(memoryview(batch)[CRC_START:])))


def sealed(header: BatchHeader, payload: bytes = b"") -> bytes:
    """The whole batch of a header, whose length has to be right, and what follows it, with its checksum."""
    batch = bytearray(HEADER.pack(*header) + payload)
    batch[CRC_START - 4 : CRC_START] = checksum(batch).to_bytes(4, "big")
    return bytes(batch)


def empty_batch(first: int, last: int, *, leader_epoch: int, max_timestamp: int) -> bytes:
    """A batch without records, as compaction leaves them, that stands for the offsets from `first` to `last`."""
    return sealed(
        BatchHeader(
            base_offset=first,
            length=HEADER.size - LENGTH_PREFIX,
            leader_epoch=leader_epoch,
            magic=MAGIC,
            crc=0,
            attributes=0,
            last_offset_delta=last - first,
            base_timestamp=-1,
            max_timestamp=max_timestamp,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            record_count=0,
        )
    )


def _is_cut_short(buffer: memoryview, position: int) -> bool:
    available = len(buffer) - position
    if available < LENGTH_PREFIX:
        return True
    length: int = _LENGTH.unpack_from(buffer, position + _LENGTH_AT)[0]
    return length > available - LENGTH_PREFIX
