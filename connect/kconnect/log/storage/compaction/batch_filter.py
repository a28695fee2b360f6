"""What compaction leaves of a single batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol.batch import HEADER, LENGTH_PREFIX, Attribute, BatchHeader, sealed
from kconnect.log.protocol.compression import compress
from kconnect.log.protocol.record_spans import RecordSpan, read_spans
from kconnect.log.protocol.records import build_batch, read_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kconnect.log.storage.compaction.job import CompactionJob
    from kconnect.log.storage.compaction.offset_map import OffsetMap
    from kconnect.log.storage.compaction.transactions import TransactionTrail
    from kconnect.log.storage.transaction_index import AbortedTransaction

_COMPRESSION = 0x07


class BatchFilter:
    """Takes the batches of a partition in their order, and gives what stays of each, as Kafka's cleaner does.

    A batch keeps its bounds, its producer's numbers and its compression. One that is left without records stays, empty,
    where it is the last of an active producer, or of what becomes one segment: its sequence, and where the segment
    ends, are known by it.
    Tombstones, and markers of transactions without data, stay for `delete_retention_ms` after they were first seen
    here: that time is written into the batch (its delete horizon), where readers expect the base of its timestamps.
    `aborted_left` are the aborted transactions of which a marker stays. `end_offset` is where the segment ends that is
    written.
    """

    def __init__(self, job: CompactionJob, offsets: OffsetMap, trail: TransactionTrail) -> None:
        self.aborted_left: list[AbortedTransaction] = []
        self._offsets = offsets
        self._trail = trail
        self._now = job.now
        self._delete_horizon = job.now + job.delete_retention_ms
        self.end_offset = job.end_offset
        self._producers = {producer.producer_id: producer for producer in job.producers}

    def apply(self, header: BatchHeader, batch: bytes) -> bytes | None:
        """What stays of `batch`; None for nothing. Raises CorruptBatchError, ImportError as `read_records`."""
        if header.is_control:
            stays = self._apply_to_marker(header, batch)
        elif self._trail.meets_aborted_data(header):
            stays = None
        else:
            stays = self._apply_to_data(header, batch)
        return _emptied(header) if stays is None and self._keeps_empty(header) else stays

    def _apply_to_marker(self, header: BatchHeader, batch: bytes) -> bytes | None:
        is_without_data, aborted = self._trail.meets_marker(header, batch)
        if not is_without_data:
            if aborted is not None:
                self.aborted_left.append(aborted)
            return batch
        if not header.record_count:
            return None
        if not header.attributes & Attribute.DELETE_HORIZON:
            return self._with_horizon(header, batch)
        return batch if header.base_timestamp > self._now else None

    def _apply_to_data(self, header: BatchHeader, batch: bytes) -> bytes | None:
        if header.base_offset >= self._offsets.end_offset:
            return batch
        data, spans = read_spans(header, batch)
        has_horizon = bool(header.attributes & Attribute.DELETE_HORIZON)
        kept, has_tombstones = self._select(
            header, spans, drop_tombstones=has_horizon and header.base_timestamp <= self._now
        )
        if not kept:
            return None
        stays = batch if len(kept) == len(spans) else _with_records(header, data, kept)
        if has_tombstones and not has_horizon:
            return self._with_horizon(BatchHeader._make(HEADER.unpack_from(stays)), stays)
        return stays

    def _select(
        self, header: BatchHeader, spans: list[RecordSpan], *, drop_tombstones: bool
    ) -> tuple[list[RecordSpan], bool]:
        """(the records that stay, whether there are tombstones among them). Hot."""
        kept: list[RecordSpan] = []
        has_tombstones = False
        is_last, end_offset, base_offset = self._offsets.is_last, self._offsets.end_offset, header.base_offset
        for span in spans:
            offset, key = base_offset + span[0], span[2]
            if offset < end_offset and (key is None or not is_last(key, offset)):
                continue
            if not span[3]:
                if drop_tombstones:
                    continue
                has_tombstones = True
            kept.append(span)
        return kept, has_tombstones

    def _with_horizon(self, header: BatchHeader, batch: bytes) -> bytes:
        return bytes(
            build_batch(
                read_records(header, batch),
                base_offset=header.base_offset,
                last_offset=header.last_offset,
                compression=header.compression,
                attributes=header.attributes & ~_COMPRESSION | Attribute.DELETE_HORIZON,
                leader_epoch=header.leader_epoch,
                base_timestamp=self._delete_horizon,
                producer_id=header.producer_id,
                producer_epoch=header.producer_epoch,
                base_sequence=header.base_sequence,
            )
        )

    def _keeps_empty(self, header: BatchHeader) -> bool:
        if header.last_offset + 1 == self.end_offset:
            return True
        producer = self._producers.get(header.producer_id) if header.producer_id >= 0 else None
        if producer is None:
            return False
        if producer.last_offset >= 0:
            return header.last_offset == producer.last_offset
        return header.is_control and header.producer_epoch == producer.epoch


def _with_records(header: BatchHeader, data: bytes, kept: Iterable[RecordSpan]) -> bytes:
    """The batch with some of its records."""
    spans = list(kept)
    if header.attributes & Attribute.LOG_APPEND_TIME:
        max_timestamp = header.max_timestamp
    else:
        max_timestamp = header.base_timestamp + max(span[1] for span in spans)
    payload = compress(header.compression, b"".join([data[span[4] : span[5]] for span in spans]))
    return sealed(
        header._replace(
            length=HEADER.size + len(payload) - LENGTH_PREFIX, max_timestamp=max_timestamp, record_count=len(spans)
        ),
        payload,
    )


def _emptied(header: BatchHeader) -> bytes:
    """The batch without any record."""
    return sealed(
        header._replace(
            length=HEADER.size - LENGTH_PREFIX,
            attributes=header.attributes & ~(_COMPRESSION | Attribute.DELETE_HORIZON),
            base_timestamp=-1,
            record_count=0,
        ),
        b"",
    )
