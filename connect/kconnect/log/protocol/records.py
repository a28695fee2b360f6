"""The records inside a batch of format v2: reading them, and building batches of them."""

from collections.abc import Sequence
from struct import error as StructError  # noqa: N812 - the name says nothing by itself

import msgspec

from kconnect.log.protocol.batch import (
    CRC_START,
    HEADER,
    LENGTH_PREFIX,
    MAGIC,
    Attribute,
    BatchHeader,
    Compression,
    checksum,
)
from kconnect.log.protocol.compression import compress, decompress
from kconnect.log.protocol.errors import CorruptBatchError, ProtocolError
from kconnect.log.protocol.message import Buffer

_LEAST_RECORD = 7
"""Bytes of a record without key, value and headers, its length included."""


class Record(msgspec.Struct, gc=False):
    """A record; `timestamp` is milliseconds since 1970, -1 for none."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def read_records(header: BatchHeader, batch: Buffer) -> list[Record]:
    """The records of a batch, in the order of their offsets; `batch` is all of it, as `batches` yields it.

    The checksum is not looked at. Raises CorruptBatchError for malformed records, ImportError when a package for
    its compression is missing.
    """
    data = decompress(header.compression, bytes(memoryview(batch)[HEADER.size :]))
    if header.record_count > len(data) // _LEAST_RECORD:
        raise CorruptBatchError(f"{header.record_count} records cannot be in {len(data)} bytes")
    try:
        return _records(header, data)
    except IndexError:
        raise CorruptBatchError("a record is cut short") from None
    except UnicodeDecodeError as error:
        raise CorruptBatchError(f"the name of a record's header is not UTF-8: {error}") from None


def _records(header: BatchHeader, data: bytes) -> list[Record]:
    # Hot in compaction: numbers of one byte, nearly all of them, are decoded in place.
    records: list[Record] = []
    base_offset, base_timestamp = header.base_offset, header.base_timestamp
    append_time = header.max_timestamp if header.attributes & Attribute.LOG_APPEND_TIME else None
    p = 0
    for _ in range(header.record_count):
        n = data[p]
        p += 1
        if n > 127:
            n, p = read_uvarint64(data, p - 1)
        end = p + ((n >> 1) ^ -(n & 1))
        p += 1  # attributes: none is defined
        n = data[p]
        p += 1
        if n > 127:
            n, p = read_uvarint64(data, p - 1)
        timestamp = base_timestamp + ((n >> 1) ^ -(n & 1))
        n = data[p]
        p += 1
        if n > 127:
            n, p = read_uvarint64(data, p - 1)
        offset = base_offset + ((n >> 1) ^ -(n & 1))
        key, p = _sized(data, p)
        value, p = _sized(data, p)
        n = data[p]
        p += 1
        headers: Sequence[tuple[str, bytes | None]] = ()
        if n:
            headers, p = _headers(data, p - 1)
        if p != end or p > len(data):
            raise CorruptBatchError(f"the record at offset {offset} does not end where it says")
        records.append(Record(offset, timestamp if append_time is None else append_time, key, value, headers))
    if p != len(data):
        raise CorruptBatchError(f"{len(data) - p} bytes follow the last record")
    return records


def _sized(data: bytes, p: int) -> tuple[bytes | None, int]:
    n = data[p]
    p += 1
    if n > 127:
        n, p = read_uvarint64(data, p - 1)
    length = (n >> 1) ^ -(n & 1)
    if length >= 0:
        return data[p : p + length], p + length
    if length == -1:
        return None, p
    raise CorruptBatchError(f"a key or value claims a length of {length}")


def _headers(data: bytes, p: int) -> tuple[list[tuple[str, bytes | None]], int]:
    n, p = read_uvarint64(data, p)
    count = (n >> 1) ^ -(n & 1)
    if not 0 <= count <= len(data) - p:
        raise CorruptBatchError(f"a record claims {count} headers")
    headers = []
    for _ in range(count):
        name, p = _sized(data, p)
        if name is None:
            raise CorruptBatchError("a record's header has no name")
        value, p = _sized(data, p)
        headers.append((name.decode(), value))
    return headers, p


def read_uvarint64(data: bytes, p: int) -> tuple[int, int]:
    """An unsigned number of up to 64 bits and the position after it; raises CorruptBatchError, IndexError."""
    value = shift = 0
    while shift < 70:
        byte = data[p]
        p += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, p
        shift += 7
    raise CorruptBatchError("a number of variable length has more than 64 bits")


def build_batch(
    records: Sequence[Record],
    *,
    base_offset: int | None = None,
    last_offset: int | None = None,
    compression: Compression = Compression.NONE,
    attributes: int = 0,
    leader_epoch: int = -1,
    base_timestamp: int | None = None,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
) -> bytearray:
    """A batch of records whose offsets rise, with its checksum.

    `base_offset`, `last_offset` and `base_timestamp` are those of the first and last record unless given: a
    compacted batch keeps its bounds, and may be empty. Raises ProtocolError when the offsets do not fit the
    bounds or a value the format, ImportError when a package for the compression is missing.
    """
    if base_timestamp is None:
        base_timestamp = records[0].timestamp if records else -1
    first, last = _bounds(records, base_offset, last_offset)
    body = bytearray()
    for record in records:
        _write_record(body, record, first, base_timestamp)
    if not records:
        compression = Compression.NONE
    payload: Buffer = body if compression is Compression.NONE else compress(compression, bytes(body))
    header = BatchHeader(
        base_offset=first,
        length=HEADER.size + len(payload) - LENGTH_PREFIX,
        leader_epoch=leader_epoch,
        magic=MAGIC,
        crc=0,
        attributes=attributes | compression,
        last_offset_delta=last - first,
        base_timestamp=base_timestamp,
        max_timestamp=max((record.timestamp for record in records), default=-1),
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        record_count=len(records),
    )
    try:
        batch = bytearray(HEADER.pack(*header))
    except StructError as error:
        raise ProtocolError(f"no batch can be built: a value does not fit: {error}") from None
    batch += payload
    batch[CRC_START - 4 : CRC_START] = checksum(batch).to_bytes(4, "big")
    return batch


def _bounds(records: Sequence[Record], first: int | None, last: int | None) -> tuple[int, int]:
    """The first and last offset of a batch, checked against those of its records."""
    if first is None:
        if not records:
            raise ProtocolError("no batch can be built: an empty one needs a base offset")
        first = records[0].offset
    if last is None:
        last = records[-1].offset if records else first
    previous = first - 1
    for record in records:
        if not previous < record.offset <= last:
            raise ProtocolError(
                f"no batch can be built: offset {record.offset} after {previous}, where {last} is the last"
            )
        previous = record.offset
    return first, last


def _write_record(out: bytearray, record: Record, base_offset: int, base_timestamp: int) -> None:
    body = bytearray(1)
    _write_varint(body, record.timestamp - base_timestamp)
    _write_varint(body, record.offset - base_offset)
    _write_sized(body, record.key)
    _write_sized(body, record.value)
    _write_varint(body, len(record.headers))
    for name, value in record.headers:
        _write_sized(body, name.encode())
        _write_sized(body, value)
    _write_varint(out, len(body))
    out += body


def _write_sized(out: bytearray, value: bytes | None) -> None:
    if value is None:
        out.append(1)
    else:
        _write_varint(out, len(value))
        out += value


def _write_varint(out: bytearray, value: int) -> None:
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
