"""What is shown of tasks that do not say themselves how far they lag."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pytest
from rich.console import Console

from kconnect.kafka.groups import GroupDescription, GroupMember, PartitionLag
from kconnect_workers.progress import AboveTable, Flowing, Progress, lags_of, totals
from kconnect_workers.states import State, TaskId
from kconnect_workers.tasks.task_stats import TaskStats


def member(id: str) -> GroupMember:
    return GroupMember(member_id=id, client_id=id, host="127.0.0.1", partitions=frozenset())


def group(*partitions: tuple[str | None, int | None]) -> GroupDescription:
    """A group whose partitions, by whom they are given to and what is committed of ten records, are these."""
    owners = {owner for owner, _ in partitions if owner is not None}
    return GroupDescription(
        group="g",
        state="STABLE",
        members=tuple(map(member, sorted(owners))),
        partitions=tuple(
            PartitionLag(
                topic="t",
                partition=number,
                committed=committed,
                log_end_offset=10,
                member=None if owner is None else member(owner),
            )
            for number, (owner, committed) in enumerate(partitions)
        ),
    )


@dataclass
class Task:
    state: State
    stats: TaskStats


def test_connectors_without_tasks_are_shown_too():
    """Those that are stopped, that could not start, or that found nothing to do."""
    tasks: dict[TaskId, Flowing] = {TaskId("orders", 0): Task(State.PAUSED, TaskStats(records_in=1234, records_out=5))}
    states = {"orders": State.PAUSED, "lines": State.STOPPED}
    progress = Progress(lambda: tasks, lambda: states, describe)
    assert progress.line() == "lines STOPPED · orders-0 PAUSED in 1,234 out 5 (0/s)"
    table = Console(width=80, file=io.StringIO(), record=True)
    table.print(progress.table())
    rows = [row.split() for row in table.export_text().splitlines()[1:]]
    assert rows == [["lines", "STOPPED"], ["orders-0", "PAUSED", "1,234", "5", "0/s"]]


@pytest.mark.parametrize("state", [State.RUNNING, State.PAUSED, State.FAILED])
def test_the_lag_is_what_the_task_said_until_its_group_has_been_asked(state: State):
    tasks: dict[TaskId, Flowing] = {TaskId("orders", 0): Task(state, TaskStats(lag=7))}
    assert Progress(lambda: tasks, dict, describe).line().endswith("(0/s, lag 7)")


def test_lines_above_the_table_are_left_whole():
    shown = io.StringIO()
    stream = AboveTable(Console(width=20, file=shown, force_terminal=True))
    stream.write("a path that is long: /a/folder/of/many/letters [and so on]\n")
    assert shown.getvalue() == "a path that is long: /a/folder/of/many/letters [and so on]\n"


async def describe(group_id: str) -> GroupDescription:
    raise AssertionError("nobody watches the lags")


def test_the_totals_have_a_line_for_each_task():
    tasks: dict[TaskId, Flowing] = {TaskId("orders", 0): Task(State.RUNNING, TaskStats(records_in=1234, records_out=5))}
    assert totals(tasks) == ["orders-0: 1,234 records in, 5 out"]


@pytest.mark.parametrize(
    ("partitions", "members", "lags"),
    [
        pytest.param([("a", 4), ("a", 9), ("b", 10)], ["a", "b"], [7, 0], id="paused: each its own"),
        pytest.param([("a", 4), ("b", 1)], ["a"], [6], id="others run"),
        pytest.param([(None, 4), (None, 9)], ["gone", "gone too"], [7, None], id="failed: nobody's, shown once"),
        pytest.param([("b", 4), ("b", 9)], ["gone"], [None], id="failed: another has taken over"),
        pytest.param([("a", None)], ["a"], [None], id="nothing committed yet"),
        pytest.param([(None, 4)], [None], [6], id="never joined"),
    ],
)
def test_the_lag_of_tasks_that_do_not_run_is_what_their_group_has_not_committed(
    partitions: list[tuple[str | None, int | None]], members: list[str | None], lags: list[int | None]
):
    tasks = {TaskId("sink", number): member_id for number, member_id in enumerate(members)}
    assert list(lags_of(group(*partitions), tasks).values()) == lags
