from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kconnect_workers.herder.recovery import Failures, RecoverySettings
from kconnect_workers.states import State, TargetState, TaskId

SETTINGS = RecoverySettings(initial_delay=1.0, max_delay=10.0)


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
        failures = failures.next(now, SETTINGS)
    assert failures.delay(SETTINGS) == delay


def test_a_connector_may_say_otherwise() -> None:
    props = {"errors.restart.enable": "false", "errors.restart.delay.max.ms": "2000"}
    assert SETTINGS.of_connector(props) == RecoverySettings(enabled=False, initial_delay=1.0, max_delay=2.0)


SOURCE = {"connector.class": "java.Source", "file": "a.txt", "errors.restart.delay.initial.ms": "1"}


@pytest.mark.parametrize(
    ("props", "target", "restarted"),
    [
        ({}, None, True),
        ({"errors.restart.enable": "false"}, None, False),
        ({}, TargetState.PAUSED, False),
    ],
)
def test_a_failed_task_is_started_again_unless_that_is_not_wanted(
    workbench: Any, props: dict[str, str], target: TargetState | None, restarted: bool
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", {**SOURCE, **props})
        await workbench.settle()
        if target is not None:
            await herder.set_target_state("c", target)
            await workbench.settle()
        workbench.environment.starts.clear()
        herder.on_status(TaskId("c", 0), State.FAILED, "boom")
        await workbench.settle()
        # The pause is a millisecond: a timer that is due later has run when this one has.
        timer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, timer.set_result, None)
        await timer
        await workbench.settle()
        assert workbench.environment.starts == ([TaskId("c", 0)] if restarted else [])

    asyncio.run(scenario())
