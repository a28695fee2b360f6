"""What a leader tells the members of its group."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kconnect_workers.group.assignment import Assignment, AssignmentError, WorkerState
from kconnect_workers.group.leader import Leader, Plan
from kconnect_workers.group.protocol import ConnectProtocol
from kconnect_workers.states import TaskId


@dataclass(frozen=True)
class Configs:
    offset: int

    def connectors(self) -> list[str]:
        return ["b", "a"]

    def tasks(self, connector: str) -> list[TaskId]:
        return [TaskId(connector, number) for number in range(3)]


def plan(protocol: ConnectProtocol, states: dict[str, WorkerState], offset: int = 7) -> Plan:
    return Leader(300_000).plan(
        "m1", states, Configs(offset), protocol, generation=1, last_completed_generation=-1, now_ms=0
    )


def test_an_eager_group_is_dealt_connectors_and_then_tasks_in_turn() -> None:
    told = plan(ConnectProtocol.EAGER, {"m2": WorkerState("http://2", 7), "m1": WorkerState("http://1", 5)})

    first = told.assignments["m1"]
    assert (first.leader, first.leader_url, first.config_offset) == ("m1", "http://1", 7)
    assert (first.connectors, first.tasks) == (("a",), (TaskId("a", 0), TaskId("a", 2), TaskId("b", 1)))
    second = told.assignments["m2"]
    assert (second.connectors, second.tasks) == (("b",), (TaskId("a", 1), TaskId("b", 0), TaskId("b", 2)))


@pytest.mark.parametrize("protocol", ConnectProtocol)
def test_the_owner_of_everything_is_known_by_its_url(protocol: ConnectProtocol) -> None:
    states = {f"m{number}": WorkerState(f"http://{number}", 7) for number in (1, 2, 3)}
    told = plan(protocol, states)

    for member, assignment in told.assignments.items():
        held: list[str | TaskId] = [*assignment.connectors, *assignment.tasks]
        assert {told.urls[one] for one in held} <= {states[member].url}
    assert len(told.urls) == 8


@pytest.mark.parametrize("protocol", ConnectProtocol)
def test_a_leader_that_has_read_less_than_others_assigns_nothing(protocol: ConnectProtocol) -> None:
    told = plan(protocol, {"m1": WorkerState("http://1", 7), "m2": WorkerState("http://2", 9)})

    failed = Assignment(AssignmentError.CONFIG_MISMATCH, "m1", "http://1", 9)
    assert told.assignments == {"m1": failed, "m2": failed}
    assert told.urls == {}


def test_a_leader_that_has_read_on_since_it_joined_says_how_far() -> None:
    told = plan(ConnectProtocol.SESSIONED, {"m1": WorkerState("http://1", 7), "m2": WorkerState("http://2", 9)}, 12)

    assert {assignment.config_offset for assignment in told.assignments.values()} == {12}
