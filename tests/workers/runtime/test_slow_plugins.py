"""Plugins that do not return: their processes tell what is waited for."""

from __future__ import annotations

import pytest

from kconnect_workers.states import State, TargetState, TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

BAD = TaskId("bad", 0)


@pytest.mark.parametrize(
    ("connector", "call", "state"),
    [("BadSource", "start", State.UNASSIGNED), ("BadSource", "poll", State.RUNNING), ("BadSink", "put", State.RUNNING)],
)
def test_a_call_that_does_not_return_is_named_beside_the_state(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, connector: str, call: str, state: State
) -> None:
    kafka.create(f"slow-{call}")

    async def scenario() -> None:
        async with environment(slow_call_s=0.1, graceful_stop_s=0.5) as env:
            await start(env, "bad", connector__class=connector, bad__at=call, bad__how="hang", topics=f"slow-{call}")
            said = f"bad-0: testing_plugins.bad.{connector}Task.{call} has not returned since 20"
            await eventually(lambda: said in (statuses.traces.get(str(BAD)) or ""), what=statuses)
            assert statuses.last(BAD) is state
            await env.set_target_state("bad", TargetState.PAUSED)
            await eventually(lambda: statuses.last("bad") is State.PAUSED)
            assert "a pause waits for it" in (statuses.traces[str(BAD)] or "")

    run(scenario())


def test_what_is_said_of_a_call_is_taken_back_once_it_returns(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka
) -> None:
    kafka.create("patience")

    async def scenario() -> None:
        async with environment(slow_call_s=0.1) as env:
            await start(env, "bad", connector__class="BadSink", bad__at="put", bad__how="wait", topics="patience")
            await eventually(lambda: "has not returned" in (statuses.traces.get(str(BAD)) or ""), what=statuses)
            await eventually(lambda: statuses.traces[str(BAD)] is None, what=statuses)
            assert statuses.last(BAD) is State.RUNNING

    run(scenario())


def test_a_connector_that_does_not_start_is_named_as_well(environment: MakeEnvironment, statuses: Statuses) -> None:
    async def scenario() -> None:
        async with environment(slow_call_s=0.1, graceful_stop_s=0.5) as env:
            props = {"connector.class": "BadSource", "bad.at": "connector.start", "bad.how": "hang", "name": "bad"}
            await env.start_connector("bad", props, TargetState.STARTED)
            await eventually(lambda: "BadSource.start has not returned" in (statuses.traces.get("bad") or ""))

    run(scenario())
