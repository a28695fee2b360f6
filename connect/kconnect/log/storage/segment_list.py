"""The segments of one partition, oldest first: which one is appended to, which one has an offset, which ones go."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from kconnect.log.protocol.batch import HEADER
from kconnect.log.storage import retention, segment_files
from kconnect.log.storage.segment import MAX_SEGMENT_BYTES, Segment, Span
from kconnect.log.storage.transaction_index import aborted_between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.storage.compaction.job import CleanedSegment
    from kconnect.log.storage.transaction_index import AbortedTransaction
    from kconnect.log.topic_config import TopicConfig

_MAX_RELATIVE_OFFSET = 0x7FFFFFFF


class SegmentList(Sequence[Segment]):
    """A sequence of segments that follow each other, the last of which is the active one; empty until `hold`.

    It knows of files and positions; what may be appended, and what may be seen, the partition knows. `before_roll` is
    called when the active segment is about to be sealed; its OSError keeps that from happening. Belongs to the thread
    of the loop. Methods raise OSError where the disk fails, and CorruptLogError where a segment is damaged.
    """

    __slots__ = ("_before_roll", "_config", "_folder", "_retired", "_segment_bytes", "_segments")

    _config: TopicConfig
    _segment_bytes: int

    def __init__(self, folder: Path, *, before_roll: Callable[[], None]) -> None:
        self._folder = folder
        self._before_roll = before_roll
        self._segments: list[Segment] = []
        self._retired: list[tuple[float, int]] = []

    def hold(self, segments: Iterable[Segment]) -> None:
        """Take over the open segments of the partition, at least one; `configure` has been called."""
        self._segments = list(segments)
        self._configure_active()

    def configure(self, config: TopicConfig) -> None:
        """Let a changed topic config hold from now on."""
        self._config = config
        self._segment_bytes = min(config.segment_bytes, MAX_SEGMENT_BYTES)
        if self._segments:
            self._configure_active()

    def _configure_active(self) -> None:
        segment = self._segments[-1]
        segment.max_index_bytes = self._config.segment_index_bytes
        if segment.size and segment.first_timestamp >= 0:
            segment.roll_at = segment.first_timestamp + retention.rolling_age(segment, self._config)

    def __len__(self) -> int:
        return len(self._segments)

    @overload
    def __getitem__(self, number: int) -> Segment: ...
    @overload
    def __getitem__(self, number: slice) -> list[Segment]: ...
    def __getitem__(self, number: int | slice) -> Segment | list[Segment]:
        return self._segments[number]

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    @property
    def active(self) -> Segment:
        """The one that is appended to."""
        return self._segments[-1]

    def number_of(self, offset: int) -> int:
        """The place of the last segment that begins at or before `offset`, 0 where all begin behind it."""
        segments = self._segments
        number = len(segments) - 1
        while number > 0 and segments[number].base_offset > offset:
            number -= 1
        return number

    # Appending: the hot path of produce.

    def append_batch(self, batch: memoryview, header: BatchHeader, last_offset: int) -> None:
        """Write a batch at the end, in a new segment where the active one is full or old. On OSError it is not there.

        `last_offset` is the one of its last record.
        """
        segment = self._segments[-1]
        if segment.size and (
            segment.size + len(batch) > self._segment_bytes
            or last_offset - segment.base_offset > _MAX_RELATIVE_OFFSET
            or header.max_timestamp > segment.roll_at
            or segment.is_index_full
        ):
            segment = self.roll(last_offset - header.last_offset_delta)
        if not segment.size:
            segment.begin(header.max_timestamp, age_ms=retention.rolling_age(segment, self._config))
        segment.append(batch, last_offset, header.max_timestamp)

    def roll(self, base_offset: int) -> Segment:
        """Seal the active segment and begin one at `base_offset`. On OSError the old one stays active."""
        self._segments[-1].flush_indexes()
        self._before_roll()
        segment = Segment.create(self._folder, base_offset, index_interval=self._config.index_interval_bytes)
        self._segments.append(segment)
        self._configure_active()
        return segment

    # Reading: the hot path of fetch.

    def read(self, offset: int, max_bytes: int, limit: int | None, *, at_least_one: bool) -> bytes:
        """Batches of one segment from the one that has `offset`, the last one perhaps cut, all before offset `limit`.

        Empty where nothing is there, or the first batch is larger than `max_bytes`, unless `at_least_one` wants it
        all the same.
        """
        found = self._find(offset, limit)
        if found is None:
            return b""
        number, span = found
        segment = self._segments[number]
        end = segment.size
        if limit is not None:
            hidden = segment.locate(limit)
            end = hidden.position if hidden else end
        size = min(max_bytes, end - span.position)
        if size < span.size:
            if not at_least_one or span.position >= end:
                return b""
            size = span.size
        return segment.read(span.position, size)

    def _find(self, offset: int, limit: int | None) -> tuple[int, Span] | None:
        """(number of the segment, where in it) of the batch that has `offset`, or of the first one behind it."""
        segments = self._segments
        number = self.number_of(offset)
        span = segments[number].locate(offset)
        while span is None:
            number += 1
            if number == len(segments):
                return None
            span = segments[number].locate(offset)
        return self._skip_empty(number, span, limit) if span.size == HEADER.size else (number, span)

    def _skip_empty(self, number: int, empty: Span, limit: int | None) -> tuple[int, Span]:
        """The first batch with records behind an `empty` one, before `limit`, or else the last empty one.

        Readers that are given nothing but empty batches take them for records larger than they asked for, and some
        give up after several such answers.
        """
        found = number, empty
        start = empty.position
        for later in range(number, len(self._segments)):
            for position, header in self._segments[later].walk(start):
                if limit is not None and header.base_offset >= limit:
                    return found
                found = later, Span(position, header.size)
                if header.record_count:
                    return found
            start = 0
        return found

    def aborted_within(self, offset: int, size: int, limit: int) -> list[AbortedTransaction]:
        """The aborted transactions that may have data in the `size` bytes read from `offset` on, before `limit`."""
        segments = self._segments[self.number_of(offset) :]
        if not any(len(segment.transaction_index) for segment in segments):
            return []
        found = self._find(offset, limit)
        if found is not None:
            number, span = found
            limit = min(limit, self._segments[number].offset_index.ceiling(span.position + size) or limit)
        return aborted_between((segment.transaction_index for segment in segments), offset, limit)

    def open_to_sync(self, offset: int) -> list[int]:
        """Duplicated descriptors of all that has to be synced so that what was written from `offset` on is safe.

        They are the caller's to close.
        """
        descriptors: list[int] = []
        try:
            for segment in self._segments[self.number_of(offset) :]:
                descriptors.append(os.dup(segment.fd))
                index = segment.transaction_index.open_unsynced()
                if index is not None:
                    descriptors.append(index)
            descriptors.append(os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            for fd in descriptors:
                os.close(fd)
            raise
        return descriptors

    # What becomes of old segments.

    def is_due_to_roll(self, now: int) -> bool:
        """Whether the active segment is old at `now`, in milliseconds since 1970."""
        return retention.is_due_to_roll(self._segments[-1], self._config, now)

    def count_expired(self, now: int) -> int:
        """How many of the oldest retention lets go at `now`, in milliseconds since 1970; perhaps all."""
        return retention.expired_segments(self._segments, self._config, now)

    def retire(self, count: int) -> None:
        """Let the `count` oldest go, but never the active one: they are renamed, to be removed later."""
        for _ in range(count):
            segment = self._segments.pop(0)  # first: its files are closed even where they cannot be renamed
            segment.retire()
            self._remove_later(segment)

    def replace(self, cleaned: Iterable[CleanedSegment]) -> bool:
        """Let compacted segments, oldest first, stand in place of what they were made of.

        False where something of that has gone meanwhile: then no more is replaced.
        """
        for new in cleaned:
            bases = [segment.base_offset for segment in self._segments[:-1]]
            first = bisect_left(bases, new.base_offset)
            end = first + len(new.replaces)
            if bases[first:end] != new.replaces:
                return False
            segment_files.replace(self._folder, new.replaces, new.base_offset)
            segment = Segment(
                self._folder, new.base_offset, index_interval=self._config.index_interval_bytes, create=False
            )
            segment.transaction_index.load()
            for old in self._segments[first:end]:
                old.close()
                self._remove_later(old)
            self._segments[first:end] = [segment]
        return True

    def _remove_later(self, segment: Segment) -> None:
        self._retired.append((time.monotonic() + self._config.file_delete_delay_ms / 1000, segment.base_offset))

    def take_retired(self) -> list[int]:
        """The base offsets of segments, renamed to be deleted, whose `file.delete.delay.ms` is over; once each."""
        now = time.monotonic()
        due = [base_offset for time_, base_offset in self._retired if time_ <= now]
        self._retired = [entry for entry in self._retired if entry[0] > now]
        return due

    def close(self) -> None:
        """Give all files back as they are; the list is empty then. May be called twice."""
        for segment in self._segments:
            segment.close()
        self._segments = []
