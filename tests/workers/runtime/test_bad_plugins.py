"""Plugins that misbehave: a clear trace that names them, and everything else goes on."""

from __future__ import annotations

import pytest

from kconnect.errors import ConfigError, ConnectError
from kconnect_workers.runtime.environment import Environment
from kconnect_workers.states import State, TargetState, TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

BAD = TaskId("bad", 0)
GOOD = TaskId("good", 0)


async def start_good(env: Environment, topic: str) -> None:
    await start(env, "good", connector__class="CountingSource", topic=topic, limit="100")


@pytest.mark.parametrize(
    ("where", "how", "told"),
    [
        ("start", "raise", ["bad-0", "BadSourceTask.start raised ValueError: no good in start"]),
        ("poll", "raise", ["bad-0", "BadSourceTask.poll raised ValueError: no good in poll"]),
        ("poll", "generator", ["bad-0", "BadSourceTask.poll returned a generator"]),
        ("poll", "nonsense", ["bad-0", "what testing_plugins.bad.BadSourceTask.poll returned cannot be sent"]),
        ("poll", "exit", ["bad-0", "BadSourceTask.poll raised SystemExit: 7"]),
        ("poll", "abort", ["bad-0", "killed by signal 6 (SIGABRT)", "last words on stderr"]),
        ("poll", "segfault", ["bad-0", "killed by signal 11 (SIGSEGV)"]),
    ],
)
def test_a_task_that_misbehaves_fails_with_a_trace_and_disturbs_no_other(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, where: str, how: str, told: list[str]
) -> None:
    topic = f"good-{where}-{how}"

    async def scenario() -> None:
        async with environment() as env:
            await start_good(env, topic)
            await start(env, "bad", connector__class="BadSource", bad__at=where, bad__how=how)
            await eventually(lambda: statuses.last(BAD) is State.FAILED, what=statuses)
            for words in told:
                assert words in (statuses.traces[str(BAD)] or "")
            await eventually(lambda: env.tasks()[GOOD].stats.records_out == 100)
            assert statuses.last(GOOD) is State.RUNNING
            assert statuses.last("bad") is State.RUNNING

    run(scenario())


def test_a_class_that_cannot_be_imported_fails_its_connector(environment: MakeEnvironment, statuses: Statuses) -> None:
    async def scenario() -> None:
        async with environment() as env:
            props = {"name": "bad", "connector.class": "UnimportableSource"}
            await env.start_connector("bad", props, TargetState.STARTED)
            await eventually(lambda: statuses.last("bad") is State.FAILED)
            trace = statuses.traces["bad"] or ""
            assert "testing_plugins.unimportable:UnimportableSource of kconnect-testing-plugins" in trace
            assert "no driver here" in trace

    run(scenario())


def test_a_class_that_cannot_be_imported_is_known_once_it_was_asked_for(environment: MakeEnvironment) -> None:
    broken = "testing_plugins.unimportable:UnimportableSource"

    async def scenario() -> None:
        async with environment() as env:
            for ask in (env.plugin_config, lambda name: env.validate({"connector.class": name, "name": "bad"})):
                assert env.broken_plugins() == {}
                with pytest.raises(ConnectError, match=f"{broken} of kconnect-testing-plugins cannot be imported"):
                    await ask("UnimportableSource")
                assert "no driver here" in env.broken_plugins()[broken]
                await env.refresh_plugins()

    run(scenario())


@pytest.mark.parametrize("where", ["connector.start", "task_configs"])
def test_a_connector_that_raises_says_so(environment: MakeEnvironment, statuses: Statuses, where: str) -> None:
    async def scenario() -> None:
        async with environment() as env:
            props = {"name": "bad", "connector.class": "BadSource", "bad.at": where}
            await env.start_connector("bad", props, TargetState.STARTED)
            with pytest.raises(ConnectError, match=f"no good in {where}"):
                await env.task_configs("bad")
            expected = State.FAILED if where == "connector.start" else State.RUNNING
            await eventually(lambda: statuses.last("bad") is expected)

    run(scenario())


