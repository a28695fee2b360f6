"""One partition: its segments, its offsets, and what appends and reads mean."""

from __future__ import annotations

import logging
import os
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kconnect.log.errors import CorruptLogError, RequestError
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.storage import retention
from kconnect.log.storage.admission import Admission
from kconnect.log.storage.checkpoint import LeaderEpochs
from kconnect.log.storage.producer_state import ProducerStates, drop_snapshots, write_snapshot
from kconnect.log.storage.recovery import recover
from kconnect.log.storage.segment import MAX_SEGMENT_BYTES, Segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.topic_config import TopicConfig

_LOG = logging.getLogger(__name__)

_INT64 = struct.Struct(">q")
_INT32 = struct.Struct(">i")
_BASE_OFFSET_AT, _LEADER_EPOCH_AT = 0, 12
_MAX_RELATIVE_OFFSET = 0x7FFFFFFF
_KEPT_SNAPSHOTS = 2
_NEVER = 0x7FFFFFFFFFFFFFFF
_TELL_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SyncTicket:
    """What has to be synced so that everything before `offset` survives a power loss.

    The descriptors are duplicates and belong to whoever holds the ticket.
    """

    partition: Partition
    offset: int
    descriptors: list[int]


class Partition:
    """The log of one partition. Belongs to the thread of the loop; the syncing itself happens elsewhere.

    `log_end_offset` is the next one to be given out, `high_watermark` the first one that consumers do not
    see yet: they differ only while a sync is awaited. `appended_bytes` counts since the opening. A partition
    whose files are damaged, or can no longer be synced, is *offline*: `offline` says why, and every append and
    read of it raises RequestError with KAFKA_STORAGE_ERROR.
    """

    __slots__ = (
        "_admission",
        "_awaits_sync",
        "_flush_messages",
        "_on_dirty",
        "_segment_bytes",
        "_snapshot_offset",
        "_told_full_at",
        "appended_bytes",
        "config",
        "dirty",
        "epochs",
        "folder",
        "high_watermark",
        "index",
        "leader_epoch",
        "log_end_offset",
        "log_start_offset",
        "offline",
        "producers",
        "recovery_point",
        "segments",
        "topic",
        "watchers",
    )

    def __init__(
        self, topic: str, index: int, folder: Path, config: TopicConfig, on_dirty: Callable[[Partition], None]
    ) -> None:
        self.topic = topic
        self.index = index
        self.folder = folder
        self.segments: list[Segment] = []
        self.producers = ProducerStates()
        self.log_start_offset = self.log_end_offset = self.high_watermark = self.recovery_point = 0
        self.epochs = LeaderEpochs(folder)
        self.leader_epoch = max(0, self.epochs.latest)
        self.offline: str | None = None
        self.dirty = self._awaits_sync = False
        self.appended_bytes = 0
        self._snapshot_offset = 0
        self._told_full_at = -_TELL_AGAIN_SECONDS
        self.watchers: set[Callable[[], None]] = set()
        self._on_dirty = on_dirty
        self.configure(config)

    def open(self, *, recovery_point: int, log_start_offset: int, clean: bool) -> int:
        """Recover the files; returns how many bytes of a torn end were cut. Raises OSError.

        Damage below the recovery point puts the partition offline. After a crash (`clean` is false) a new
        leader epoch begins.
        """
        self.recovery_point, self.log_start_offset = recovery_point, log_start_offset
        try:
            recovered = recover(
                self.folder,
                recovery_point=recovery_point,
                log_start_offset=log_start_offset,
                index_interval=self.config.index_interval_bytes,
            )
        except CorruptLogError as e:
            self.take_offline(
                f"{e}. The partition {self.folder.name} stays offline: restore the file from a backup, or stop the "
                f"broker and give up what is damaged by `python -m kconnect.log.repair "
                f"--data {self.folder.parent} {self.folder.name}`"
            )
            return 0
        self.segments, self.producers = recovered.segments, recovered.producers
        self.log_start_offset = max(log_start_offset, self.segments[0].base_offset)
        self.log_end_offset = self.high_watermark = recovered.log_end_offset
        if self.epochs.latest < 0 or not clean:
            self.leader_epoch = self.epochs.latest + 1
            self._begin_epoch()
        if self.log_end_offset > recovery_point:
            self._mark_dirty()
        return recovered.cut_bytes

    def _begin_epoch(self) -> None:
        try:
            self.epochs.assign(self.leader_epoch, self.log_end_offset)
        except OSError as e:
            # On a full disk the broker must come up: only then can anything be deleted.
            _LOG.warning("%s: leader epoch %d cannot be written down: %s", self.folder, self.leader_epoch, e.strerror)

    def configure(self, config: TopicConfig) -> None:
        """Let a changed topic config hold from now on."""
        self.config = config
        self._admission = Admission(config)
        self._segment_bytes = min(config.segment_bytes, MAX_SEGMENT_BYTES)
        self._flush_messages = config.flush_messages

    def take_offline(self, reason: str) -> None:
        """Refuse everything from now on, with `reason`."""
        self.offline = self.offline or reason

    def _refuse_offline(self) -> None:
        if self.offline is not None:
            raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, self.offline)

    # Appending: the hot path of produce.

    def append(self, batch: memoryview) -> tuple[int, int]:
        """Append exactly one batch as a client sent it, patched in place.

        Returns its base offset, and the log's own time for it (-1 unless the topic asks for it). The batch of a
        repetition is not appended, and its first offset returned. Where the topic asks for
        syncs, `high_watermark` stays behind `log_end_offset` until the sync is done. Raises RequestError;
        nothing of the batch is in the log then.
        """
        if self.offline is not None:
            self._refuse_offline()
        size = len(batch)
        header = self._admission.check(batch)
        if header.producer_id >= 0:
            repeated = self.producers.check(
                header.producer_id, header.producer_epoch, header.base_sequence, header.record_count
            )
            if repeated is not None:
                return repeated.base_offset, -1
        base_offset = self.log_end_offset
        last_offset = base_offset + header.last_offset_delta
        _INT64.pack_into(batch, _BASE_OFFSET_AT, base_offset)
        _INT32.pack_into(batch, _LEADER_EPOCH_AT, self.leader_epoch)
        try:
            segment = self.segments[-1]
            if segment.size and (
                segment.size + size > self._segment_bytes or last_offset - segment.base_offset > _MAX_RELATIVE_OFFSET
            ):
                segment = self.roll()
            segment.append(batch, last_offset, header.max_timestamp)
        except OSError as e:
            raise self._unwritable(e) from e
        self._appended(header, base_offset, last_offset, size)
        return base_offset, header.max_timestamp if self._admission.gives_time else -1

    def _unwritable(self, error: OSError) -> RequestError:
        """Clients try again without a word, so the log says it as well."""
        told = f"{self.folder} cannot be written: {error.strerror}; make room on its disk"
        if time.monotonic() - self._told_full_at >= _TELL_AGAIN_SECONDS:
            self._told_full_at = time.monotonic()
            _LOG.error("%s", told)
        return RequestError(ErrorCode.KAFKA_STORAGE_ERROR, told)

    def _appended(self, header: BatchHeader, base_offset: int, last_offset: int, size: int) -> None:
        self.log_end_offset = last_offset + 1
        if header.producer_id >= 0:
            self.producers.appended(
                header.producer_id,
                header.producer_epoch,
                header.base_sequence,
                base_offset,
                last_offset,
                header.max_timestamp,
            )
        self.appended_bytes += size
        if not self.dirty:
            self._mark_dirty()
        if self._awaits_sync or last_offset - self.recovery_point >= self._flush_messages - 1:
            self._awaits_sync = True
        else:
            self.high_watermark = last_offset + 1

    def roll(self) -> Segment:
        """Seal the active segment and begin a new one. Raises OSError; the old one stays active then."""
        self.segments[-1].flush_indexes()
        self._write_snapshot()
        segment = Segment.create(self.folder, self.log_end_offset, index_interval=self.config.index_interval_bytes)
        self.segments.append(segment)
        return segment

    # Reading: the hot path of fetch.

    def read(self, offset: int, max_bytes: int, *, at_least_one: bool) -> bytes:
        """Whole or cut batches from the one that has `offset`, below the high watermark, from one segment.

        Empty where nothing fits or nothing is there; with `at_least_one` the first batch is given even if it
        is larger than `max_bytes`. Raises RequestError: OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE where the
        segment is damaged, KAFKA_STORAGE_ERROR where the disk fails.
        """
        self._refuse_offline()
        high_watermark = self.high_watermark
        if offset == high_watermark:
            return b""
        if offset > self.log_end_offset or offset < self.log_start_offset:
            raise RequestError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"offset {offset} is outside of {self.log_start_offset}..{self.log_end_offset}",
            )
        try:
            return self._read(offset, max_bytes, high_watermark, at_least_one=at_least_one)
        except OSError as e:
            raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, f"{self.folder} cannot be read: {e.strerror}") from e
        except CorruptLogError as e:
            _LOG.error("%s", e)
            raise RequestError(ErrorCode.CORRUPT_MESSAGE, str(e)) from e

    def _read(self, offset: int, max_bytes: int, high_watermark: int, *, at_least_one: bool) -> bytes:
        segments = self.segments
        number = self.segment_number(offset)
        segment = segments[number]
        span = segment.locate(offset)
        while span is None:
            number += 1
            if number == len(segments):
                return b""
            segment = segments[number]
            span = segment.locate(offset)
        end = segment.size
        if high_watermark < self.log_end_offset:
            hidden = segment.locate(high_watermark)
            end = hidden.position if hidden else end
        size = min(max_bytes, end - span.position)
        if size < span.size:
            if not at_least_one or span.position >= end:
                return b""
            size = span.size
        return segment.read(span.position, size)

    def segment_number(self, offset: int) -> int:
        """The place in `segments` of the last one that begins at or before `offset`."""
        number = len(self.segments) - 1
        while number > 0 and self.segments[number].base_offset > offset:
            number -= 1
        return number

    # Syncing.

    def _mark_dirty(self) -> None:
        self.dirty = True
        self._on_dirty(self)

    def save_helpers(self) -> None:
        """Bring indexes and producer snapshot up to date, so that recovery need not read far back.

        Nothing depends on them: where the disk is full they stay as they are.
        """
        if self.offline is None:
            try:
                self.segments[-1].flush_indexes()
                self._write_snapshot()
            except OSError as e:
                _LOG.warning("%s: indexes and producers cannot be written down for now: %s", self.folder, e.strerror)

    def _write_snapshot(self) -> None:
        # Without any producers too: what is not in a snapshot is looked for in all of the log.
        if self._snapshot_offset != self.log_end_offset:
            write_snapshot(self.folder, self.log_end_offset, self.producers.snapshot())
            drop_snapshots(self.folder, keep=_KEPT_SNAPSHOTS)
            self._snapshot_offset = self.log_end_offset

    @property
    def needs_more_than_appending(self) -> bool:
        """Whether an answer to a producer may have to wait for a sync, or to tell the log's own time."""
        return self._flush_messages != _NEVER or self._admission.gives_time

    @property
    def follows_data(self) -> bool:
        """Whether its records speak of data elsewhere, so that they must not be on the disk before that data is."""
        return self._flush_messages == 1

    @property
    def awaits_sync(self) -> bool:
        """Whether records wait for a sync before anyone may see them."""
        return self._awaits_sync

    def begin_sync(self) -> SyncTicket:
        """Name what a sync has to cover. Raises OSError, with too many open files for example."""
        first = self.segment_number(self.recovery_point)
        descriptors: list[int] = []
        try:
            descriptors.extend(os.dup(segment.fd) for segment in self.segments[first:])
            descriptors.append(os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            for fd in descriptors:
                os.close(fd)
            raise
        self.dirty = False
        return SyncTicket(partition=self, offset=self.log_end_offset, descriptors=descriptors)

    def end_sync(self, ticket: SyncTicket) -> None:
        """Everything that the ticket covers is safe, and visible from now on."""
        self.recovery_point = max(self.recovery_point, ticket.offset)
        if self.log_end_offset - self.recovery_point < self._flush_messages:
            self._awaits_sync = False
            self.high_watermark = self.log_end_offset
        else:
            self.high_watermark = max(self.high_watermark, ticket.offset)
        self.wake_watchers()

    def wake_watchers(self) -> None:
        """Tell those who wait for records that there are some. Watchers may go while they are called."""
        for watcher in tuple(self.watchers):
            watcher()

    # Housekeeping.

    def truncate_front(self, offset: int) -> int:
        """Let the log begin at `offset` (DeleteRecords); returns the log start offset.

        Segments that lie wholly before it are removed. Raises RequestError OFFSET_OUT_OF_RANGE, OSError.
        """
        self._refuse_offline()
        if not 0 <= offset <= self.high_watermark:
            raise RequestError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"offset {offset} is outside of {self.log_start_offset}..{self.high_watermark}",
            )
        self.log_start_offset = max(self.log_start_offset, offset)
        while len(self.segments) > 1 and self.segments[1].base_offset <= self.log_start_offset:
            self.segments.pop(0).delete()
        return self.log_start_offset

    def apply_retention(self, now: int) -> bool:
        """Roll and remove segments as `segment.ms`, `retention.ms` and `retention.bytes` say; True if any went.

        `now` is in milliseconds since 1970. Raises OSError, CorruptLogError.
        """
        if self.offline is not None or self.log_end_offset == self.log_start_offset:
            return False
        if retention.is_due_to_roll(self.segments[-1], self.config, now):
            self.roll()
        expired = retention.expired_segments(self.segments, self.config, now)
        if not expired:
            return False
        if expired == len(self.segments):
            self.roll()
        self.log_start_offset = max(self.log_start_offset, self.segments[expired].base_offset)
        for segment in self.segments[:expired]:
            segment.delete()
        del self.segments[:expired]
        return True

    def abandon(self) -> None:
        """Give all files back as they are; the partition is offline then."""
        for segment in self.segments:
            segment.close()
        self.segments = []
        self.take_offline(f"{self.topic}-{self.index} is closed")
