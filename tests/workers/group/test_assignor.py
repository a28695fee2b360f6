"""The incremental cooperative assignor under a clock of the test's own. What Kafka's makes of the same histories is in
the golden suite; here is what a pool relies on."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kconnect_workers.group.assignor import ClusterAssignment, IncrementalCooperativeAssignor
from kconnect_workers.group.work import NOTHING, ConnectorsAndTasks
from kconnect_workers.states import TaskId

FIVE_MINUTES = 300_000


class Pool:
    """A leader's assignor and members that do as they are told."""

    def __init__(self, max_delay_ms: int = FIVE_MINUTES) -> None:
        self.assignor = IncrementalCooperativeAssignor(max_delay_ms)
        self.configured = NOTHING
        self.held: dict[str, ConnectorsAndTasks] = {}
        self.now_ms = 1_000
        self.generation = 0

    def configure(self, **tasks: int) -> None:
        ids = (TaskId(name, number) for name, count in tasks.items() for number in range(count))
        self.configured = ConnectorsAndTasks.of(tasks, ids)

    def round(self) -> ClusterAssignment:
        self.generation += 1
        cluster = self.assignor.assign(
            self.configured,
            self.held,
            generation=self.generation,
            last_completed_generation=self.generation - 1,
            now_ms=self.now_ms,
        )
        self.held = {m: held - cluster.revoked[m] | cluster.assigned[m] for m, held in self.held.items()}
        return cluster

    def settle(self, *joining: str) -> None:
        """Rounds until nothing more is revoked."""
        self.held |= dict.fromkeys(joining, NOTHING)
        while any(self.round().revoked.values()):
            pass

    def loads(self) -> list[int]:
        return sorted(len(work.tasks) for work in self.held.values())


def tasks(works: Iterable[ConnectorsAndTasks]) -> list[TaskId]:
    return sorted(task for work in works for task in work.tasks)


def test_what_a_worker_had_waits_for_it_and_is_given_back() -> None:
    pool = Pool()
    pool.configure(a=6)
    pool.settle("w1", "w2", "w3")
    had = pool.held.pop("w2")

    pool.now_ms += 10_000
    cluster = pool.round()
    assert (cluster.delay_ms, tasks(cluster.assigned.values())) == (FIVE_MINUTES, [])

    pool.now_ms += 60_000
    pool.held["w2, back"] = NOTHING
    assert pool.round().delay_ms == FIVE_MINUTES - 60_000

    pool.now_ms += FIVE_MINUTES - 60_000
    cluster = pool.round()
    assert cluster.delay_ms == 0
    assert cluster.assigned["w2, back"].tasks == had.tasks


def test_what_a_worker_had_goes_to_the_others_when_it_stays_away() -> None:
    pool = Pool()
    pool.configure(a=6)
    pool.settle("w1", "w2", "w3")
    had = pool.held.pop("w2")
    assert pool.round().delay_ms == FIVE_MINUTES

    pool.now_ms += FIVE_MINUTES - 1
    assert pool.round().delay_ms == 1
    pool.now_ms += 1
    cluster = pool.round()

    assert tasks(cluster.assigned.values()) == sorted(had.tasks)
    assert pool.loads() == [3, 3]


def test_new_connectors_do_not_wait_for_a_worker_that_left() -> None:
    pool = Pool()
    pool.configure(a=4)
    pool.settle("w1", "w2")
    del pool.held["w2"]
    pool.configure(a=4, b=1)

    cluster = pool.round()

    assert cluster.delay_ms == FIVE_MINUTES
    assert cluster.assigned["w1"].tasks == (TaskId("b", 0),)


def test_without_a_delay_what_is_lost_is_assigned_at_once() -> None:
    pool = Pool(max_delay_ms=0)
    pool.configure(a=4)
    pool.settle("w1", "w2")
    del pool.held["w2"]

    assert pool.round().delay_ms == 0
    assert pool.loads() == [4]


def test_a_new_worker_is_given_its_share_and_nothing_else_moves() -> None:
    pool = Pool()
    pool.configure(a=6)
    pool.settle("w1", "w2")
    before = dict(pool.held)

    pool.settle("w3")

    assert pool.loads() == [2, 2, 2]
    assert all(set(pool.held[worker].tasks) < set(before[worker].tasks) for worker in before)


def test_a_change_of_one_connector_touches_its_own_tasks_alone() -> None:
    pool = Pool()
    pool.configure(a=3, b=3, c=3)
    pool.settle("w1", "w2", "w3")

    pool.configure(a=3, c=3)
    cluster = pool.round()

    assert {task.connector for task in tasks(cluster.revoked.values())} == {"b"}
    assert tasks(cluster.assigned.values()) == []


def test_what_two_workers_run_is_taken_from_both_and_given_to_one() -> None:
    pool = Pool()
    pool.configure(a=2)
    both = ConnectorsAndTasks.of(["a"], [TaskId("a", 0)])
    pool.held = {"w1": both, "w2": both}

    cluster = pool.round()
    assert cluster.revoked["w1"].tasks == cluster.revoked["w2"].tasks == (TaskId("a", 0),)
    pool.round()

    assert tasks(pool.held.values()) == [TaskId("a", 0), TaskId("a", 1)]


def test_what_a_leader_assigned_without_hearing_of_it_is_assigned_anew_at_once() -> None:
    assignor = IncrementalCooperativeAssignor(FIVE_MINUTES)
    configured = ConnectorsAndTasks.of(["a"], [TaskId("a", 0), TaskId("a", 1)])
    both = {"w1": NOTHING, "w2": NOTHING}
    assignor.assign(configured, both, generation=1, last_completed_generation=-1, now_ms=0)

    # The round was lost, and w2 with it.
    cluster = assignor.assign(configured, {"w1": NOTHING}, generation=2, last_completed_generation=-1, now_ms=1)

    assert cluster.delay_ms == 0
    assert cluster.assigned["w1"].sorted() == configured


def test_revocations_one_after_another_are_kept_apart_by_a_growing_delay() -> None:
    pool = Pool()
    pool.configure(a=60)
    pool.settle("w0")
    rounds = []
    for number in range(1, 7):
        pool.held[f"w{number}"] = NOTHING
        cluster = pool.round()
        rounds.append((cluster.delay_ms, len(tasks(cluster.revoked.values()))))
        pool.now_ms += cluster.delay_ms

    assert rounds == [(0, 30), (40, 0), (0, 15), (1_600, 0), (0, 15), (64_000, 0)]

    pool.settle()
    assert pool.loads() == [8, 8, 8, 9, 9, 9, 9]


@pytest.mark.parametrize(("workers", "expected"), [(3, [3, 3, 4]), (10, [1] * 10), (12, [0, 0] + [1] * 10)])
def test_shares_are_even(workers: int, expected: list[int]) -> None:
    pool = Pool()
    pool.configure(a=10)
    pool.settle(*(f"w{number}" for number in range(workers)))

    assert pool.loads() == expected
