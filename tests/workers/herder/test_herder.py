from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from confluent_kafka import KafkaException

from kconnect.errors import AlreadyExistsError, ConfigError, ConnectError, NotFoundError
from kconnect_workers.herder.stopping import StoppingError
from kconnect_workers.states import ReportedError, State, Status, TargetState, TaskId
from services.stage import eventually

SOURCE = {"connector.class": "java.Source", "file": "a.txt", "tasks.max": "2"}


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(whole())


def test_a_created_connector_runs_with_its_tasks(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        info = await herder.create("c", SOURCE)
        assert (info.name, info.type, info.tasks) == ("c", "source", [])
        assert info.config == {**SOURCE, "name": "c"}
        await workbench.settle()
        assert [task.task for task in herder.connector("c").tasks] == [0, 1]
        status = herder.status("c")
        assert (status.connector.state, status.connector.version) == ("RUNNING", "1.0")
        assert [task.state for task in status.tasks] == ["RUNNING", "RUNNING"]

    run(scenario)


def test_connectors_and_their_target_states_outlive_the_worker(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        for name in ("runs", "paused", "stopped"):
            await herder.create(name, SOURCE)
        await workbench.settle()
        await herder.set_target_state("paused", TargetState.PAUSED)
        await herder.set_target_state("stopped", TargetState.STOPPED)
        herder = await workbench.restart()
        assert {name: herder.status(name).connector.state for name in herder.connectors()} == {
            "runs": "RUNNING",
            "paused": "PAUSED",
            "stopped": "STOPPED",
        }
        assert [task.state for task in herder.status("paused").tasks] == ["PAUSED", "PAUSED"]
        assert herder.status("stopped").tasks == []
        assert TaskId("stopped", 0) not in workbench.environment.running

    run(scenario)


@pytest.mark.parametrize(
    ("initial", "state", "tasks"),
    [(TargetState.PAUSED, "PAUSED", 0), (TargetState.STOPPED, "STOPPED", 0), (TargetState.STARTED, "RUNNING", 2)],
)
def test_an_initial_state_is_kept_until_it_is_resumed(
    workbench: Any, initial: TargetState, state: str, tasks: int
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE, initial)
        await workbench.settle()
        assert herder.status("c").connector.state == state
        assert len(workbench.environment.running) == tasks
        await herder.set_target_state("c", TargetState.STARTED)
        await workbench.settle()
        assert herder.status("c").connector.state == "RUNNING"
        assert len(workbench.environment.running) == 2

    run(scenario)


def test_stopping_ends_the_tasks_and_forgets_them(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        await herder.set_target_state("c", TargetState.STOPPED)
        await workbench.settle()
        assert workbench.environment.running == {}
        assert workbench.environment.connectors == {}
        assert herder.tasks("c") == []
        with pytest.raises(NotFoundError, match="No status found for task c-0"):
            herder.task_status(TaskId("c", 0))

    run(scenario)


def test_another_config_restarts_what_it_changes(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        workbench.environment.starts.clear()
        created, _ = await herder.put_config("c", {**SOURCE, "tasks.max": "1"})
        await workbench.settle()
        assert not created
        assert workbench.environment.starts == ["c", TaskId("c", 0)]
        assert list(workbench.environment.running) == [TaskId("c", 0)]
        workbench.environment.starts.clear()
        await herder.put_config("c", {**SOURCE, "tasks.max": "1"})
        await workbench.settle()
        assert workbench.environment.starts == []

    run(scenario)


def test_a_patch_sets_and_removes(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", {**SOURCE, "extra": "1"})
        info = await herder.patch_config("c", {"extra": None, "tasks.max": "3"})
        assert info.config == {**SOURCE, "name": "c", "tasks.max": "3"}
        with pytest.raises(ConfigError, match="file is missing"):
            await herder.patch_config("c", {"file": None})
        with pytest.raises(ConfigError, match="other"):
            await herder.patch_config("c", {"name": "other"})

    run(scenario)


def test_a_deleted_connector_is_gone_and_may_be_made_again(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        await herder.delete("c")
        with pytest.raises(NotFoundError, match="No status found for connector c"):
            herder.status("c")
        with pytest.raises(NotFoundError, match="Connector c not found"):
            await herder.delete("c")
        await herder.create("c", SOURCE)
        await workbench.settle()
        assert herder.status("c").connector.state == "RUNNING"
        assert len(workbench.environment.running) == 2

    run(scenario)


@pytest.mark.parametrize(
    ("name", "props", "error", "message"),
    [
        ("c", {"file": "x"}, ConfigError, "connector type"),
        ("c", {**SOURCE, "connector.class": "java.Sourc"}, ConfigError, r"java\.Source"),
        ("c", {**SOURCE, "name": "d"}, ConfigError, "name='d': the connector is called 'c'"),
        ("c", {"connector.class": "java.Source"}, ConfigError, "1 error.*\nfile is missing"),
        ("  ", SOURCE, ConfigError, "needs a name"),
        ("there", SOURCE, AlreadyExistsError, "Connector there already exists"),
    ],
)
def test_a_config_that_cannot_be_accepted_changes_nothing(
    workbench: Any, name: str, props: dict[str, str], error: type[Exception], message: str
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("there", SOURCE)
        with pytest.raises(error, match=message):
            await herder.create(name, props)
        assert herder.connectors() == ["there"]

    run(scenario)


@pytest.mark.parametrize(
    ("include_tasks", "only_failed", "restarted"),
    [
        (False, False, ["c"]),
        (True, False, ["c", TaskId("c", 0), TaskId("c", 1)]),
        (True, True, [TaskId("c", 1)]),
        (False, True, []),
    ],
)
def test_a_restart_restarts_what_is_meant(
    workbench: Any, include_tasks: bool, only_failed: bool, restarted: list[str | TaskId]
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        herder.supervision.on_status(TaskId("c", 1), State.FAILED, "boom")
        await workbench.settle()
        workbench.environment.starts.clear()
        state = await herder.restart("c", include_tasks=include_tasks, only_failed=only_failed)
        assert ("c" in restarted) == (state.connector.state == "RESTARTING")
        expected = {task.task for task in restarted if isinstance(task, TaskId)}
        assert {task.id for task in state.tasks if task.state == "RESTARTING"} == expected
        await workbench.settle()
        assert sorted(workbench.environment.starts, key=str) == restarted

    run(scenario)


def test_a_connector_can_be_restarted_before_it_has_a_status(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        state = await herder.restart("c", include_tasks=True, only_failed=False)
        assert state.connector.state == "RESTARTING"
        await workbench.settle()
        assert herder.status("c").connector.state == "RUNNING"

    run(scenario)


def test_one_task_is_restarted_by_itself(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        workbench.environment.starts.clear()
        await herder.restart_task(TaskId("c", 1))
        await workbench.settle()
        assert workbench.environment.starts == [TaskId("c", 1)]
        with pytest.raises(NotFoundError, match="Unknown task: c-9"):
            await herder.restart_task(TaskId("c", 9))
        with pytest.raises(NotFoundError, match="Unknown connector: d"):
            await herder.restart_task(TaskId("d", 0))

    run(scenario)


def test_a_connector_that_cannot_say_its_tasks_fails_and_its_tasks_go_on(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        workbench.environment.broken.add("c")
        await herder.put_config("c", {**SOURCE, "tasks.max": "1"})
        await workbench.settle()
        status = herder.status("c")
        assert status.connector.state == "FAILED"
        assert (status.connector.trace or "").startswith("the database is away\nStarted again by itself at ")
        assert len(workbench.environment.running) == 2
        workbench.environment.broken.clear()
        await herder.restart("c", include_tasks=False, only_failed=True)
        await workbench.settle()
        assert len(workbench.environment.running) == 1

    run(scenario)


def test_a_status_that_cannot_be_stored_keeps_no_later_one_back(
    workbench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = workbench.statuses.put

    async def put_but_one(*statuses: Status) -> None:
        if any(status.trace == "bad" for status in statuses):
            raise KafkaException("no")
        await put(*statuses)

    async def scenario() -> None:
        monkeypatch.setattr(workbench.statuses, "put", put_but_one)
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        herder.supervision.on_status(TaskId("c", 0), State.PAUSED, "bad")
        herder.supervision.on_status(TaskId("c", 0), State.PAUSED, "good")
        await workbench.settle()
        assert herder.task_status(TaskId("c", 0)).trace == "good"

    run(scenario)


@pytest.mark.parametrize(("failing", "failures"), [("start_connector", 3), ("start_task", 1)])
def test_what_could_not_be_begun_is_tried_again_by_itself(
    workbench: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failing: str,
    failures: int,
) -> None:
    monkeypatch.setattr("kconnect_workers.herder.supervisor._RETRY_SECONDS", 0.01)

    async def scenario() -> None:
        herder = await workbench.start()
        begin = getattr(workbench.environment, failing)
        left = failures

        async def begin_or_fail(*args: Any) -> None:
            nonlocal left
            if left:
                left -= 1
                raise ConnectError("the zygote is away")
            await begin(*args)

        monkeypatch.setattr(workbench.environment, failing, begin_or_fail)
        await herder.create("c", SOURCE)
        await herder.settled("c")
        await eventually(lambda: len(workbench.environment.running) == 2)
        told = [record for record in caplog.records if record.levelname == "ERROR" and "zygote" in record.getMessage()]
        assert len(told) == failures
        await workbench.settle()
        assert herder.status("c").connector.state == "RUNNING"
        assert [task.state for task in herder.status("c").tasks] == ["RUNNING"] * 2

    run(scenario)


def test_tasks_are_made_anew_when_the_connector_asks(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        workbench.environment.connectors["c"] = {**SOURCE, "file": "b.txt"}
        herder.supervision.on_reconfiguration_requested("c")
        await workbench.settle()
        assert {props["file"] for _, props in workbench.environment.running.values()} == {"b.txt"}

    run(scenario)


def test_statuses_that_a_killed_worker_left_do_not_stand(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        await workbench.configs.remove_connector("c")
        herder = await workbench.restart()
        with pytest.raises(NotFoundError):
            herder.status("c")

    run(scenario)


def test_a_connector_made_anew_under_a_deleted_ones_name_runs_and_gets_nothing_of_it(
    workbench: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        runner, stopping, stopped = workbench.environment, asyncio.Event(), asyncio.Event()
        stop_tasks = runner.stop_tasks

        async def stop_slowly(ids: list[TaskId]) -> None:
            stopping.set()
            await stopped.wait()
            await stop_tasks(ids)
            for task in ids:
                herder.supervision.on_status(task, State.FAILED, "of the deleted one")
                herder.supervision.on_topic_used(task, "of-the-deleted-one")

        monkeypatch.setattr(runner, "stop_tasks", stop_slowly)
        await herder.restart("c", include_tasks=True, only_failed=False)
        await stopping.wait()
        await herder.delete("c")
        await herder.create("c", SOURCE)
        runner.starts.clear()
        stopped.set()
        await workbench.settle()
        assert runner.starts[-3:] == ["c", TaskId("c", 0), TaskId("c", 1)]
        status = herder.status("c")
        assert (status.connector.state, [task.state for task in status.tasks]) == ("RUNNING", ["RUNNING"] * 2)
        assert "of the deleted one" not in caplog.text
        assert herder.topics("c") == []

    run(scenario)


@pytest.mark.parametrize("change", ["delete", "config", "pause", "restart"])
def test_a_connector_that_does_not_answer_keeps_no_change_waiting(
    workbench: Any, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        runner, asked = workbench.environment, asyncio.Event()
        task_configs = runner.task_configs

        async def never(name: str) -> list[dict[str, str]]:
            asked.set()
            await asyncio.Event().wait()
            return []

        monkeypatch.setattr(runner, "task_configs", never)
        await herder.create("c", SOURCE)
        await asked.wait()
        monkeypatch.setattr(runner, "task_configs", task_configs)
        match change:
            case "delete":
                await herder.delete("c")
            case "config":
                await herder.put_config("c", {**SOURCE, "file": "b.txt"})
            case "pause":
                await herder.set_target_state("c", TargetState.PAUSED)
            case "restart":
                await herder.restart("c", include_tasks=False, only_failed=False)
        await herder.settled("c")
        await workbench.settle()
        left = {"delete": None, "config": "RUNNING", "pause": "PAUSED", "restart": "RUNNING"}[change]
        assert ("c" in runner.connectors) == (left is not None)
        assert len(runner.running) == {"config": 2, "restart": 2}.get(change, 0)
        assert left is None or herder.status("c").connector.state == left

    run(scenario)


def test_a_stopping_herder_takes_no_changes_and_still_writes_what_becomes_of_its_tasks(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        await herder.stop()
        workbench.environment.starts.clear()
        for change in (
            herder.create("d", SOURCE),
            herder.put_config("c", {**SOURCE, "file": "b.txt"}),
            herder.delete("c"),
            herder.set_target_state("c", TargetState.PAUSED),
            herder.restart("c", include_tasks=True, only_failed=False),
            herder.restart_task(TaskId("c", 0)),
        ):
            with pytest.raises(StoppingError):
                await change
        herder.supervision.on_status(TaskId("c", 0), State.FAILED, "boom")
        herder.supervision.on_status(TaskId("c", 1), State.UNASSIGNED)
        await herder.close()
        assert [status.state for status in workbench.statuses.tasks("c")] == [State.FAILED, State.UNASSIGNED]
        assert workbench.environment.starts == []
        assert (herder.connectors(), herder.config("c")["file"]) == (["c"], "a.txt")

    run(scenario)


def test_a_failure_that_a_connector_has_told_of_itself_is_told_once(
    workbench: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        herder = await workbench.start()

        async def fail(name: str) -> list[dict[str, str]]:
            herder.supervision.on_status(name, State.FAILED, "no such database")
            raise ReportedError("no such database")

        monkeypatch.setattr(workbench.environment, "task_configs", fail)
        await herder.create("c", {**SOURCE, "errors.restart.enable": "false"})
        await workbench.settle()
        trace = herder.status("c").connector.trace
        assert trace == "no such database\nNot started again by itself: errors.restart.enable is false."

    run(scenario)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "c has failed: no such database"
    ]
