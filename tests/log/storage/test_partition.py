"""A partition against a model: whatever happens, it holds what was appended and not given up."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kconnect.log.errors import RecordsRefusedError, RequestError
from kconnect.log.protocol.batch import Compression, batches
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import Record, build_batch, read_records
from kconnect.log.storage.partition import Partition
from kconnect.log.storage.timestamps import NOTHING, TimedOffset, first_at_or_after, latest_record
from kconnect.log.topic_config import TopicConfig

SMALL = TopicConfig.of({"segment.bytes": "600", "index.interval.bytes": "100"})
START = 1_700_000_000_000


def open_partition(folder: Path, config: TopicConfig = SMALL, **how: int) -> Partition:
    partition = Partition("t", 0, folder, config, lambda _: None)
    partition.open(
        recovery_point=how.get("recovery_point", 0),
        log_start_offset=how.get("log_start_offset", 0),
        clean=False,
    )
    return partition


def batch(*values: bytes, timestamp: int = START, **producer: int) -> memoryview:
    return memoryview(
        build_batch([Record(i, timestamp + i, None, value) for i, value in enumerate(values)], **producer)
    )


def sync(partition: Partition) -> None:
    ticket = partition.begin_sync()
    for fd in ticket.descriptors:
        os.fsync(fd)
        os.close(fd)
    partition.end_sync(ticket)


def read_from(partition: Partition, offset: int, max_bytes: int = 200) -> dict[int, bytes | None]:
    """Every record from `offset` to the high watermark, by offset, fetched in small pieces."""
    found: dict[int, bytes | None] = {}
    while data := partition.read(offset, max_bytes, at_least_one=True):
        before = offset
        for header, view in batches(memoryview(data), partial=True):
            for record in read_records(header, view):
                if record.offset >= offset:
                    found[record.offset] = record.value
            offset = header.last_offset + 1
        assert offset > before
    assert offset == partition.high_watermark
    return found


class PartitionModel(RuleBasedStateMachine):
    """Appends, rolls, syncs, orderly and other ends, front truncation."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.records: dict[int, bytes] = {}
        self.sequence = self.epoch = 0
        self.log_start = 0

    @initialize()
    def begin(self) -> None:
        self.partition = open_partition(self.folder)

    @rule(sizes=st.lists(st.integers(0, 150), min_size=1, max_size=4))
    def append(self, sizes: list[int]) -> None:
        values = [os.urandom(size) for size in sizes]
        base, _ = self.partition.append(
            batch(*values, producer_id=1, producer_epoch=self.epoch, base_sequence=self.sequence)
        )
        assert base == self.partition.log_end_offset - len(values)
        self.sequence += len(values)
        self.records |= dict(enumerate(values, base))

    @precondition(lambda self: self.sequence)
    @rule()
    def send_a_gap(self) -> None:
        with pytest.raises(RequestError) as refused:
            self.partition.append(
                batch(b"gap", producer_id=1, producer_epoch=self.epoch, base_sequence=self.sequence + 1)
            )
        assert refused.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER

    @rule()
    def roll(self) -> None:
        if self.partition.segments[-1].size:
            self.partition.roll()

    @rule()
    def sync(self) -> None:
        self.partition.save_helpers()
        sync(self.partition)

    @rule(part=st.floats(0, 1))
    def delete_records(self, part: float) -> None:
        offset = self.log_start + int(part * (self.partition.log_end_offset - self.log_start))
        self.log_start = self.partition.truncate_front(offset)
        assert self.log_start == offset

    def reopen(self, recovery_point: int) -> None:
        self.partition.abandon()
        self.partition = open_partition(self.folder, recovery_point=recovery_point, log_start_offset=self.log_start)
        assert self.partition.offline is None

    @rule(saved=st.booleans())
    def end_and_begin(self, saved: bool) -> None:
        if saved:
            self.partition.save_helpers()
        self.reopen(self.partition.recovery_point)

    @rule(cut=st.integers(1, 400))
    def lose_power(self, cut: int) -> None:
        """What was not synced of the last segment loses its end, in the middle of a batch."""
        segment = self.partition.segments[-1]
        if segment.base_offset < self.partition.recovery_point:
            synced = segment.locate(self.partition.recovery_point)
            floor = synced.position if synced else segment.size
        else:
            floor = 0
        os.truncate(segment.path, max(floor, segment.size - cut))
        self.reopen(self.partition.recovery_point)
        end = self.partition.log_end_offset
        self.records = {offset: value for offset, value in self.records.items() if offset < end}
        # What the log still knows of the producer depends on where its end was cut: it begins anew.
        self.sequence, self.epoch = 0, self.epoch + 1

    @invariant()
    def holds_what_was_appended(self) -> None:
        if not hasattr(self, "partition"):
            return
        expected = {offset: value for offset, value in self.records.items() if offset >= self.log_start}
        assert read_from(self.partition, self.log_start) == expected

    def teardown(self) -> None:
        self.partition.abandon()
        shutil.rmtree(self.folder)


PartitionModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_a_partition_holds_what_was_appended = PartitionModel.TestCase


