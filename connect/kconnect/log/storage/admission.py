"""What a batch must be like to be appended to a topic."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from kconnect.log.errors import RequestError
from kconnect.log.protocol.batch import CRC_START, HEADER, MAGIC, Attribute, BatchHeader, checksum
from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from kconnect.log.topic_config import TopicConfig

_CRC = struct.Struct(">I")
_CRC_AT = CRC_START - 4
_ATTRIBUTES = struct.Struct(">h")
_ATTRIBUTES_AT = 21
_MAX_TIMESTAMP = struct.Struct(">q")
_MAX_TIMESTAMP_AT = 35
_CONTROL = int(Attribute.CONTROL)


class Admission:
    """The rules of one topic, taken out of its config."""

    __slots__ = ("_after_max", "_before_max", "_max_message_bytes", "gives_time")

    def __init__(self, config: TopicConfig) -> None:
        self.gives_time = config.message_timestamp_type == "LogAppendTime"
        self._max_message_bytes = config.max_message_bytes
        self._after_max = config.message_timestamp_after_max_ms
        self._before_max = config.message_timestamp_before_max_ms

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
        if self.gives_time:
            return _stamp(batch, header)
        age = time.time() * 1000 - header.max_timestamp
        if -age > self._after_max or age > self._before_max:
            limit = "message.timestamp.after.max.ms" if age < 0 else "message.timestamp.before.max.ms"
            raise RequestError(
                ErrorCode.INVALID_TIMESTAMP,
                f"timestamp {header.max_timestamp} is {abs(age):.0f} ms off the log's clock, beyond {limit}",
            )
        return header


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
