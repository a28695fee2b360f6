"""Random histories of a group under a virtual clock: whatever befalls it, nothing is assigned twice or forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from kconnect_workers.group.assignor import ClusterAssignment, IncrementalCooperativeAssignor
from kconnect_workers.group.work import NOTHING, ConnectorsAndTasks
from kconnect_workers.states import TaskId, connector_of

MAX_DELAY_MS = 60_000
ROUNDS = 40
"""More than any group takes to come to rest."""


class Worker:
    def __init__(self) -> None:
        self.held = NOTHING
        self.assignor = IncrementalCooperativeAssignor(MAX_DELAY_MS)
        self.last_completed_generation = -1


class Group:
    """Workers around a coordinator: the eldest leads. A worker that `misses` a round does not hear of its outcome."""

    def __init__(self) -> None:
        self.tasks: dict[str, int] = {}
        self.workers: dict[str, Worker] = {}
        self.joined = 0
        self.generation = 0
        self.now_ms = 1_000

    @property
    def configured(self) -> ConnectorsAndTasks:
        ids = (TaskId(name, number) for name, count in self.tasks.items() for number in range(count))
        return ConnectorsAndTasks.of(self.tasks, ids)

    def join(self) -> None:
        self.joined += 1
        self.workers[f"w{self.joined}"] = Worker()

    def leave(self, place: int) -> None:
        if len(self.workers) > 1:
            del self.workers[list(self.workers)[place % len(self.workers)]]

    def rebalance(self, missing: Sequence[int] = ()) -> ClusterAssignment:
        self.generation += 1
        leader = next(iter(self.workers.values()))
        cluster = leader.assignor.assign(
            self.configured,
            {name: self.workers[name].held for name in sorted(self.workers)},
            generation=self.generation,
            last_completed_generation=leader.last_completed_generation,
            now_ms=self.now_ms,
        )
        deaf = {list(self.workers)[place % len(self.workers)] for place in missing}
        for name, worker in self.workers.items():
            if name in deaf:
                continue
            worker.held = worker.held - cluster.revoked[name] | cluster.assigned[name]
            worker.last_completed_generation = self.generation
        self.check_nothing_runs_twice()
        return cluster

    def check_nothing_runs_twice(self) -> None:
        works = [worker.held for worker in self.workers.values()]
        counts = Counter(one for work in works for one in (*work.connectors, *work.tasks))
        assert not [one for one, count in counts.items() if count > 1]

    def come_to_rest(self) -> None:
        """Rounds as members ask for them, and delays as long as they are, until a round changes nothing."""
        for _ in range(ROUNDS):
            before = {name: worker.held for name, worker in self.workers.items()}
            cluster = self.rebalance()
            self.now_ms += cluster.delay_ms
            after = {name: worker.held for name, worker in self.workers.items()}
            if not cluster.delay_ms and before == after:
                return
        raise AssertionError(f"no rest after {ROUNDS} rounds")


joins = st.tuples(st.just("join"), st.just(0))
leaves = st.tuples(st.just("leave"), st.integers(0, 9))
changes = st.tuples(st.just("configure"), st.tuples(st.sampled_from("abcd"), st.integers(0, 6)))
deletions = st.tuples(st.just("delete"), st.sampled_from("abcd"))
pauses = st.tuples(st.just("wait"), st.sampled_from([1, 1_000, MAX_DELAY_MS // 2, MAX_DELAY_MS]))
misses = st.tuples(st.just("miss"), st.lists(st.integers(0, 9), min_size=1, max_size=3))
histories = st.lists(st.one_of(joins, leaves, changes, deletions, pauses, misses), max_size=25)


@settings(max_examples=400, deadline=None)
@given(histories)
def test_nothing_is_assigned_twice_or_forgotten(history: list[tuple[str, object]]) -> None:
    group = Group()
    group.join()
    for event, detail in history:
        match event, detail:
            case "join", _:
                group.join()
            case "leave", int(place):
                group.leave(place)
            case "configure", (str(name), int(count)):
                group.tasks[name] = count
            case "delete", str(name):
                group.tasks.pop(name, None)
            case "wait", int(pause_ms):
                group.now_ms += pause_ms
            case "miss", list(places):
                group.rebalance(places)
                continue
        group.rebalance()

    group.come_to_rest()

    held = [worker.held for worker in group.workers.values()]
    assert ConnectorsAndTasks.union(held).sorted() == group.configured.sorted()
    for sizes in ([len(work.connectors) for work in held], [len(work.tasks) for work in held]):
        assert max(sizes) - min(sizes) <= 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            ConnectorsAndTasks.of,
            st.sets(st.sampled_from("abc")),
            st.sets(st.builds(TaskId, st.sampled_from("abc"), st.integers(0, 3))),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_leader_that_knows_nothing_brings_order_into_whatever_workers_run(found: list[ConnectorsAndTasks]) -> None:
    group = Group()
    group.tasks = {"a": 3, "b": 1}
    for work in found:
        group.join()
        group.workers[f"w{group.joined}"].held = work
    group.check_nothing_runs_twice = lambda: None  # type: ignore[method-assign]  # they do, to begin with

    group.come_to_rest()

    del group.check_nothing_runs_twice
    group.check_nothing_runs_twice()
    held = ConnectorsAndTasks.union(worker.held for worker in group.workers.values())
    assert held.sorted() == group.configured.sorted()
    assert {connector_of(task) for task in held.tasks} <= group.tasks.keys()
