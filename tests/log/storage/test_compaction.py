"""Compaction: what stays, against a model, and rule by rule."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kconnect.log.protocol.batch import Attribute, BatchHeader, Compression, batches
from kconnect.log.protocol.control import ControlType, EndMarker
from kconnect.log.protocol.records import Record, build_batch, read_records
from kconnect.log.storage.compaction.cleaner import find_for, job_for
from kconnect.log.storage.compaction.compactor import compact
from kconnect.log.storage.partition import Partition
from kconnect.log.topic_config import TopicConfig

START = 1_700_000_000_000
HOUR = 3_600_000
LARGE_MAP = 1 << 20
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": "500",
    "index.interval.bytes": "100",
    "min.cleanable.dirty.ratio": "0",
    "delete.retention.ms": str(HOUR),
    "message.timestamp.after.max.ms": str(10**15),
}

Row = tuple[bytes, bytes | None]


def open_partition(folder: Path, first_dirty_offset: int = 0, recovery_point: int = 0, **config: str) -> Partition:
    configs = COMPACTED | {key.replace("_", "."): value for key, value in config.items()}
    partition = Partition("t", 0, folder, TopicConfig.of(configs), lambda _: None)
    partition.open(recovery_point=recovery_point, log_start_offset=0, clean=True)
    assert partition.offline is None
    partition.first_dirty_offset = first_dirty_offset
    return partition


def append(partition: Partition, *rows: Row, timestamp: int = START, **settings: int) -> int:
    """One batch of keys and values; returns its base offset."""
    batch = build_batch([Record(i, timestamp + i, key, value) for i, (key, value) in enumerate(rows)], **settings)
    transactional = bool(settings.get("attributes", 0) & Attribute.TRANSACTIONAL)
    return partition.append(memoryview(batch), in_transaction=transactional)[0]


def in_transaction(partition: Partition, producer_id: int, sequence: int, *rows: Row, epoch: int = 0) -> int:
    return append(
        partition,
        *rows,
        attributes=Attribute.TRANSACTIONAL,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
    )


def end(partition: Partition, producer_id: int, how: ControlType, epoch: int = 0) -> int:
    return partition.append_end_marker(EndMarker(how, 0), producer_id, epoch)


def clean(partition: Partition, now: int = START, map_bytes: int = LARGE_MAP) -> bool:
    """Compact what is due as the cleaner does, in this process; whether anything was."""
    candidate = find_for(partition, now)
    if candidate is None:
        return False
    result = compact(job_for(partition, candidate, now, map_bytes))
    assert partition.segments.replace(result.segments)
    assert candidate.first_dirty_offset < result.first_dirty_offset <= candidate.end_offset
    partition.first_dirty_offset = result.first_dirty_offset
    return True


def batches_of(partition: Partition) -> Iterator[tuple[BatchHeader, list[Record]]]:
    for segment in partition.segments:
        for _, header, batch in segment.scan(0):
            yield header, read_records(header, batch)


def rows_of(partition: Partition) -> dict[int, Row]:
    """The records of clients, by offset."""
    return {
        record.offset: (record.key or b"", record.value)
        for header, records in batches_of(partition)
        if not header.is_control
        for record in records
    }


def markers_of(partition: Partition) -> list[int]:
    return [header.base_offset for header, records in batches_of(partition) if header.is_control and records]


# Against a model.

KEYS = st.sampled_from([b"a", b"b", b"c", b"d" * 40, b""])
ROWS = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=30)), min_size=1, max_size=5)


class CompactionModel(RuleBasedStateMachine):
    """Any history of appends, transactions, rolls, compactions and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.written: dict[int, Row] = {}
        self.aborted: set[int] = set()
        self.open_transactions: dict[int, list[int]] = {}
        self.sequences = dict.fromkeys(range(1, 5), 0)
        self.now = START

    @initialize()
    def begin(self) -> None:
        self.partition = open_partition(self.folder)

    def note(self, base_offset: int, rows: list[Row]) -> list[int]:
        offsets = list(range(base_offset, base_offset + len(rows)))
        self.written |= dict(zip(offsets, rows, strict=True))
        return offsets

    @rule(rows=ROWS, compression=st.sampled_from(Compression))
    def produce(self, rows: list[Row], compression: Compression) -> None:
        self.note(append(self.partition, *rows, timestamp=self.now, compression=compression), rows)

    @rule(rows=ROWS, producer_id=st.sampled_from([1, 2]))
    def produce_idempotently(self, rows: list[Row], producer_id: int) -> None:
        sequence = self.sequences[producer_id]
        base = append(self.partition, *rows, producer_id=producer_id, producer_epoch=0, base_sequence=sequence)
        self.sequences[producer_id] += len(rows)
        self.note(base, rows)

    @rule(rows=ROWS, producer_id=st.sampled_from([3, 4]))
    def produce_in_transaction(self, rows: list[Row], producer_id: int) -> None:
        base = in_transaction(self.partition, producer_id, self.sequences[producer_id], *rows)
        self.sequences[producer_id] += len(rows)
        self.open_transactions.setdefault(producer_id, []).extend(self.note(base, rows))

    @rule(producer_id=st.sampled_from([3, 4]), how=st.sampled_from(ControlType))
    def end_transaction(self, producer_id: int, how: ControlType) -> None:
        if producer_id in self.open_transactions:
            end(self.partition, producer_id, how)
            offsets = self.open_transactions.pop(producer_id)
            if how is ControlType.ABORT:
                self.aborted |= set(offsets)

    @rule()
    def roll(self) -> None:
        if self.partition.segments[-1].size:
            self.partition.roll()

    @rule(hours=st.integers(0, 3))
    def wait(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule(map_bytes=st.sampled_from([1, 600, LARGE_MAP]))
    def compact(self, map_bytes: int) -> None:
        while clean(self.partition, self.now, map_bytes):
            pass

    @rule(forgetful=st.booleans(), synced=st.floats(0, 1))
    def restart(self, forgetful: bool, synced: float) -> None:
        """The helper files may be gone: everything has to be in the log."""
        first_dirty, ends = self.partition.first_dirty_offset, self.partition.log_end_offset
        self.partition.save_helpers()
        self.partition.abandon()
        if forgetful:
            for pattern in ("*.index", "*.timeindex", "*.txnindex", "*.snapshot"):
                for path in self.folder.glob(pattern):
                    path.unlink()
        self.partition = open_partition(self.folder, first_dirty, recovery_point=int(synced * ends))
        assert self.partition.log_end_offset == ends

    @invariant()
    def holds_the_last_value_of_every_key(self) -> None:
        if not hasattr(self, "partition"):
            return
        left = rows_of(self.partition)
        assert list(left) == sorted(left)
        assert left.items() <= self.written.items()
        undecided = {offset for offsets in self.open_transactions.values() for offset in offsets}
        committed = {o: row for o, row in self.written.items() if o not in self.aborted and o not in undecided}
        last = dict(committed.values())
        last_left = {key: value for o, (key, value) in left.items() if o in committed}
        assert {k: v for k, v in last.items() if v is not None} == {k: v for k, v in last_left.items() if v is not None}
        assert undecided <= left.keys()

    @invariant()
    def every_producer_can_go_on(self) -> None:
        if hasattr(self, "partition"):
            known = {state.producer_id: state.last_sequence for state in self.partition.producers}
            assert known == {id_: sequence - 1 for id_, sequence in self.sequences.items() if sequence}

    @invariant()
    def offsets_can_be_located(self) -> None:
        if hasattr(self, "partition"):
            for offset in rows_of(self.partition):
                segment = self.partition.segments[self.partition.segments.number_of(offset)]
                span = segment.locate(offset)
                assert span is not None

    def teardown(self) -> None:
        self.partition.abandon()
        shutil.rmtree(self.folder)


CompactionModel.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
test_the_last_value_of_every_key_stays = CompactionModel.TestCase


# Rule by rule.


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    opened = open_partition(tmp_path, segment_bytes="1000000")
    yield opened
    opened.abandon()


def test_the_last_record_of_a_key_stays_where_it_was(partition: Partition) -> None:
    append(partition, (b"a", b"1"), (b"b", b"1"), (b"a", b"2"))
    append(partition, (b"b", b"2"))
    partition.roll()
    append(partition, (b"b", b"3"))
    assert clean(partition)
    assert rows_of(partition) == {2: (b"a", b"2"), 3: (b"b", b"2"), 4: (b"b", b"3")}
    assert not clean(partition)


def test_the_active_segment_is_not_looked_at(partition: Partition) -> None:
    append(partition, (b"a", b"1"), (b"a", b"2"))
    assert not clean(partition)
    assert len(rows_of(partition)) == 2


def test_a_batch_keeps_its_bounds_and_all_that_is_said_of_it(partition: Partition) -> None:
    append(
        partition,
        *[(b"%d" % (i % 3), b"x" * 100) for i in range(10)],
        compression=Compression.ZSTD,
        producer_id=7,
        producer_epoch=2,
        base_sequence=0,
    )
    ((before, _),) = batches_of(partition)
    partition.roll()
    append(partition, (b"1", b"later"))
    partition.roll()
    assert clean(partition)
    after, records = next(batches_of(partition))
    assert [record.offset for record in records] == [8, 9]
    assert after._replace(crc=0, length=0, record_count=10, max_timestamp=before.max_timestamp) == before._replace(
        crc=0, length=0
    )
    assert after.compression is Compression.ZSTD


def test_a_batch_without_records_stays_for_its_producer_and_for_the_end(partition: Partition) -> None:
    append(partition, (b"a", b"1"), producer_id=7, producer_epoch=0, base_sequence=0)
    append(partition, (b"a", b"2"), producer_id=8, producer_epoch=0, base_sequence=0)
    append(partition, (b"a", b"3"), producer_id=8, producer_epoch=0, base_sequence=1)
    append(partition, (b"a", b"4"))
    partition.roll()
    append(partition, (b"a", b"5"))
    partition.roll()
    assert clean(partition)
    assert [(header.base_offset, len(records)) for header, records in batches_of(partition)] == [(0, 0), (2, 0), (4, 1)]
    repeated = partition.producers.check(8, 0, 1, 1)
    assert repeated is not None
    assert repeated.base_offset == 2


def test_the_last_batch_stays_without_records_so_that_the_end_is_known(partition: Partition) -> None:
    in_transaction(partition, 5, 0, (b"a", b"aborted"))
    in_transaction(partition, 5, 1, (b"a", b"aborted too"))
    partition.roll()
    end(partition, 5, ControlType.ABORT, epoch=1)
    assert clean(partition)
    assert [(header.last_offset, len(records)) for header, records in batches_of(partition)] == [(1, 0), (2, 1)]


def test_the_marker_of_a_producer_that_wrote_nothing_since_stays_without_its_record(partition: Partition) -> None:
    in_transaction(partition, 5, 0, (b"a", b"aborted"))
    marker = end(partition, 5, ControlType.ABORT, epoch=1)
    for step in range(3):
        append(partition, (b"x", b"%d" % step))
        partition.roll()
        assert clean(partition, START + 2 * step * HOUR)
    first = next(header for header, _ in batches_of(partition))
    assert (first.base_offset, first.is_control, first.record_count) == (marker, True, 0)
    assert (first.producer_id, first.producer_epoch) == (5, 1)


def test_an_aborted_transaction_of_the_past_hides_no_later_one(partition: Partition) -> None:
    append(partition, (b"a", b"1"))
    in_transaction(partition, 5, 0, (b"a", b"aborted"))
    end(partition, 5, ControlType.ABORT)
    partition.roll()
    assert clean(partition)
    in_transaction(partition, 5, 1, (b"a", b"2"))
    end(partition, 5, ControlType.COMMIT)
    partition.roll()
    assert clean(partition)
    assert rows_of(partition) == {3: (b"a", b"2")}


def test_a_tombstone_stays_for_its_time_after_it_was_first_seen(partition: Partition) -> None:
    def more(value: bytes) -> None:
        append(partition, (b"other", value))
        partition.roll()

    append(partition, (b"a", b"1"))
    append(partition, (b"a", None))
    more(b"1")
    assert clean(partition, START)
    assert rows_of(partition)[1] == (b"a", None)
    tombstones = next(header for header, _ in batches_of(partition))
    assert tombstones.attributes & Attribute.DELETE_HORIZON
    assert tombstones.base_timestamp == START + HOUR
    assert tombstones.max_timestamp == START
    more(b"2")
    assert clean(partition, START + HOUR - 1)
    assert rows_of(partition)[1] == (b"a", None)
    more(b"3")
    assert clean(partition, START + HOUR)
    assert rows_of(partition) == {4: (b"other", b"3")}


def test_aborted_data_goes_and_its_marker_after_it(partition: Partition) -> None:
    append(partition, (b"a", b"kept"))
    in_transaction(partition, 5, 0, (b"a", b"aborted"))
    marker = end(partition, 5, ControlType.ABORT)
    append(partition, (b"x", b"1"))
    partition.roll()
    assert clean(partition, START)
    assert rows_of(partition) == {0: (b"a", b"kept"), 3: (b"x", b"1")}
    assert markers_of(partition) == [marker]
    assert [entry.last_offset for entry in partition.segments[0].transaction_index] == [marker]
    for step, now in ((1, START), (2, START), (3, START + HOUR - 1), (4, START + HOUR)):
        assert marker in markers_of(partition)
        in_transaction(partition, 5, step, (b"y", b"%d" % step))
        end(partition, 5, ControlType.COMMIT)
        partition.roll()
        assert clean(partition, now)
    assert marker not in markers_of(partition)
    assert not any(list(segment.transaction_index) for segment in partition.segments)


def test_a_commit_marker_stays_as_long_as_data_of_its_transaction(partition: Partition) -> None:
    in_transaction(partition, 5, 0, (b"a", b"1"))
    marker = end(partition, 5, ControlType.COMMIT)
    for step in range(1, 4):
        append(partition, (b"x", b"%d" % step))
        partition.roll()
        assert clean(partition, START + 2 * step * HOUR)
    assert marker in markers_of(partition)


def test_nothing_behind_an_open_transaction_is_looked_at(partition: Partition) -> None:
    append(partition, (b"a", b"1"))
    partition.roll()
    in_transaction(partition, 5, 0, (b"b", b"1"))
    append(partition, (b"a", b"2"))
    partition.roll()
    assert clean(partition)
    assert partition.first_dirty_offset == 1
    assert not clean(partition)
    end(partition, 5, ControlType.ABORT)
    assert clean(partition)
    assert rows_of(partition) == {2: (b"a", b"2")}


def test_small_segments_become_one(tmp_path: Path) -> None:
    partition = open_partition(tmp_path)
    for i in range(30):
        append(partition, (b"%d" % (i % 3), b"x" * 100))
    assert len(partition.segments) > 8
    partition.roll()
    assert clean(partition)
    assert rows_of(partition) == {i: (b"%d" % (i % 3), b"x" * 100) for i in (27, 28, 29)}
    for _ in range(2):  # the batches that mark where segments ended go with those
        append(partition, (b"more", b"1"))
        partition.roll()
        assert clean(partition)
    assert len(partition.segments) <= 3
    assert max(segment.size for segment in partition.segments) <= 500
    partition.abandon()


def test_a_reader_is_not_given_segments_that_are_empty_one_by_one(tmp_path: Path) -> None:
    partition = open_partition(tmp_path)
    for i in range(12):
        append(partition, (b"a", b"%d" % i * 60))
    partition.roll()
    assert clean(partition)
    assert len(partition.segments) > 3
    first = next(iter(batches(memoryview(partition.read(0, 1000, at_least_one=True)))))
    assert [record.offset for record in read_records(*first)] == [11]
    partition.abandon()


def test_with_little_memory_it_goes_on_where_the_memory_was_full(tmp_path: Path) -> None:
    partition = open_partition(tmp_path)
    for i in range(60):
        append(partition, (b"%d" % (i % 20), b"%d" % i))
    partition.roll()
    rounds = 0
    while clean(partition, map_bytes=1200):
        rounds += 1
    assert rounds > 2
    assert rows_of(partition) == {i: (b"%d" % (i % 20), b"%d" % i) for i in range(40, 60)}
    partition.abandon()


def test_what_is_missing_of_a_compacted_segment_is_no_damage(tmp_path: Path) -> None:
    partition = open_partition(tmp_path)
    for i in range(8):
        append(partition, (b"a", b"%d" % i * 60))
    partition.roll()
    bases = [segment.base_offset for segment in partition.segments]
    assert bases[1] > 2
    assert clean(partition)
    partition.abandon()
    again = open_partition(tmp_path, recovery_point=2)
    assert rows_of(again) == {7: (b"a", b"7" * 60)}
    again.abandon()


def test_every_segment_that_is_left_ends_where_the_next_begins(tmp_path: Path) -> None:
    partition = open_partition(tmp_path)
    for i in range(8):
        append(partition, (b"a", b"%d" % i * 60))
        append(partition, (b"only %d" % i, b"x" * 100))
    partition.roll()
    for step in range(2):
        append(partition, (b"a", b"last"), timestamp=START + step)
        partition.roll()
        assert clean(partition, START + step * HOUR)
        assert len(partition.segments) > 3
        for segment, following in pairwise(partition.segments):
            *_, (_, last) = segment.walk(0)
            assert last.last_offset + 1 == following.base_offset
    partition.abandon()


def test_segments_that_went_meanwhile_are_not_replaced(tmp_path: Path) -> None:
    partition = open_partition(tmp_path)
    for i in range(30):
        append(partition, (b"a", b"x" * 100), timestamp=START + i)
    candidate = find_for(partition, START)
    assert candidate is not None
    result = compact(job_for(partition, candidate, START, LARGE_MAP))
    partition.truncate_front(partition.segments[2].base_offset)
    assert not partition.segments.replace(result.segments)
    assert rows_of(partition)[partition.log_start_offset] == (b"a", b"x" * 100)
    partition.abandon()
    again = open_partition(tmp_path)
    assert list(tmp_path.glob("*.cleaned")) == []
    again.abandon()


def test_damage_is_not_sealed_with_a_new_checksum(partition: Partition) -> None:
    append(partition, (b"a", b"x" * 100), (b"a", b"y" * 100))
    partition.roll()
    path = partition.segments[0].path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(Exception, match="checksum"):
        clean(partition)
    assert list(path.parent.glob("*.cleaned")) == []
    assert path.read_bytes() == content


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("steps", range(22))
def test_an_interrupted_replacement_is_whole_or_as_if_it_had_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    partition = open_partition(tmp_path)
    values = [b"%d" % i + b"x" * 100 for i in range(6)]
    for i, value in enumerate(values):
        append(partition, (b"%d" % (i % 3), value), producer_id=1, producer_epoch=0, base_sequence=i)
    partition.roll()
    partition.configure(TopicConfig.of(COMPACTED | {"segment.bytes": "1000000"}))
    candidate = find_for(partition, START)
    assert candidate is not None
    result = compact(job_for(partition, candidate, START, LARGE_MAP))
    assert [len(new.replaces) for new in result.segments] == [3]
    rename, left = Path.rename, iter(range(steps))

    def rename_or_crash(source: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise Crash
        return rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename_or_crash)
        with suppress(Crash):
            partition.segments.replace(result.segments)
    partition.abandon()
    again = open_partition(tmp_path)
    kinds = {path.suffix for path in tmp_path.iterdir()}
    assert kinds <= {".log", ".index", ".timeindex", ".txnindex", ".snapshot", ""}
    assert {path.stem for path in tmp_path.glob("*.*index")} == {path.stem for path in tmp_path.glob("*.log")}
    left_rows = rows_of(again)
    assert len(left_rows) == (6 if steps < 4 else 3)
    assert dict(left_rows.values()) == {b"%d" % (i % 3): values[i] for i in (3, 4, 5)}
    clean(again)
    assert list(rows_of(again)) == [3, 4, 5]
    assert again.log_end_offset == 6
    again.abandon()
