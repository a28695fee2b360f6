"""What a batch must be like to be appended to a topic."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from kconnect.log.errors import RecordsRefusedError, RequestError
from kconnect.log.protocol.batch import CRC_START, HEADER, MAGIC, Attribute, BatchHeader, checksum
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.errors import CorruptBatchError
from kconnect.log.protocol.record_spans import read_spans

if TYPE_CHECKING:
    from kconnect.log.topic_config import TopicConfig

_CRC = struct.Struct(">I")
_CRC_AT = CRC_START - 4
_ATTRIBUTES = struct.Struct(">h")
_ATTRIBUTES_AT = 21
_MAX_TIMESTAMP = struct.Struct(">q")
_MAX_TIMESTAMP_AT = 35
_CONTROL = int(Attribute.CONTROL)
_NO_TIMESTAMP = -1
_NEVER = 0x7FFFFFFFFFFFFFFF


class Admission:
    """The rules of one topic, taken out of its config."""

    __slots__ = ("_after_max", "_before_max", "_looks_inside", "_max_message_bytes", "_needs_keys", "gives_time")

    def __init__(self, config: TopicConfig) -> None:
        self.gives_time = config.message_timestamp_type == "LogAppendTime"
        self._max_message_bytes = config.max_message_bytes
        self._after_max = config.message_timestamp_after_max_ms
        self._before_max = config.message_timestamp_before_max_ms
        self._needs_keys = "compact" in config.cleanup_policy
        # A header tells of the latest time alone; all other rules about single records cost decoding them.
        self._looks_inside = self._needs_keys or (self._before_max != _NEVER and not self.gives_time)

    def check(self, batch: memoryview) -> BatchHeader:
        """The header of exactly one sound batch. Raises RequestError with Kafka's code for what is wrong.

        Where the topic's records have the time of their appending (`gives_time`), the batch is given it, in place.
        """
        size = len(batch)
        if size < HEADER.size:
            raise RequestError(ErrorCode.CORRUPT_MESSAGE, f"{size} bytes cannot be a record batch")
        header = BatchHeader._make(HEADER.unpack_from(batch))
        if header.magic != MAGIC:
            raise RequestError(
                ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT, f"record format v{header.magic} is not supported"
            )
        if (
            header.size != size
            or header.record_count != header.last_offset_delta + 1
            or header.record_count < 1
            or header.attributes & _CONTROL
        ):
            raise _malformed(header, size)
        if size > self._max_message_bytes:
            raise RequestError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"a batch of {size} bytes exceeds max.message.bytes={self._max_message_bytes}",
            )
        if checksum(batch) != header.crc:
            raise RequestError(ErrorCode.CORRUPT_MESSAGE, "the checksum of the batch is wrong")
        if self._looks_inside:
            self._check_records(batch, header)
        if self.gives_time:
            return _stamp(batch, header)
        if header.max_timestamp != _NO_TIMESTAMP:
            ahead = header.max_timestamp - time.time() * 1000
            if ahead > self._after_max:
                raise RequestError(
                    ErrorCode.INVALID_TIMESTAMP,
                    f"timestamp {header.max_timestamp} is {ahead:.0f} ms ahead of the log's clock, beyond "
                    f"message.timestamp.after.max.ms={self._after_max}",
                )
        return header

    def _check_records(self, batch: memoryview, header: BatchHeader) -> None:
        try:
            _, spans = read_spans(header, batch)
        except CorruptBatchError as e:
            raise RequestError(ErrorCode.INVALID_RECORD, str(e)) from e
        except ImportError as e:
            raise RequestError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, str(e)) from e
        if self._needs_keys:
            keyless = [number for number, span in enumerate(spans) if span[2] is None]
            if keyless:
                raise RecordsRefusedError(
                    ErrorCode.INVALID_RECORD, "a record without a key cannot be in a compacted topic", keyless
                )
        if self._before_max == _NEVER or self.gives_time:
            return
        earliest = time.time() * 1000 - self._before_max
        late = [
            number for number, span in enumerate(spans) if _NO_TIMESTAMP != header.base_timestamp + span[1] < earliest
        ]
        if late:
            raise RecordsRefusedError(
                ErrorCode.INVALID_TIMESTAMP,
                "a record's timestamp is further behind the log's clock than "
                f"message.timestamp.before.max.ms={self._before_max}",
                late,
            )


def _malformed(header: BatchHeader, size: int) -> RequestError:
    if header.size > size:
        return RequestError(ErrorCode.CORRUPT_MESSAGE, f"a batch of {header.size} bytes comes in {size}")
    if header.size < size:
        return RequestError(ErrorCode.INVALID_RECORD, "more than one batch comes for a partition")
    if header.attributes & _CONTROL:
        return RequestError(ErrorCode.INVALID_RECORD, "clients do not write control batches")
    return RequestError(ErrorCode.INVALID_RECORD, "the batch has no records, or its offsets are not consecutive")


def _stamp(batch: memoryview, header: BatchHeader) -> BatchHeader:
    now = time.time_ns() // 1_000_000
    attributes = header.attributes | Attribute.LOG_APPEND_TIME
    _ATTRIBUTES.pack_into(batch, _ATTRIBUTES_AT, attributes)
    _MAX_TIMESTAMP.pack_into(batch, _MAX_TIMESTAMP_AT, now)
    crc = checksum(batch)
    _CRC.pack_into(batch, _CRC_AT, crc)
    return header._replace(attributes=attributes, max_timestamp=now, crc=crc)
