from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kconnect_workers.config.restart_config import RestartConfig
from kconnect_workers.herder.recovery import Failures, Recovery
from kconnect_workers.states import State, TargetState, TaskId

CONFIG = RestartConfig.parse({"errors.restart.delay.max.ms": "10000"})


@pytest.mark.parametrize(
    ("failed_at", "delay"),
    [
        ([0.0], 1.0),
        ([0.0, 1.5], 2.0),
        ([0.0, 1.5, 4.0], 4.0),
        ([0.0, 1.5, 4.0, 9.0, 18.0, 29.0], 10.0),
        ([0.0, 1.5, 200.0], 1.0),
        ([float(second) for second in range(2000)], 10.0),
    ],
)
def test_pauses_grow_until_a_task_has_run_for_a_while(failed_at: list[float], delay: float) -> None:
    failures = Failures()
    for now in failed_at:
        failures = failures.next(now, CONFIG)
    assert failures.delay(CONFIG) == delay


@pytest.mark.parametrize(
    ("worker", "connector", "restarted"),
    [
        ("false", {}, False),
        ("false", {"errors.restart.enable": "true"}, True),
        ("true", {"errors.restart.enable": "false"}, False),
        ("true", {"errors.restart.enable": "${env:RESTART}"}, True),
        ("false", {"errors.restart.enable": "${env:RESTART}"}, False),
    ],
)
def test_a_connector_goes_over_the_worker_where_it_names_a_value(
    worker: str, connector: dict[str, str], restarted: bool
) -> None:
    async def scenario() -> None:
        again: list[str | TaskId] = []
        worker_props = {"errors.restart.enable": worker, "errors.restart.delay.initial.ms": "0"}
        recovery = Recovery(worker_props, again.append)
        outlook = recovery.failed(TaskId("c", 0), connector)
        assert outlook.startswith("Started again" if restarted else "Not started again by itself: errors.restart.ena")
        timer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0, timer.set_result, None)  # behind the pause, which has no length
        await timer
        assert again == ([TaskId("c", 0)] if restarted else [])

    asyncio.run(scenario())


@pytest.mark.parametrize(("forgotten", "count"), [("c", 1), (TaskId("c", 0), 1), (TaskId("c", 1), 3), ("other", 3)])
def test_pauses_begin_anew_for_what_a_user_starts(
    caplog: pytest.LogCaptureFixture, forgotten: str | TaskId, count: int
) -> None:
    async def scenario() -> None:
        recovery = Recovery({}, lambda again: None)
        for _ in range(2):
            recovery.failed(TaskId("c", 0), {})
        recovery.forget(forgotten)
        assert recovery.failed(TaskId("c", 0), {}).endswith(f"after failure {count} in a row.")
        recovery.stop()

    asyncio.run(scenario())
    assert caplog.messages[-1].endswith(f"after failure {count} in a row")


SOURCE = {"connector.class": "java.Source", "file": "a.txt", "errors.restart.delay.initial.ms": "1"}


@pytest.mark.parametrize(
    ("props", "target", "misconfigured", "restarted"),
    [
        ({}, None, False, True),
        ({"errors.restart.enable": "false"}, None, False, False),
        ({}, TargetState.PAUSED, False, False),
        ({}, None, True, False),
    ],
)
def test_a_failed_task_is_started_again_unless_that_is_not_wanted(
    workbench: Any, props: dict[str, str], target: TargetState | None, misconfigured: bool, restarted: bool
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", {**SOURCE, **props})
        await workbench.settle()
        if target is not None:
            await herder.set_target_state("c", target)
            await workbench.settle()
        workbench.environment.starts.clear()
        herder.supervision.on_status(TaskId("c", 0), State.FAILED, "boom", misconfigured=misconfigured)
        await workbench.settle()
        # The pause is a millisecond: a timer that is due later has run when this one has.
        timer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, timer.set_result, None)
        await timer
        await workbench.settle()
        assert workbench.environment.starts == ([TaskId("c", 0)] if restarted else [])

    asyncio.run(scenario())


@pytest.mark.parametrize(("enabled", "begun"), [("true", ["c", TaskId("c", 0)]), ("false", [])])
def test_a_failed_connector_is_started_again_and_has_its_tasks_made(
    workbench: Any, enabled: str, begun: list[str | TaskId]
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        workbench.environment.broken.add("c")
        await herder.create("c", {**SOURCE, "errors.restart.enable": enabled})
        await workbench.settle()
        assert herder.status("c").connector.state == "FAILED"
        workbench.environment.broken.clear()
        workbench.environment.starts.clear()
        # The pause is a millisecond: a timer that is due later has run when this one has.
        timer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, timer.set_result, None)
        await timer
        await workbench.settle()
        assert workbench.environment.starts == begun

    asyncio.run(scenario())
