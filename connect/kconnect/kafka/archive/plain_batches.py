"""Batches made independent of the log that they come from."""

from __future__ import annotations

from collections.abc import Iterator

from kconnect.log.protocol.batch import HEADER, Attribute, BatchHeader, batches, check_crc, sealed
from kconnect.log.protocol.control import ControlType, read_end_marker
from kconnect.log.protocol.records import Record, build_batch, read_records

_COMPRESSION = 0x07
_FROM_ZERO = bytes(8)
"""What a batch begins with whose first offset is 0; the checksum does not cover it."""

_OF_THE_LOG = Attribute.TRANSACTIONAL | Attribute.DELETE_HORIZON


class CommittedBatches:
    """Takes what a partition answers to read-committed fetches, in order, and gives the plain batches of records in it.

    `next_offset` is where to fetch next, `records` how many came. Offsets before `first` are left out. Raises
    CorruptBatchError where a batch is damaged.
    """

    def __init__(self, first: int) -> None:
        self.next_offset = first
        self.records = 0
        self._first = first
        self._aborting: set[int] = set()

    def take(self, data: memoryview, aborted: list[tuple[int, int]], end: int) -> Iterator[bytes]:
        """The batches before offset `end`; `aborted` are producers, and where their aborted transactions begin."""
        to_come = sorted(aborted, key=lambda entry: entry[1])
        for header, batch in batches(data, partial=True):
            if header.last_offset < self.next_offset:
                continue
            if header.base_offset >= end:
                return
            check_crc(header, batch)
            while to_come and to_come[0][1] <= header.last_offset:
                self._aborting.add(to_come.pop(0)[0])
            self.next_offset = header.last_offset + 1
            if header.is_control:
                self._meet_marker(header, bytes(batch))
            elif header.record_count and not (header.is_transactional and header.producer_id in self._aborting):
                plain = self._plain(header, bytes(batch))
                if plain is not None:
                    yield plain

    def _meet_marker(self, header: BatchHeader, batch: bytes) -> None:
        for record in read_records(header, batch):
            if read_end_marker(record).type is ControlType.ABORT:
                self._aborting.discard(header.producer_id)

    def _plain(self, header: BatchHeader, batch: bytes) -> bytes | None:
        """The batch without its producer; of one that begins before the log does, its later records."""
        if header.base_offset < self._first:
            kept = [record for record in read_records(header, batch) if record.offset >= self._first]
            self.records += len(kept)
            return _rebuilt(header, kept, last_offset=header.last_offset) if kept else None
        self.records += header.record_count
        return sealed(
            header._replace(
                attributes=header.attributes & ~_OF_THE_LOG, producer_id=-1, producer_epoch=-1, base_sequence=-1
            ),
            batch[HEADER.size :],
        )


def to_produce(header: BatchHeader, batch: bytes) -> bytes:
    """A plain batch as a producer may send it: offsets from 0 without gaps, times of the records' own.

    Raises CorruptBatchError, ImportError when a package for its compression is missing.
    """
    has_gaps = header.record_count != header.last_offset_delta + 1
    if not has_gaps and not header.attributes & Attribute.LOG_APPEND_TIME:
        return _FROM_ZERO + batch[len(_FROM_ZERO) :]
    records = [
        Record(number, record.timestamp, record.key, record.value, record.headers)
        for number, record in enumerate(read_records(header, batch))
    ]
    return _rebuilt(header, records)


def _rebuilt(header: BatchHeader, records: list[Record], *, last_offset: int | None = None) -> bytes:
    return bytes(
        build_batch(
            records,
            last_offset=last_offset,
            compression=header.compression,
            attributes=header.attributes & ~(_COMPRESSION | _OF_THE_LOG | Attribute.LOG_APPEND_TIME),
            leader_epoch=header.leader_epoch,
        )
    )
