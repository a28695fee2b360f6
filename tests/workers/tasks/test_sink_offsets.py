"""What a sink may commit."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kconnect.record import TopicPartition
from kconnect_workers.tasks.sink_offsets import SinkOffsets

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.fixture
def offsets() -> SinkOffsets:
    offsets = SinkOffsets()
    offsets.assign([A, B], {A: 10})
    return offsets


def test_what_is_uncommitted_can_be_counted_while_partitions_come_and_go(offsets: SinkOffsets) -> None:
    partitions = [TopicPartition("t", number) for number in range(500)]
    done = threading.Event()
    counted: list[int] = []

    def count() -> None:
        while not done.is_set():
            counted.append(offsets.uncommitted())

    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(count)
        for _ in range(1000):
            offsets.assign(partitions, dict.fromkeys(partitions, 5))
            offsets.put(dict.fromkeys(partitions, 9))
            offsets.revoke(partitions)
        done.set()
        counting.result(30)
    assert max(counted) > 0


def test_what_was_put_can_be_committed_once(offsets: SinkOffsets) -> None:
    offsets.put({A: 15})
    assert offsets.current() == {A: 15}
    assert offsets.uncommitted() == 5
    assert offsets.committable({A: 15}) == {A: 15}
    offsets.committed({A: 15})
    assert offsets.committable({A: 15}) == {}
    assert offsets.uncommitted() == 0


def test_a_task_may_hold_offsets_back(offsets: SinkOffsets) -> None:
    offsets.put({A: 15, B: 3})
    assert offsets.committable({A: 12}) == {A: 12}


@pytest.mark.parametrize(
    "offered",
    [{A: 16}, {B: 1}, {TopicPartition("strange", 0): 1}, {}, None],
    ids=["beyond what was put", "nothing was put", "not assigned", "nothing", "None"],
)
def test_what_cannot_be_committed_is_passed_over(offsets: SinkOffsets, offered: dict[TopicPartition, int]) -> None:
    offsets.put({A: 15})
    assert offsets.committable(offered) == {}


def test_going_back_returns_to_what_was_committed_or_first_read(offsets: SinkOffsets) -> None:
    offsets.read(B, 7)
    offsets.put({A: 15, B: 9})
    assert offsets.rewind() == {A: 10, B: 7}
    assert offsets.current() == {A: 10, B: 7}


def test_where_a_task_has_gone_is_committed_and_what_going_back_returns_to(offsets: SinkOffsets) -> None:
    offsets.put({A: 15})
    offsets.committed({A: 15})
    offsets.sought(A, 12)
    assert offsets.committable(offsets.current()) == {A: 12}
    offsets.put({A: 14})
    assert offsets.rewind() == {A: 12}
    offsets.committed({A: 12})
    assert offsets.committable(offsets.current()) == {}


def test_a_revoked_partition_is_forgotten(offsets: SinkOffsets) -> None:
    offsets.put({A: 15})
    offsets.revoke([A])
    offsets.put({A: 16})
    assert offsets.current() == {}
    assert offsets.committable({A: 15}) == {}
    assert offsets.assigned == {B}
