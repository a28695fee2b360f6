"""Connectors of a whole worker that are changed while something holds them up."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.processes import poll_until
from services.worker import RunningWorker, running_worker, worker_process

pytestmark = pytest.mark.e2e

SECONDS = 60.0
PLUGINS = Path(__file__).parents[1] / "workers" / "plugins"


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))


def ask(worker: RunningWorker, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(worker.url + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            text, status = answer.read(), int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            text, status = error.read(), error.code
    return status, json.loads(text) if text else None


def become(worker: RunningWorker, connector: str, states: list[str]) -> bool:
    return poll_until(lambda: worker.states(connector) == states, timeout=SECONDS)


def processes_of(worker: RunningWorker) -> Iterator[psutil.Process]:
    """Those of its connectors and tasks."""
    for child in psutil.Process(worker.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # gone meanwhile
            parent = child.parent()
            if parent is not None and any("zygote" in word for word in parent.cmdline()) and child.cmdline():
                yield child


COUNTING = {"connector.class": "CountingSource", "topic": "counted", "limit": "0"}


def test_a_connector_deleted_and_made_anew_while_its_task_will_not_stop_runs(tmp_path: Path) -> None:
    with running_worker(tmp_path, {"task.shutdown.graceful.timeout.ms": "4000"}) as worker:
        assert ask(worker, "POST", "/connectors", {"name": "c", "config": COUNTING})[0] == 201
        assert become(worker, "c", ["RUNNING", "RUNNING"])
        connector, task = sorted(processes_of(worker), key=psutil.Process.create_time)
        task.suspend()
        assert ask(worker, "POST", "/connectors/c/restart?includeTasks=true")[0] == 202
        assert poll_until(lambda: connector not in processes_of(worker), timeout=SECONDS)
        assert become(worker, "c", ["RUNNING", "RESTARTING"])  # the new connector waits for the task's end
        assert ask(worker, "DELETE", "/connectors/c")[0] == 204
        assert ask(worker, "POST", "/connectors", {"name": "c", "config": COUNTING})[0] == 201
        assert become(worker, "c", ["RUNNING", "RUNNING"])
        assert worker.get("/connectors/c")["tasks"] == [{"connector": "c", "task": 0}]


def test_a_connector_that_hangs_while_it_starts_holds_up_neither_its_end_nor_its_successor(tmp_path: Path) -> None:
    hanging = {"connector.class": "BadSource", "bad.at": "connector.start", "bad.how": "hang"}
    with running_worker(tmp_path, {"task.shutdown.graceful.timeout.ms": "1000"}) as worker:
        assert ask(worker, "POST", "/connectors", {"name": "c", "config": hanging})[0] == 201
        assert poll_until(lambda: len(list(processes_of(worker))) == 1, timeout=SECONDS)
        assert ask(worker, "DELETE", "/connectors/c")[0] == 204
        # Nothing of a worker takes that long; the wait for its tasks would take a minute.
        assert poll_until(lambda: not list(processes_of(worker)), timeout=30)
        assert ask(worker, "POST", "/connectors", {"name": "c", "config": COUNTING})[0] == 201
        assert become(worker, "c", ["RUNNING", "RUNNING"])


def test_a_worker_that_stops_answers_changes_with_503(tmp_path: Path) -> None:
    with running_worker(tmp_path, {"task.shutdown.graceful.timeout.ms": "8000"}) as worker:
        assert ask(worker, "POST", "/connectors", {"name": "c", "config": COUNTING})[0] == 201
        assert become(worker, "c", ["RUNNING", "RUNNING"])
        for process in processes_of(worker):
            process.suspend()  # so that the stop lasts
        psutil.Process(worker.process.pid).send_signal(signal.SIGTERM)
        assert poll_until(lambda: ask(worker, "PUT", "/connectors/c/pause")[0] == 503, timeout=SECONDS)
        for method, path, body in (
            ("POST", "/connectors", {"name": "d", "config": COUNTING}),
            ("PUT", "/connectors/c/config", {**COUNTING, "limit": "5"}),
            ("POST", "/connectors/c/restart", None),
            ("DELETE", "/connectors/c", None),
        ):
            status, answer = ask(worker, method, path, body)
            assert (status, answer["error_code"]) == (503, 503)
            assert "the worker is stopping" in answer["message"]
        assert worker.states("c")[:1] == ["RUNNING"]
    with running_worker(tmp_path) as worker:
        assert become(worker, "c", ["RUNNING", "RUNNING"])
        assert worker.get("/connectors") == ["c"]


def test_a_connector_whose_database_was_away_when_it_started_comes_back(tmp_path: Path) -> None:
    place, away = tmp_path / "place", tmp_path / "away"
    place.mkdir()
    with closing(sqlite3.connect(place / "a.db")) as database:
        database.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)")
    config = {
        "connector.class": "io.aiven.connect.jdbc.JdbcSourceConnector",
        "connection.url": f"jdbc:sqlite:{place}/a.db",
        "connection.attempts": "1",
        "mode": "incrementing",
        "incrementing.column.name": "id",
        "topic.prefix": "p-",
    }
    with running_worker(tmp_path) as worker:
        assert ask(worker, "POST", "/connectors", {"name": "c", "config": config})[0] == 201
        assert become(worker, "c", ["RUNNING", "RUNNING"])
    place.rename(away)
    with running_worker(tmp_path) as worker:
        assert poll_until(lambda: worker.states("c")[:1] == ["FAILED"], timeout=SECONDS)
        away.rename(place)
        assert become(worker, "c", ["RUNNING", "RUNNING"])


def test_the_offsets_of_a_sink_are_found_in_a_group_that_a_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINK_GROUP", "told-by-the-environment")
    (tmp_path / "in.txt").write_text("one\ntwo\n")
    source = {"connector.class": "FileStreamSource", "file": str(tmp_path / "in.txt"), "topic": "lines"}
    sink = {
        "connector.class": "FileStreamSink",
        "file": str(tmp_path / "out.txt"),
        "topics": "lines",
        "consumer.override.group.id": "${env:SINK_GROUP}",
    }
    props = {
        "offset.flush.interval.ms": "200",
        "config.providers": "env",
        "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    }
    with running_worker(tmp_path, props, [{"name": "source", "config": source}]) as worker:
        assert ask(worker, "POST", "/connectors", {"name": "sink", "config": sink})[0] == 201
        committed = [{"partition": {"kafka_topic": "lines", "kafka_partition": 0}, "offset": {"kafka_offset": 2}}]
        assert poll_until(lambda: worker.get("/connectors/sink/offsets")["offsets"] == committed, timeout=SECONDS)
        assert ask(worker, "PUT", "/connectors/sink/stop")[0] == 204
        assert ask(worker, "DELETE", "/connectors/sink/offsets")[0] == 200
        assert worker.get("/connectors/sink/offsets")["offsets"] == []


def test_a_worker_whose_kafka_is_not_there_says_so_and_ends(tmp_path: Path) -> None:
    props = {"bootstrap.servers": "127.0.0.1:1", "offset.storage.file.filename": str(tmp_path / "offsets")}
    with worker_process(tmp_path, props) as process:
        assert poll_until(lambda: process.exit_code is not None, timeout=SECONDS)
        assert process.exit_code == 3
        assert "bootstrap.servers=127.0.0.1:1: no broker answered" in process.output()
