"""Finding offsets by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kconnect.log.errors import CorruptLogError, RequestError
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.errors import CorruptBatchError
from kconnect.log.protocol.records import Record, read_records

if TYPE_CHECKING:
    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.segment import Segment


class TimedOffset(NamedTuple):
    """An offset and the time of its record, in milliseconds since 1970."""

    timestamp: int
    offset: int


NOTHING = TimedOffset(-1, -1)


def first_at_or_after(partition: Partition, timestamp: int) -> TimedOffset:
    """The first visible record that is not earlier than `timestamp`, or NOTHING.

    Raises RequestError KAFKA_STORAGE_ERROR where the log cannot be read.
    """
    try:
        for segment in partition.segments:
            if segment.max_timestamp >= timestamp:
                found = _search_segment(segment, partition, timestamp)
                if found is not None:
                    return found
    except (OSError, CorruptLogError, CorruptBatchError) as e:
        raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, str(e)) from e
    return NOTHING


def _search_segment(segment: Segment, partition: Partition, timestamp: int) -> TimedOffset | None:
    span = segment.locate(segment.time_index.floor(timestamp))
    if span is None:
        return None
    for position, header in segment.walk(span.position):
        if header.base_offset >= partition.high_watermark:
            return None
        if header.max_timestamp < timestamp or header.last_offset < partition.log_start_offset:
            continue
        for record in _records(segment, position, header):
            if record.timestamp >= timestamp and record.offset >= partition.log_start_offset:
                return TimedOffset(record.timestamp, record.offset)
    return None


def latest_record(partition: Partition) -> TimedOffset:
    """The visible record with the largest timestamp, or NOTHING. Raises as `first_at_or_after`."""
    largest = max((segment.max_timestamp for segment in partition.segments), default=-1)
    return first_at_or_after(partition, largest) if largest >= 0 else NOTHING


def _records(segment: Segment, position: int, header: BatchHeader) -> list[Record]:
    return read_records(header, segment.read(position, header.size))
