"""The records inside a batch as compaction needs them: keys, and where each record lies."""

from kconnect.log.protocol.batch import HEADER, BatchHeader
from kconnect.log.protocol.compression import decompress
from kconnect.log.protocol.errors import CorruptBatchError
from kconnect.log.protocol.message import Buffer
from kconnect.log.protocol.records import read_uvarint64

RecordSpan = tuple[int, int, bytes | None, bool, int, int]
"""Offset and timestamp as deltas to the batch's, key, whether there is a value, start and end within the data.

A plain tuple: there are as many as records in the log.
"""


def read_spans(header: BatchHeader, batch: Buffer) -> tuple[bytes, list[RecordSpan]]:
    """(the uncompressed data of a batch, its records); `batch` is all of it.

    The checksum is not looked at. Raises CorruptBatchError for malformed records, ImportError when a package for
    the compression is missing.
    """
    data = decompress(header.compression, bytes(memoryview(batch)[HEADER.size :]))
    try:
        return data, _spans(data, header.record_count)
    except IndexError:
        raise CorruptBatchError("a record is cut short") from None


def _spans(data: bytes, count: int) -> list[RecordSpan]:
    # Hot: numbers of one byte, nearly all of them, are decoded in place; what follows the key is passed over.
    spans: list[RecordSpan] = []
    p = 0
    for _ in range(count):
        start = p
        n = data[p]
        p += 1
        if n > 127:
            n, p = read_uvarint64(data, start)
        end = p + (n >> 1)
        p += 1  # attributes: none is defined
        n = data[p]
        p += 1
        if n > 127:
            n, p = read_uvarint64(data, p - 1)
        timestamp_delta = (n >> 1) ^ -(n & 1)
        n = data[p]
        p += 1
        if n > 127:
            n, p = read_uvarint64(data, p - 1)
        offset_delta = (n >> 1) ^ -(n & 1)
        n = data[p]
        p += 1
        if n > 127:
            n, p = read_uvarint64(data, p - 1)
        if n & 1:
            key = None
        else:
            key_start = p
            p += n >> 1
            key = data[key_start:p]
        if not p < end <= len(data):
            raise CorruptBatchError(f"the record at byte {start} does not end where it says")
        spans.append((offset_delta, timestamp_delta, key, data[p] != 1, start, end))
        p = end
    if p != len(data):
        raise CorruptBatchError(f"{len(data) - p} bytes follow the last record")
    return spans
