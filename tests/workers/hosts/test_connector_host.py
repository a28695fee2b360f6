"""Connectors in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kconnect.errors import NotFoundError
from kconnect_workers.runtime.environment import Environment
from kconnect_workers.states import ReportedError, State, TargetState
from services.stage import MakeEnvironment, Statuses, eventually, run


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


PROVIDERS = {
    "config.providers": "env",
    "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
}


async def start_restless(
    env: Environment, journal: Path, target: TargetState = TargetState.STARTED, **props: str
) -> None:
    config = {
        "name": "restless",
        "connector.class": "RestlessSource",
        "journal": str(journal),
        "topic": "none",
        **props,
    }
    await env.start_connector("restless", config, target)


def test_a_connector_can_ask_for_its_tasks_to_be_configured_anew(
    environment: MakeEnvironment, statuses: Statuses, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOST_TASKS", "3")

    async def scenario() -> None:
        async with environment(PROVIDERS) as env:
            await start_restless(env, journal, **{"wish": "reconfigure", "tasks.max": "${env:MOST_TASKS}"})
            await eventually(lambda: statuses.reconfigurations == ["restless"])
            configs = await env.task_configs("restless")
            assert [config["topic"] for config in configs] == ["none"] * 3

    run(scenario())
    assert journal.read_text().splitlines() == ["start None", "stop"]
    assert statuses.states["restless"] == [State.RUNNING, State.UNASSIGNED]


def test_a_connector_can_fail_from_a_thread_of_its_own(
    environment: MakeEnvironment, statuses: Statuses, journal: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start_restless(env, journal, wish="fail")
            await eventually(lambda: statuses.last("restless") is State.FAILED)
            assert "connector restless reports: OSError: the outside is gone" in (statuses.traces["restless"] or "")
            with pytest.raises(ReportedError, match="the outside is gone"):
                await env.task_configs("restless")

    run(scenario())


@pytest.mark.parametrize(
    ("target", "state"), [(TargetState.PAUSED, State.PAUSED), (TargetState.STOPPED, State.STOPPED)]
)
def test_a_connector_that_is_paused_or_stopped_is_told_so_and_started_again_when_resumed(
    environment: MakeEnvironment, statuses: Statuses, journal: Path, target: TargetState, state: State
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start_restless(env, journal, target)
            await eventually(lambda: statuses.last("restless") is state)
            assert not journal.exists()
            await env.set_target_state("restless", TargetState.STARTED)
            await eventually(lambda: statuses.last("restless") is State.RUNNING)
            await env.set_target_state("restless", target)
            await eventually(lambda: statuses.last("restless") is state)
            assert journal.read_text().splitlines() == ["start None", "stop"]

    run(scenario())


def test_a_connector_that_is_not_here_is_not_found(environment: MakeEnvironment) -> None:
    async def scenario() -> None:
        async with environment() as env:
            with pytest.raises(NotFoundError, match="nowhere does not run on this worker"):
                await env.task_configs("nowhere")

    run(scenario())
