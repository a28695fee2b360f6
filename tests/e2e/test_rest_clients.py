"""Clients that others wrote for Kafka Connect's REST API work on ours as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.processes import poll_until
from services.rest_clients import KAFKA_CONNECT_CLI, KAFKA_CONNECT_PY
from services.worker import RunningWorker, running_worker

pytestmark = [pytest.mark.e2e, pytest.mark.needs("rest-clients")]

SECONDS = 60.0


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[RunningWorker]:
    with running_worker(tmp_path / "worker") as worker:
        yield worker


@pytest.fixture
def config(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "lines").write_text("one\ntwo\n")
    return {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "tasks.max": "1",
        "topic": "lines",
        "file": str(tmp_path / "lines"),
    }


def runs_as(worker: RunningWorker, name: str, *states: str) -> None:
    reached = poll_until(lambda: worker.states(name) == [*states], timeout=SECONDS)
    assert reached, worker.get(f"/connectors/{name}/status")


def test_kafka_connect_py(worker: RunningWorker, config: dict[str, str]) -> None:
    def connect(*arguments: str) -> Any:
        printed = KAFKA_CONNECT_PY.run("--url", worker.url, *arguments)
        return json.loads(printed) if printed.strip() else None

    assert connect("info").keys() == {"version", "commit", "kafka_cluster_id"}
    created = connect("create", "--config-data", json.dumps({"name": "lines", "config": config}))
    assert created["config"] == {**config, "name": "lines"}
    runs_as(worker, "lines", "RUNNING", "RUNNING")
    assert connect("list") == ["lines"]
    assert connect("list", "--state", "RUNNING") == ["lines"]
    assert connect("get", "lines")["tasks"] == [{"connector": "lines", "task": 0}]
    assert connect("config", "lines") == {**config, "name": "lines"}
    assert connect("status", "lines")["connector"]["state"] == "RUNNING"
    assert connect("list-tasks", "lines")[0]["id"] == {"connector": "lines", "task": 0}
    assert connect("task-status", "lines", "0")["state"] == "RUNNING"
    assert poll_until(partial(lists_topic, connect), timeout=SECONDS)
    connect("reset-topics", "lines")
    assert connect("list-topics", "lines") == {"lines": {"topics": []}}

    connect("pause", "lines")
    runs_as(worker, "lines", "PAUSED", "PAUSED")
    connect("resume", "--all")
    runs_as(worker, "lines", "RUNNING", "RUNNING")
    assert connect("restart", "lines", "--include-tasks")["name"] == "lines"
    runs_as(worker, "lines", "RUNNING", "RUNNING")
    connect("restart-task", "lines", "0")
    runs_as(worker, "lines", "RUNNING", "RUNNING")
    updated = connect("update", "lines", "--config-data", json.dumps({**config, "batch.size": "10"}))
    assert updated["config"]["batch.size"] == "10"

    assert "FileStreamSource" in " ".join(plugin["class"] for plugin in connect("list-plugins"))
    connect("delete", "lines")
    assert connect("list") == []


def lists_topic(connect: Any) -> bool:
    return bool(connect("list-topics", "lines") == {"lines": {"topics": ["lines"]}})


def test_kafka_connect_cli(worker: RunningWorker, config: dict[str, str]) -> None:
    def connect(*arguments: str) -> str:
        return KAFKA_CONNECT_CLI.run(*arguments, "--url", worker.url)

    created = connect("connector", "create", "--name", "lines", "--configuration", json.dumps(config))
    assert json.loads(created)["config"] == {**config, "name": "lines"}
    runs_as(worker, "lines", "RUNNING", "RUNNING")
    assert [shown["connector"] for shown in json.loads(connect("connector", "list"))] == ["lines"]
    shown = {"connector": "lines", "state": "RUNNING", "failedTasks": []}
    assert json.loads(connect("connector", "get", "--name", "lines")) == shown
    assert json.loads(connect("connector", "configuration", "--name", "lines")) == {**config, "name": "lines"}
    task = {"taskId": 0, "state": "RUNNING", "trace": ""}
    assert json.loads(connect("task", "list", "--connector", "lines")) == [task]
    connect("health-check")

    connect("connector", "pause", "--name", "lines")
    runs_as(worker, "lines", "PAUSED", "PAUSED")
    connect("connector", "resume-all", "--name", "li.*")
    runs_as(worker, "lines", "RUNNING", "RUNNING")
    connect("connector", "restart", "--name", "lines")
    connect("task", "restart", "--connector", "lines", "--task", "0")
    runs_as(worker, "lines", "RUNNING", "RUNNING")
    changed = json.dumps({**config, "batch.size": "10"})
    connect("connector", "update", "--name", "lines", "--configuration", changed)
    assert json.loads(connect("connector", "configuration", "--name", "lines"))["batch.size"] == "10"
    connect("connector", "delete", "--name", "lines")
    assert json.loads(connect("connector", "list")) == []
