from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest

from kconnect import ConnectError, OffsetLedger, PartitionLog, SinkRecord, StoredOffset, TopicPartition
from kconnect.testing.sinks import SinkContext

A, B = TopicPartition("t", 0), TopicPartition("t", 1)
HERE = PartitionLog("cluster", "topic", 0, 1000)


class Target:
    """A system with transactions, in memory: `rows` and `offsets` change together or not at all."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int]] = []
        self.offsets: dict[TopicPartition, StoredOffset] = {}
        self.owners: dict[TopicPartition, int] = {}

    def place(self, partition: TopicPartition) -> str:
        return f"the target, {partition}"

    def take(self, partition: TopicPartition) -> tuple[int, StoredOffset | None]:
        self.owners[partition] = self.owners.get(partition, 0) + 1
        return self.owners[partition], self.offsets.get(partition)

    def look(self, partitions: Sequence[TopicPartition]) -> list[tuple[int | None, int | None]]:
        stored = [self.offsets.get(partition) for partition in partitions]
        owners = [self.owners.get(partition) for partition in partitions]
        return [(owner, None if each is None else each.offset) for owner, each in zip(owners, stored, strict=True)]

    def put_back(self, partition: TopicPartition, offset: int) -> None:
        self.offsets[partition] = StoredOffset(offset, "cluster", "topic")


class Task:
    def __init__(self, target: Target, *partitions: TopicPartition) -> None:
        self.target = target
        self.context = SinkContext({}, reporting=False)
        self.context.log = HERE
        self.context.partitions = frozenset(partitions or (A,))
        self.ledger = OffsetLedger(target, self.context)

    def put(self, *offsets: int, partition: TopicPartition = A, fails: str = "") -> None:
        """`fails` before or after the transaction: then the task is not told that it succeeded."""
        self.put_records([SinkRecord(*partition, None, None, None, None, offset) for offset in offsets], fails)

    def put_records(self, records: list[SinkRecord], fails: str = "") -> None:
        new = self.ledger.begin(records)
        if fails == "before":
            return
        self.target.rows += [(record.partition, record.offset) for record in new]
        self.target.offsets |= self.ledger.offsets()
        if fails != "after":
            self.ledger.done()


@pytest.fixture
def target() -> Target:
    return Target()


def rows(*offsets: int, partition: int = 0) -> list[tuple[int, int]]:
    return [(partition, offset) for offset in offsets]


@pytest.mark.parametrize("fails", ["before", "after", ""])
def test_a_batch_that_is_put_again_is_written_once(target: Target, fails: str) -> None:
    task = Task(target)
    task.put(0, 1, 2, fails=fails)
    task.put(0, 1, 2)
    task.put(3)
    assert (target.rows, target.offsets) == (rows(0, 1, 2, 3), {A: StoredOffset(4, "cluster", "topic")})


def test_a_part_of_a_batch_that_is_put_again_does_not_take_the_offset_back(target: Target) -> None:
    task = Task(target)
    task.put(0, 1, 2)
    task.put(0, 1)
    task.put(2, 3)
    assert target.rows == rows(0, 1, 2, 3)


def test_a_successor_goes_on_where_the_target_is_and_fences_the_earlier_owner(target: Target) -> None:
    zombie = Task(target)
    zombie.put(0, 1)
    task = Task(target)
    task.put()
    assert task.context.rewound == {A: 2}
    with pytest.raises(ConnectError, match="t-0: another task has taken it over"):
        zombie.put(2)
    task.put(2)
    assert target.rows == rows(0, 1, 2)


@pytest.mark.parametrize(
    ("first", "moves"),
    [(range(2, 6), False), (range(5, 8), False), (range(3), True), (range(7, 9), True)],
    ids=["overlaps", "adjoins", "is far behind", "leaves a gap"],
)
def test_what_a_successor_is_given_first_decides_whether_reading_moves(
    target: Target, first: range, moves: bool
) -> None:
    Task(target).put(*range(5))
    task = Task(target)
    task.put(*first)
    assert task.context.rewound == ({A: 5} if moves else {})
    task.put(*range(5, 9))
    assert target.rows == rows(*range(9))


def test_each_partition_moves_by_itself(target: Target) -> None:
    Task(target).put(0, 1, 2)
    task = Task(target, A, B)
    task.put_records([SinkRecord("t", p, None, None, None, None, n) for p, n in [(0, 8), (1, 8), (0, 9)]])
    assert (task.context.rewound, target.rows) == ({A: 3}, [*rows(0, 1, 2), (1, 8)])


def test_a_target_that_has_lost_its_last_transactions_gets_them_again(target: Target) -> None:
    task = Task(target)
    task.put(0, 1)
    before = dict(target.offsets), list(target.rows)
    task.put(2, 3)
    target.offsets, target.rows = before
    task.put(4)
    assert (task.context.rewound, target.rows) == ({A: 2}, rows(0, 1))
    task.put(2, 3, 4)
    assert target.rows == rows(0, 1, 2, 3, 4)


def test_a_target_that_has_lost_everything_fails_the_task(target: Target) -> None:
    task = Task(target)
    task.put(0, 1)
    target.offsets.clear()
    with pytest.raises(ConnectError, match=r"was removed from where it is kept \(the target, t-0\)"):
        task.put(2)


@pytest.mark.parametrize("under_way", [False, True])
def test_another_log_fails_the_task_and_goes_on_failing_it(target: Target, under_way: bool) -> None:
    task = Task(target)
    task.put(0, 1, 2)
    if not under_way:
        task = Task(target)
    task.context.log = PartitionLog("cluster", "another", 0, 9)
    for _ in range(2):
        with pytest.raises(ConnectError, match="the topic was made anew"):
            task.put(0, 1)
    assert target.rows == rows(0, 1, 2)


def test_records_that_were_refused_are_gone_back_to(target: Target) -> None:
    task = Task(target, A, B)
    records = [SinkRecord("t", p, None, None, None, None, n) for p, n in [(0, 5), (1, 7), (0, 6), (1, 8)]]
    task.put_records(records)
    task.ledger.go_back(records[1:])
    assert {partition: stored.offset for partition, stored in target.offsets.items()} == {A: 6, B: 7}
    assert task.ledger.begin(records) == records[1:]


def test_a_partition_that_was_given_up_is_taken_anew(target: Target) -> None:
    task = Task(target)
    task.put(0)
    task.ledger.give_up([A])
    Task(target).put(1)
    task.put(2)
    assert (target.rows, target.owners) == (rows(0, 1, 2), {A: 3})


def test_nothing_is_skipped_or_doubled_whatever_fails_in_between(target: Target) -> None:
    task = Task(target)
    for first in range(0, 60, 2):
        fails = ("before", "after", "")[first % 3]
        with suppress(ConnectError):
            task.put(first, first + 1, fails=fails)
        if first % 10 == 4:
            task = Task(target)
        task.put(first, first + 1)
    assert target.rows == rows(*range(60))
