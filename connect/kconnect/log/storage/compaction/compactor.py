"""Compacting the sealed segments of one partition: segments in, fewer and smaller segments beside them out."""

from __future__ import annotations

import contextlib
from pathlib import Path

from kconnect.log.protocol.batch import HEADER, BatchHeader
from kconnect.log.protocol.record_spans import read_spans
from kconnect.log.storage import segment_files
from kconnect.log.storage.compaction.batch_filter import BatchFilter
from kconnect.log.storage.compaction.job import CleanedSegment, CompactionJob, CompactionResult
from kconnect.log.storage.compaction.offset_map import OffsetMap
from kconnect.log.storage.compaction.transactions import TransactionTrail
from kconnect.log.storage.segment import MAX_SEGMENT_BYTES, Segment

_WRITE_CHUNK = 1 << 20
_MAX_RELATIVE_OFFSET = 0x7FFFFFFF


def compact(job: CompactionJob) -> CompactionResult:
    """Write what stays of the job's segments; they themselves are left as they are.

    What it returns is synced. Raises OSError, CorruptLogError, CorruptBatchError, ImportError (a package for some
    compression is missing), having removed what it wrote.
    """
    folder = Path(job.folder)
    with contextlib.ExitStack() as stack:
        segments = []
        for base_offset in job.segments:
            segment = Segment(folder, base_offset, index_interval=job.index_interval_bytes, create=False)
            stack.callback(segment.close)
            segments.append(segment)
        offsets = map_offsets(job, segments)
        batch_filter = BatchFilter(job, offsets, TransactionTrail(job.aborted))
        written: list[CleanedSegment] = []
        bytes_before = bytes_after = 0
        try:
            ends = dict(zip(job.segments, [*job.segments[1:], job.end_offset], strict=True))
            for group in group_segments(segments, job, offsets.end_offset):
                batch_filter.end_offset = ends[group[-1].base_offset]
                written.append(
                    CleanedSegment(base_offset=group[0].base_offset, replaces=[source.base_offset for source in group])
                )
                bytes_after += _write_cleaned(group, batch_filter, job)
                bytes_before += sum(source.size for source in group)
        except BaseException:
            for cleaned in written:
                segment_files.remove(folder, cleaned.base_offset, segment_files.CLEANED)
            raise
    return CompactionResult(
        segments=written,
        first_dirty_offset=offsets.end_offset,
        bytes_before=bytes_before,
        bytes_after=bytes_after,
    )


def map_offsets(job: CompactionJob, segments: list[Segment]) -> OffsetMap:
    """The last offset of every key from the job's first dirty offset on, as far as the memory goes."""
    offsets = OffsetMap(job.map_bytes)
    offsets.end_offset = first = job.first_dirty_offset
    trail = TransactionTrail(transaction for transaction in job.aborted if transaction.last_offset >= first)
    ends = [*job.segments[1:], job.end_offset]
    for segment, end in zip(segments, ends, strict=True):
        if end <= first:
            continue
        start = segment.offset_index.floor(first)
        for _, header, batch in segment.scan(start):
            if header.is_control:
                trail.meets_marker(header, batch)
            elif not trail.meets_aborted_data(header) and header.last_offset >= first:
                for offset_delta, _, key, *_ in read_spans(header, batch)[1]:
                    offset = header.base_offset + offset_delta
                    if key is not None and offset >= first:
                        if offsets.is_full:
                            offsets.end_offset = max(offsets.end_offset, offset)
                            return offsets
                        offsets.put(key, offset)
            offsets.end_offset = max(offsets.end_offset, header.last_offset + 1)
        offsets.end_offset = end
    return offsets


def group_segments(segments: list[Segment], job: CompactionJob, end_offset: int) -> list[list[Segment]]:
    """Neighbours, before `end_offset`, that fit into one segment together."""
    groups: list[list[Segment]] = []
    size = 0
    ends = [*job.segments[1:], job.end_offset]
    for segment, end in zip(segments, ends, strict=True):
        if segment.base_offset >= end_offset:
            break
        if (
            groups
            and size + segment.size <= min(job.segment_bytes, MAX_SEGMENT_BYTES)
            and end - 1 - groups[-1][0].base_offset <= _MAX_RELATIVE_OFFSET
        ):
            groups[-1].append(segment)
            size += segment.size
        else:
            groups.append([segment])
            size = segment.size
    return groups


def _write_cleaned(group: list[Segment], batch_filter: BatchFilter, job: CompactionJob) -> int:
    """Write the segment that stands for `group`, synced; returns its size."""
    base_offset = group[0].base_offset
    segment_files.remove(Path(job.folder), base_offset, segment_files.CLEANED)
    cleaned = Segment.create(
        Path(job.folder), base_offset, index_interval=job.index_interval_bytes, suffix=segment_files.CLEANED
    )
    try:
        batch_filter.aborted_left = []
        pending: list[bytes] = []
        pending_size = 0
        for source in group:
            for _, header, batch in source.scan(0):
                stays = batch_filter.apply(header, batch)
                if stays is None:
                    continue
                pending.append(stays)
                pending_size += len(stays)
                if pending_size >= _WRITE_CHUNK:
                    _append(cleaned, pending)
                    pending, pending_size = [], 0
        _append(cleaned, pending)
        cleaned.transaction_index.replace(batch_filter.aborted_left)
        cleaned.flush_indexes()
        cleaned.sync()
        return cleaned.size
    finally:
        cleaned.close()


def _append(segment: Segment, batches: list[bytes]) -> None:
    position = segment.size
    segment.write(b"".join(batches))
    for batch in batches:
        header = BatchHeader._make(HEADER.unpack_from(batch))
        segment.note(position, len(batch), header.last_offset, header.max_timestamp)
        position += len(batch)