def test_a_connector_that_dies_when_asked_for_its_tasks_is_asked_again_when_it_is_replaced(
    environment: MakeEnvironment, statuses: Statuses
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            props = {"name": "bad", "connector.class": "BadSource", "bad.at": "task_configs", "bad.how": "abort"}
            await env.start_connector("bad", props, TargetState.STARTED)
            await eventually(lambda: statuses.last("bad") is State.RUNNING)
            with pytest.raises(ConnectError, match="SIGABRT"):
                await env.task_configs("bad")
            await eventually(lambda: statuses.reconfigurations == ["bad"])
            await eventually(lambda: statuses.states["bad"] == [State.RUNNING, State.RUNNING])

    run(scenario())


def test_task_configs_have_to_be_strings(environment: MakeEnvironment) -> None:
    async def scenario() -> None:
        async with environment() as env:
            props = {"name": "bad", "connector.class": "BadSource", "bad.at": "task_configs", "bad.how": "numbers"}
            await env.start_connector("bad", props, TargetState.STARTED)
            with pytest.raises(ConnectError, match=r"BadSource\.task_configs returned 'port': 1"):
                await env.task_configs("bad")

    run(scenario())


def test_validation_that_hangs_is_ended_and_names_the_plugin(environment: MakeEnvironment, statuses: Statuses) -> None:
    async def scenario() -> None:
        async with environment(inspection_timeout_s=3) as env:
            await start_good(env, "good-validate")
            props = {"name": "bad", "connector.class": "BadSource", "bad.at": "validate", "bad.how": "hang"}
            with pytest.raises(ConfigError, match="BadSource did not validate within 3 s"):
                await env.validate(props)
            await eventually(lambda: env.tasks()[GOOD].stats.records_out == 100)

    run(scenario())


def test_validation_that_dies_is_told_with_its_reason(environment: MakeEnvironment) -> None:
    async def scenario() -> None:
        async with environment() as env:
            props = {"name": "bad", "connector.class": "BadSource", "bad.at": "validate", "bad.how": "abort"}
            with pytest.raises(ConnectError, match="SIGABRT"):
                await env.validate(props)
            good = await env.validate({"name": "good", "connector.class": "BadSource"})
            assert good.error_count == 0

    run(scenario())


def test_a_task_that_hangs_in_stop_is_killed_after_the_graceful_timeout(
    environment: MakeEnvironment, statuses: Statuses
) -> None:
    async def scenario() -> None:
        async with environment(graceful_stop_s=1) as env:
            await start(env, "bad", connector__class="BadSource", bad__at="stop", bad__how="hang")
            await eventually(lambda: statuses.last(BAD) is State.RUNNING)
            await env.stop_tasks([BAD])
            assert statuses.last(BAD) is State.UNASSIGNED
            assert env.tasks() == {}

    run(scenario())


def test_a_task_that_raises_in_stop_stops(environment: MakeEnvironment, statuses: Statuses) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start(env, "bad", connector__class="BadSink", topics="none", bad__at="stop")
            await eventually(lambda: statuses.last(BAD) is State.RUNNING)
            await env.stop_tasks([BAD])
            assert statuses.last(BAD) is State.UNASSIGNED

    run(scenario())


def test_a_sink_that_raises_in_put_fails(environment: MakeEnvironment, statuses: Statuses) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start(env, "bad", connector__class="BadSink", topics="none", bad__at="put")
            await eventually(lambda: statuses.last(BAD) is State.FAILED)
            assert "BadSinkTask.put raised ValueError" in (statuses.traces[str(BAD)] or "")

    run(scenario())


def test_faults_of_listing_are_kept_beside_what_could_be_listed(environment: MakeEnvironment) -> None:
    async def scenario() -> None:
        async with environment() as env:
            plugins = await env.plugins()
            assert "testing_plugins.counting:CountingSource" in {info.class_name for info in plugins.infos}
            keys = await env.plugin_config("CountingSource")
            assert "limit" in {key.name for key in keys}

    run(scenario())
