"""One partition: its segments, its offsets, and what appends and reads mean."""

from __future__ import annotations

import errno
import logging
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kconnect.log.errors import CorruptLogError, RequestError
from kconnect.log.protocol.batch import Attribute, read_header
from kconnect.log.protocol.control import build_end_marker
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.storage.admission import Admission
from kconnect.log.storage.checkpoint import LeaderEpochs
from kconnect.log.storage.producer_snapshots import ProducerSnapshots
from kconnect.log.storage.producer_state import ProducerStates
from kconnect.log.storage.recovery import recover
from kconnect.log.storage.reserve import DiskReserve
from kconnect.log.storage.segment_list import SegmentList

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.protocol.control import EndMarker
    from kconnect.log.storage.transaction_index import AbortedTransaction
    from kconnect.log.topic_config import TopicConfig

_LOG = logging.getLogger(__name__)

_INT64 = struct.Struct(">q")
_INT32 = struct.Struct(">i")
_BASE_OFFSET_AT, _LEADER_EPOCH_AT = 0, 12
_TRANSACTIONAL, _CONTROL = int(Attribute.TRANSACTIONAL), int(Attribute.CONTROL)
_NEVER = 0x7FFFFFFFFFFFFFFF
_TELL_AGAIN_SECONDS = 60.0
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


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
    see yet: they differ only while a sync is awaited. `appended_bytes` and `appended_offsets` count since the opening,
    and so does `fetched_bytes`, which belongs to those who send what they read. A partition whose files are damaged, or
    can no longer be synced, is *offline*: `offline` says why, and every append and read of it raises RequestError with
    KAFKA_STORAGE_ERROR.
    """

    __slots__ = (
        "_admission",
        "_awaits_sync",
        "_flush_messages",
        "_on_dirty",
        "_opened_at",
        "_reserve",
        "_snapshots",
        "_told_full_at",
        "appended_bytes",
        "config",
        "dirty",
        "epochs",
        "fetched_bytes",
        "first_dirty_offset",
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
        self,
        topic: str,
        index: int,
        folder: Path,
        config: TopicConfig,
        on_dirty: Callable[[Partition], None],
        reserve: DiskReserve | None = None,
    ) -> None:
        self.topic = topic
        self.index = index
        self.folder = folder
        self.segments = SegmentList(folder, before_roll=self._save_producers)
        self.producers = ProducerStates()
        self.log_start_offset = self.log_end_offset = self.high_watermark = self.recovery_point = 0
        self.epochs = LeaderEpochs(folder)
        self.leader_epoch = max(0, self.epochs.latest)
        self.offline: str | None = None
        self.dirty = self._awaits_sync = False
        self.appended_bytes = self.fetched_bytes = self._opened_at = 0
        self._snapshots = ProducerSnapshots(folder)
        self._told_full_at = -_TELL_AGAIN_SECONDS
        self.first_dirty_offset = 0
        self.watchers: set[Callable[[], None]] = set()
        self._on_dirty = on_dirty
        self._reserve = reserve or DiskReserve(folder / "reserve", 0)
        self.configure(config)

    def open(self, *, recovery_point: int, log_start_offset: int, clean: bool, least_epoch: int = 0) -> int:
        """Recover the files; returns how many bytes of a torn end were cut. Raises OSError when out of descriptors.

        Damage below the recovery point, and files that cannot be read, put the partition offline. After a crash
        (`clean` is false) a new leader epoch begins, `least_epoch` or a later one.
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
                f"broker and give up what is damaged by `kconnect broker repair "
                f"--data {self.folder.parent} {self.folder.name}`"
            )
            return 0
        except OSError as e:
            if e.errno in _OUT_OF_FILES:
                raise
            self.take_offline(
                f"The partition {self.folder.name} stays offline: {e}; see to it, then start the broker again"
            )
            return 0
        self.producers = recovered.producers
        self.segments.hold(recovered.segments)
        self.log_start_offset = max(log_start_offset, self.segments[0].base_offset)
        self.log_end_offset = self.high_watermark = self._opened_at = recovered.log_end_offset
        if self.epochs.latest < 0 or not clean:
            self.leader_epoch = max(self.epochs.latest + 1, least_epoch)
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
        self._flush_messages = config.flush_messages
        self.segments.configure(config)

    def take_offline(self, reason: str) -> None:
        """Refuse everything from now on, with `reason`."""
        self.offline = self.offline or reason

    def _refuse_offline(self) -> None:
        if self.offline is not None:
            raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, self.offline)

    # Appending: the hot path of produce.

    def append(self, batch: memoryview, *, in_transaction: bool = False) -> tuple[int, int]:
        """Append exactly one batch as a client sent it, patched in place.

        One of a transaction is refused unless `in_transaction` says that the coordinator knows of it: nothing would
        ever end it.

        Returns its base offset, and the log's own time for it (-1 unless the topic asks for it). The batch of a
        repetition is not appended, and its first offset returned. Where the topic asks for
        syncs, `high_watermark` stays behind `log_end_offset` until the sync is done. Raises RequestError;
        nothing of the batch is in the log then.
        """
        if self.offline is not None:
            self._refuse_offline()
        header = self._admission.check(batch)
        transactional = header.attributes & _TRANSACTIONAL
        if transactional and not in_transaction:
            raise RequestError(
                ErrorCode.INVALID_TXN_STATE, f"{self.topic}-{self.index} is not part of the producer's transaction"
            )
        if header.producer_id >= 0:
            repeated = self.producers.check(
                header.producer_id,
                header.producer_epoch,
                header.base_sequence,
                header.record_count,
                transactional=transactional != 0,
            )
            if repeated is not None:
                return repeated.base_offset, -1
        base_offset = self._write(batch, header)
        return base_offset, header.max_timestamp if self._admission.gives_time else -1

    def _write(self, batch: memoryview, header: BatchHeader) -> int:
        """Put a batch that may be there at the end, patched in place; returns its base offset. Raises RequestError."""
        size = len(batch)
        base_offset = self.log_end_offset
        last_offset = base_offset + header.last_offset_delta
        _INT64.pack_into(batch, _BASE_OFFSET_AT, base_offset)
        _INT32.pack_into(batch, _LEADER_EPOCH_AT, self.leader_epoch)
        is_essential = self.follows_data or header.attributes & _CONTROL
        if self._reserve.is_spent and not is_essential:
            raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, "the disk is full: make room on it")
        while True:
            try:
                self.segments.append_batch(batch, header, last_offset)
                break
            except OSError as e:
                if not (is_essential and self._reserve.spend(e)):
                    raise self._unwritable(e) from e
        self._appended(header, base_offset, last_offset, size)
        return base_offset

    def _unwritable(self, error: OSError) -> RequestError:
        """Clients try again without a word, so the log says it as well."""
        told = f"{self.folder} cannot be written: {error.strerror}; make room on its disk"
        if time.monotonic() - self._told_full_at >= _TELL_AGAIN_SECONDS:
            self._told_full_at = time.monotonic()
            _LOG.error("%s", told)
        return RequestError(ErrorCode.KAFKA_STORAGE_ERROR, told)

    def _appended(self, header: BatchHeader, base_offset: int, last_offset: int, size: int) -> None:
        self.log_end_offset = last_offset + 1
        attributes = header.attributes
        if header.producer_id >= 0 and not attributes & _CONTROL:
            self.producers.appended(
                header.producer_id,
                header.producer_epoch,
                header.base_sequence,
                base_offset,
                last_offset,
                header.max_timestamp,
                transactional=attributes & _TRANSACTIONAL != 0,
            )
        self.appended_bytes += size
        if not self.dirty:
            self._mark_dirty()
        if self._awaits_sync or last_offset - self.recovery_point >= self._flush_messages - 1:
            self._awaits_sync = True
        else:
            self.high_watermark = last_offset + 1

    @property
    def appended_offsets(self) -> int:
        """How many offsets were given out since the opening."""
        return self.log_end_offset - self._opened_at

    # Transactions.

    def append_offsets(self, batch: memoryview) -> int:
        """Append offsets that are committed in a transaction (KIP-98); returns the base offset. Raises RequestError.

        The batch has a producer but no sequence: it comes from the group coordinator.
        """
        self._refuse_offline()
        header = self._admission.check(batch)
        self.producers.check_offsets(header.producer_id, header.producer_epoch)
        return self._write(batch, header)

    def append_end_marker(self, marker: EndMarker, producer_id: int, producer_epoch: int) -> int:
        """Append the control batch that ends what a producer has open here; returns its offset.

        Raises RequestError: INVALID_PRODUCER_EPOCH and TRANSACTION_COORDINATOR_FENCED where it comes from the past,
        KAFKA_STORAGE_ERROR.
        """
        self._refuse_offline()
        self.producers.check_end(producer_id, producer_epoch, marker.coordinator_epoch)
        now = time.time_ns() // 1_000_000
        batch = memoryview(
            build_end_marker(marker, offset=0, timestamp=now, producer_id=producer_id, producer_epoch=producer_epoch)
        )
        offset = self._write(batch, read_header(batch))
        aborted = self.producers.ended(
            producer_id, producer_epoch, marker, offset=offset, timestamp=now, high_watermark=self.high_watermark
        )
        if aborted is not None:
            self.segments.active.transaction_index.append(aborted)
        return offset

    @property
    def last_stable_offset(self) -> int:
        """The first offset that readers of committed data do not see yet."""
        stable = self.producers.last_stable_offset(self.high_watermark)
        return max(stable, min(self.log_start_offset, self.high_watermark))

    def read_committed(
        self, offset: int, max_bytes: int, *, at_least_one: bool
    ) -> tuple[bytes, list[AbortedTransaction]]:
        """As `read`, below the last stable offset, and the aborted transactions that may have data in it."""
        limit = self.last_stable_offset
        records = self.read(offset, max_bytes, at_least_one=at_least_one, before=limit)
        return records, self.segments.aborted_within(offset, len(records), limit) if records else []

    def roll(self) -> None:
        """Seal the active segment and begin a new one. Raises OSError; the old one stays active then."""
        self.segments.roll(self.log_end_offset)

    def _save_producers(self) -> None:
        """Before a segment begins: so that recovery need not read the one before."""
        self._snapshots.save(self.log_end_offset, self.producers, checkpoint=False)

    # Reading: the hot path of fetch.

    def read(self, offset: int, max_bytes: int, *, at_least_one: bool, before: int | None = None) -> bytes:
        """Whole or cut batches from the one that has `offset`, below the high watermark, from one segment.

        `before` is another limit than that, a lower one.

        Empty where nothing fits or nothing is there; with `at_least_one` the first batch is given even if it
        is larger than `max_bytes`. Raises RequestError: OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE where the
        segment is damaged, KAFKA_STORAGE_ERROR where the disk fails.
        """
        self._refuse_offline()
        limit = self.high_watermark if before is None else before
        if offset == limit:
            return b""
        if offset > self.log_end_offset or offset < self.log_start_offset:
            raise RequestError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"offset {offset} is outside of {self.log_start_offset}..{self.log_end_offset}",
            )
        try:
            return self.segments.read(
                offset, max_bytes, limit if limit < self.log_end_offset else None, at_least_one=at_least_one
            )
        except OSError as e:
            raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, f"{self.folder} cannot be read: {e.strerror}") from e
        except CorruptLogError as e:
            _LOG.error("%s", e)
            raise RequestError(ErrorCode.CORRUPT_MESSAGE, str(e)) from e

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
                self.segments.active.flush_indexes()
                self._snapshots.save(self.log_end_offset, self.producers, checkpoint=True)
            except OSError as e:
                _LOG.warning("%s: indexes and producers cannot be written down for now: %s", self.folder, e.strerror)

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
        descriptors = self.segments.open_to_sync(self.recovery_point)
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
        self._begin_at(offset)
        self.segments.retire(self.segments.number_of(self.log_start_offset))
        return self.log_start_offset

    def _begin_at(self, offset: int) -> None:
        self.log_start_offset = max(self.log_start_offset, offset)
        try:
            self.epochs.truncate_front(self.log_start_offset)
        except OSError as e:
            # On a full disk records have to go all the same.
            _LOG.warning("%s: leader epochs cannot be written down: %s", self.folder, e.strerror)

    def apply_retention(self, now: int) -> bool:
        """Roll and remove segments as `segment.ms`, `retention.ms` and `retention.bytes` say; True if any went.

        `now` is in milliseconds since 1970. Raises OSError, CorruptLogError.
        """
        if self.offline is not None or self.log_end_offset == self.log_start_offset:
            return False
        if self.segments.is_due_to_roll(now):
            self.roll()
        expired = self.segments.count_expired(now)
        if not expired:
            return False
        if expired == len(self.segments):
            self.roll()
        self._begin_at(self.segments[expired].base_offset)
        self.segments.retire(expired)
        return True

    def abandon(self) -> None:
        """Give all files back as they are; the partition is offline then."""
        self.segments.close()
        self.take_offline(f"{self.topic}-{self.index} is closed")
