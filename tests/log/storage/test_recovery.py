"""What opening a partition makes of files that a crash or a power loss has left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kconnect.log.errors import RequestError
from kconnect.log.protocol.batch import Attribute, batches
from kconnect.log.protocol.control import ControlType, EndMarker
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import Record, build_batch
from kconnect.log.storage.partition import Partition
from kconnect.log.storage.producer_snapshots import write_snapshot
from kconnect.log.storage.producer_state import ProducerStates
from kconnect.log.topic_config import TopicConfig

SMALL = TopicConfig.of({"segment.bytes": "600", "index.interval.bytes": "100"})


def open_partition(folder: Path, *, recovery_point: int = 0) -> Partition:
    partition = Partition("t", 0, folder, SMALL, lambda _: None)
    partition.open(recovery_point=recovery_point, log_start_offset=0, clean=False)
    return partition


def batch(value: bytes, **settings: int) -> memoryview:
    return memoryview(build_batch([Record(0, 1_700_000_000_000, None, value)], **settings))


def offsets_in(partition: Partition) -> list[int]:
    found: list[int] = []
    while data := partition.read(found[-1] + 1 if found else 0, 1 << 20, at_least_one=True):
        found += [header.base_offset for header, _ in batches(memoryview(data))]
    return found


@pytest.mark.parametrize("left", [0, 1])
def test_what_lies_behind_a_segment_that_lost_its_end_goes_with_it(tmp_path: Path, left: int) -> None:
    """A power loss may leave an unsynced segment empty, or whole batches of it, and the next one as it was."""
    partition = open_partition(tmp_path)
    for i in range(12):
        partition.append(batch(b"%d" % i * 60))
    first, second, *_ = partition.segments
    assert len(partition.segments) > 2
    assert second.base_offset > 2
    kept = first.locate(left)
    assert kept is not None
    os.truncate(first.path, kept.position)
    partition.abandon()
    again = open_partition(tmp_path)
    assert again.log_end_offset == left
    assert offsets_in(again) == list(range(left))
    base_offset, _ = again.append(batch(b"more"))
    assert base_offset == left
    again.abandon()


def test_a_synced_segment_that_lost_its_end_takes_the_partition_offline(tmp_path: Path) -> None:
    partition = open_partition(tmp_path)
    for i in range(12):
        partition.append(batch(b"%d" % i * 60))
    first, second, *_ = partition.segments
    kept = first.locate(1)
    assert kept is not None
    os.truncate(first.path, kept.position)
    partition.abandon()
    again = open_partition(tmp_path, recovery_point=second.base_offset - 1)
    assert again.offline is not None
    assert str(first.path) in again.offline


def test_an_abort_is_known_though_a_power_loss_took_the_index_that_said_so(tmp_path: Path) -> None:
    """The snapshot of the producers is later than the last sync: what it leaves out is to be read all the same."""
    partition = open_partition(tmp_path)
    partition.append(
        batch(b"aborted", attributes=Attribute.TRANSACTIONAL, producer_id=5, producer_epoch=0, base_sequence=0),
        in_transaction=True,
    )
    partition.append_end_marker(EndMarker(ControlType.ABORT, 0), 5, 0)
    partition.save_helpers()
    os.truncate(tmp_path / f"{0:020d}.txnindex", 0)
    partition.abandon()
    again = open_partition(tmp_path)
    _, aborted = again.read_committed(0, 1000, at_least_one=True)
    assert [(transaction.producer_id, transaction.first_offset) for transaction in aborted] == [(5, 0)]
    again.abandon()


def test_producers_are_as_the_log_says_where_a_snapshot_says_otherwise_of_what_was_not_synced(tmp_path: Path) -> None:
    """A power loss may bring back a snapshot of batches that an earlier one took."""
    partition = open_partition(tmp_path)
    for sequence in range(3):
        partition.append(batch(b"kept", producer_id=5, producer_epoch=0, base_sequence=sequence))
    partition.abandon()
    other = ProducerStates()
    other.appended(5, 0, 40, 2, 2, 1000)
    write_snapshot(tmp_path, 3, other)
    again = open_partition(tmp_path, recovery_point=2)
    assert again.append(batch(b"next", producer_id=5, producer_epoch=0, base_sequence=3)) == (3, -1)
    with pytest.raises(RequestError) as refused:
        again.append(batch(b"gap", producer_id=5, producer_epoch=0, base_sequence=41))
    assert refused.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    again.abandon()