def test_records_are_hidden_until_the_sync_where_the_topic_asks_for_it(tmp_path: Path) -> None:
    partition = open_partition(tmp_path, TopicConfig.of({"flush.messages": "1"}))
    partition.append(batch(b"a"))
    ticket = partition.begin_sync()
    partition.append(batch(b"b"))
    assert (partition.high_watermark, partition.awaits_sync) == (0, True)
    assert partition.read(0, 1000, at_least_one=True) == b""
    for fd in ticket.descriptors:
        os.close(fd)
    partition.end_sync(ticket)
    assert read_from(partition, 0) == {0: b"a"}
    sync(partition)
    assert read_from(partition, 0) == {0: b"a", 1: b"b"}
    assert not partition.awaits_sync
    partition.abandon()


def test_offsets_are_found_by_time_over_segments(tmp_path: Path) -> None:
    partition = open_partition(tmp_path)
    for i in range(40):
        partition.append(batch(b"x" * 50, b"y" * 50, timestamp=START + 100 * i))
    assert len(partition.segments) > 3
    assert first_at_or_after(partition, 0) == TimedOffset(START, 0)
    assert first_at_or_after(partition, START + 1501) == TimedOffset(START + 1501, 31)
    assert first_at_or_after(partition, START + 1502) == TimedOffset(START + 1600, 32)
    assert first_at_or_after(partition, START + 9999) == NOTHING
    assert latest_record(partition) == TimedOffset(START + 3901, 79)
    partition.truncate_front(33)
    assert first_at_or_after(partition, 0) == TimedOffset(START + 1601, 33)
    partition.abandon()


def test_old_segments_go_by_time_and_by_size(tmp_path: Path) -> None:
    config = TopicConfig.of({"segment.bytes": "600", "retention.ms": "10000", "retention.bytes": "1500"})
    partition = open_partition(tmp_path, config)
    for i in range(30):
        partition.append(batch(b"x" * 100, timestamp=START + 1000 * i))
    assert partition.apply_retention(START + 29_000)
    assert sum(segment.size for segment in partition.segments) <= 1500 + 600
    assert partition.log_start_offset == partition.segments[0].base_offset > 10
    assert partition.apply_retention(START + 100_000)
    assert (partition.log_start_offset, partition.log_end_offset) == (30, 30)
    assert partition.append(batch(b"next"))[0] == 30
    assert len(list(tmp_path.glob("*.log"))) == 1
    partition.abandon()


@pytest.mark.parametrize(
    ("configs", "bases"),
    [
        ({"segment.bytes": "300"}, [0, 2, 4]),
        ({"segment.ms": "2000"}, [0, 3]),
        ({"segment.ms": "2000", "message.timestamp.type": "LogAppendTime"}, [0]),
        ({"segment.index.bytes": "8", "index.interval.bytes": "0"}, [0, 2, 4]),
    ],
)
def test_a_segment_is_sealed_when_it_is_full_or_old(tmp_path: Path, configs: dict[str, str], bases: list[int]) -> None:
    partition = open_partition(tmp_path, TopicConfig.of(configs))
    for i in range(6):
        partition.append(batch(b"x" * 60, timestamp=START + 1000 * i))
    assert [segment.base_offset for segment in partition.segments] == bases
    partition.abandon()


def test_a_changed_age_holds_for_the_active_segment_too(tmp_path: Path) -> None:
    partition = open_partition(tmp_path, TopicConfig())
    partition.append(batch(b"x", timestamp=START))
    partition.configure(TopicConfig.of({"segment.ms": "1000"}))
    partition.append(batch(b"x", timestamp=START + 1001))
    assert len(partition.segments) == 2
    partition.abandon()
    again = open_partition(tmp_path, TopicConfig.of({"segment.ms": "1000"}))
    again.append(batch(b"x", timestamp=START + 2001))
    again.append(batch(b"x", timestamp=START + 2002))
    assert [segment.base_offset for segment in again.segments] == [0, 1, 3]
    again.abandon()


@pytest.mark.parametrize(
    ("configs", "rows", "code", "places"),
    [
        ({"cleanup.policy": "compact"}, [(b"k", START), (None, START)], ErrorCode.INVALID_RECORD, [1]),
        ({"cleanup.policy": "compact,delete"}, [(None, START), (None, START)], ErrorCode.INVALID_RECORD, [0, 1]),
        (
            {"message.timestamp.before.max.ms": "1000"},
            [(None, START), (None, 2**42), (None, -1)],
            ErrorCode.INVALID_TIMESTAMP,
            [0],
        ),
    ],
)
@pytest.mark.parametrize("compression", Compression)
def test_single_records_are_refused_by_their_places(
    tmp_path: Path,
    configs: dict[str, str],
    rows: list[tuple[bytes | None, int]],
    code: ErrorCode,
    places: list[int],
    compression: Compression,
) -> None:
    partition = open_partition(tmp_path, TopicConfig.of(configs | {"message.timestamp.after.max.ms": str(2**62)}))
    records = [Record(i, timestamp, key, b"v") for i, (key, timestamp) in enumerate(rows)]
    with pytest.raises(RecordsRefusedError) as refused:
        partition.append(memoryview(build_batch(records, compression=compression)))
    assert (refused.value.code, refused.value.records) == (code, places)
    assert partition.log_end_offset == 0
    partition.abandon()


@pytest.mark.parametrize("limit", ["message.timestamp.before.max.ms", "message.timestamp.after.max.ms"])
def test_records_without_a_timestamp_are_neither_early_nor_late(tmp_path: Path, limit: str) -> None:
    partition = open_partition(tmp_path, TopicConfig.of({limit: "0"}))
    partition.append(memoryview(build_batch([Record(0, -1, None, b"v")])))
    assert partition.log_end_offset == 1
    partition.abandon()
