"""What an export makes of batches as a log keeps them, and an import of those."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.kafka.archive.plain_batches import CommittedBatches, to_produce
from kconnect.kafka.archive.restore import Translation
from kconnect.log.protocol.batch import Attribute, BatchHeader, Compression, check_crc, read_header
from kconnect.log.protocol.control import ControlType, EndMarker, build_end_marker
from kconnect.log.protocol.errors import CorruptBatchError
from kconnect.log.protocol.records import Record, build_batch, read_records

TIME = 1_700_000_000_000


def batch(*offsets: int, last: int | None = None, **settings: int) -> bytes:
    records = [Record(offset, TIME + offset, b"k", b"%d" % offset, [("h", b"x")]) for offset in offsets]
    bounds = {"base_offset": offsets[0], "last_offset": offsets[-1] if last is None else last}
    return bytes(build_batch(records, **bounds, **{"producer_epoch": 0, **settings}))


def marker(kind: ControlType, offset: int, producer_id: int) -> bytes:
    end = EndMarker(kind, 0)
    return bytes(build_end_marker(end, offset=offset, timestamp=TIME, producer_id=producer_id, producer_epoch=0))


def rows(batches: list[bytes]) -> list[tuple[int, int, bytes | None]]:
    found = []
    for data in batches:
        header = read_header(data)
        check_crc(header, data)
        assert (header.producer_id, header.base_sequence, header.is_transactional) == (-1, -1, False)
        found += [(record.offset, record.timestamp, record.value) for record in read_records(header, data)]
    return found


def row(offset: int) -> tuple[int, int, bytes]:
    return offset, TIME + offset, b"%d" % offset


def test_committed_records_alone_are_taken_whatever_lies_between_them() -> None:
    within = {"attributes": int(Attribute.TRANSACTIONAL), "base_sequence": 0}
    log = [
        batch(0, 1, producer_id=7, base_sequence=0),
        batch(2, producer_id=5, **within),  # aborted at 4
        batch(3, producer_id=6, **within),  # committed at 6
        marker(ControlType.ABORT, 4, 5),
        batch(5, producer_id=5, **within),  # committed at 7
        marker(ControlType.COMMIT, 6, 6),
        marker(ControlType.COMMIT, 7, 5),
        batch(9, 11, last=12, compression=Compression.GZIP),  # compacted
        batch(13),
    ]
    taken = CommittedBatches(0)
    plain = list(taken.take(memoryview(b"".join(log)), [(5, 2)], 13))
    assert rows(plain) == [row(offset) for offset in (0, 1, 3, 5, 9, 11)]
    assert (taken.next_offset, taken.records) == (13, 6)
    assert read_header(plain[-1]).compression is Compression.GZIP


def test_of_a_batch_that_begins_before_the_log_its_later_records_are_taken() -> None:
    taken = CommittedBatches(2)
    plain = list(taken.take(memoryview(batch(0, 1, 2, 3)), [], 4))
    assert rows(plain) == [row(2), row(3)]
    assert read_header(plain[0]).base_offset == 2


def test_tombstones_that_wait_for_their_deletion_keep_their_times() -> None:
    records = [Record(0, TIME, b"k", None)]
    waiting = build_batch(records, attributes=int(Attribute.DELETE_HORIZON), base_timestamp=TIME + 86_400_000)
    (plain,) = CommittedBatches(0).take(memoryview(waiting), [], 1)
    assert not read_header(plain).attributes & Attribute.DELETE_HORIZON
    assert rows([plain]) == [(0, TIME, None)]


def test_a_damaged_batch_is_not_taken_with_a_new_checksum() -> None:
    damaged = bytearray(batch(0))
    damaged[-1] ^= 1
    with pytest.raises(CorruptBatchError):
        list(CommittedBatches(0).take(memoryview(damaged), [], 1))


def test_a_batch_that_producers_may_send_is_sent_as_it_is() -> None:
    stored = batch(100, 101, compression=Compression.GZIP)
    sent = to_produce(read_header(stored), stored)
    assert sent[8:] == stored[8:]
    assert read_header(sent).base_offset == 0


@given(st.sets(st.integers(0, 40), min_size=1), st.lists(st.integers(0, 45), max_size=5), st.integers(1, 7))
def test_committed_offsets_go_to_the_same_record(offsets: set[int], committed: list[int], per_batch: int) -> None:
    kept = sorted(offsets)
    translation = Translation(sorted(set(committed)))
    moved: list[int] = []
    for begin in range(0, len(kept), per_batch):
        stored = batch(*kept[begin : begin + per_batch])
        header = read_header(stored)
        sent = to_produce(header, stored)
        translation.moved(header, stored, len(moved))
        moved += [int(record.value or b"") for record in read_records(read_header(sent), sent)]
        assert_consecutive(read_header(sent))
    became = translation.done()
    assert moved == kept
    for offset in committed:
        assert moved[became[offset] :] == [number for number in kept if number >= offset]


def assert_consecutive(header: BatchHeader) -> None:
    assert (header.base_offset, header.record_count) == (0, header.last_offset_delta + 1)
