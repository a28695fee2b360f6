"""What is wrong is told with its place and remedy, and everything else on the worker goes on."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from services.processes import poll_until
from services.worker import RunningWorker, running_worker

pytestmark = pytest.mark.e2e

SECONDS = 60.0
JSON = "org.apache.kafka.connect.json.JsonConverter"


class Pipeline:
    """Lines through a worker, to see whether it still works."""

    def __init__(self, folder: Path) -> None:
        self._in, self._out = folder / "in.txt", folder / "out.txt"
        self._count = 0
        source = {"connector.class": "FileStreamSource", "file": str(self._in), "topic": "lines"}
        sink = {"connector.class": "FileStreamSink", "file": str(self._out), "topics": "lines"}
        self.connectors = [{"name": "source", "config": source}, {"name": "sink", "config": sink}]

    def still_moves(self) -> bool:
        self._count += 1
        line = f"line {self._count}"
        with self._in.open("a") as file:
            file.write(f"{line}\n")
        return poll_until(lambda: self._out.exists() and line in self._out.read_text().splitlines(), timeout=SECONDS)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def worker(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    props = {
        "errors.restart.enable": "false",
        **{f"{store}.storage.replication.factor": "3" for store in ("config", "offset", "status")},
    }
    with running_worker(tmp_path_factory.mktemp("worker"), props, pipeline.connectors) as running:
        yield running
        assert "Traceback" not in running.process.output()


def log_of(worker: RunningWorker) -> str:
    return worker.process.output().partition("the log at ")[2].split()[0].rstrip(",")


def ask(worker: RunningWorker, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and body."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(worker.url + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as e:
        with e:
            return e.code, json.loads(e.read())


def failure(worker: RunningWorker, connector: str) -> str:
    """The trace of the connector's task, or of the connector itself, once it has failed."""
    found: list[str] = []

    def failed() -> bool:
        _, status = ask(worker, "GET", f"/connectors/{connector}/status")
        parts = [status["connector"], *status["tasks"]] if "connector" in status else []
        found[:] = [part["trace"] for part in parts if part["state"] == "FAILED"]
        return bool(found)

    assert poll_until(failed, timeout=SECONDS), worker.process.output()
    return found[0]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"connector.class": "FileStreamSorce"}, ["FileStreamSorce", "FileStreamSource"]),
        ({"connector.class": "FileStreamSource"}, ["topic"]),
        ({"connector.class": "FileStreamSink", "topics": "t", "tasks.max": "many"}, ["tasks.max", "many"]),
        ({"connector.class": "FileStreamSink", "topics": "t", "value.converter": "Jsn"}, ["value.converter", "Jsn"]),
        (
            {"connector.class": "FileStreamSink", "topics": "t", "transforms": "a", "transforms.a.type": "Cost$Value"},
            ["transforms.a.type", "Cost$Value", "Cast"],
        ),
    ],
)
def test_a_wrong_config_is_refused_by_key_and_with_the_nearest_names(
    worker: RunningWorker, pipeline: Pipeline, config: dict[str, str], told: list[str]
) -> None:
    status, answer = ask(worker, "POST", "/connectors", {"name": "wrong", "config": config})
    assert status == 400
    for words in told:
        assert words in answer["message"]
    assert ask(worker, "GET", "/connectors/wrong")[0] == 404
    assert pipeline.still_moves()


@pytest.mark.parametrize(
    "body", [b"{", b'{"name": 1}', b"[]", b"\xff\xfe", b'{"name":"x","config":[]}', b"x" * 100_000]
)
def test_a_malformed_body_is_the_users_mistake(worker: RunningWorker, pipeline: Pipeline, body: bytes) -> None:
    status, answer = ask(worker, "POST", "/connectors", body)
    assert (status, answer["error_code"]) == (400, 400)
    assert pipeline.still_moves()


@pytest.mark.parametrize("name", ["a/b", "größe 日本", "tab\tbell\x07", "line\nbreak", "..", "50%", "-1-"])
def test_a_connector_of_any_name_runs_or_is_refused_with_a_reason(
    worker: RunningWorker, pipeline: Pipeline, tmp_path: Path, name: str
) -> None:
    """Control characters would forge lines in logs; all else is a name as good as any."""
    (tmp_path / "some.txt").write_text("one\n")
    config = {"connector.class": "FileStreamSource", "file": str(tmp_path / "some.txt"), "topic": "named"}
    status, answer = ask(worker, "POST", "/connectors", {"name": name, "config": config})
    path = f"/connectors/{quote(name, safe='')}"
    if status == 400:
        assert not name.isprintable()
        assert "name" in answer["message"]
    else:
        assert status == 201

        def runs() -> bool:
            _, found = ask(worker, "GET", f"{path}/status")
            return [task["state"] for task in found.get("tasks", [])] == ["RUNNING"]

        assert poll_until(runs, timeout=SECONDS), worker.process.output()
        assert ask(worker, "DELETE", path)[0] == 204
    assert pipeline.still_moves()


def test_a_record_that_the_converter_cannot_read_fails_its_task_by_its_place(
    worker: RunningWorker, pipeline: Pipeline, tmp_path: Path
) -> None:
    assert pipeline.still_moves()
    config = {
        "connector.class": "FileStreamSink",
        "file": str(tmp_path / "never.txt"),
        "topics": "lines",
        "value.converter": JSON,
    }
    assert ask(worker, "POST", "/connectors", {"name": "unreadable", "config": config})[0] == 201
    told = failure(worker, "unreadable").splitlines()[0]
    for words in ("lines-0@0", "VALUE_CONVERTER", "errors.tolerance"):
        assert words in told
    assert ask(worker, "DELETE", "/connectors/unreadable")[0] == 204
    assert pipeline.still_moves()


def test_a_database_that_vanishes_is_named_and_read_again_when_it_is_back(
    worker: RunningWorker, pipeline: Pipeline, tmp_path: Path
) -> None:
    database = tmp_path / "shop.db"
    config = {
        "connector.class": "SqlSource",
        "connection.url": f"jdbc:sqlite:{database}",
        "mode": "incrementing",
        "incrementing.column.name": "id",
        "table.whitelist": "things",
        "topic.prefix": "shop-",
        "poll.interval.ms": "100",
        "connection.attempts": "1",
    }
    status, answer = ask(worker, "POST", "/connectors", {"name": "shop", "config": config})
    if status == 201:
        answer = {"message": failure(worker, "shop")}
    assert str(database) in answer["message"]
    with closing(sqlite3.connect(database)) as made, made:
        made.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)")
        made.execute("INSERT INTO things VALUES (1)")
    assert ask(worker, "PUT", "/connectors/shop/config", config)[0] in (200, 201)
    assert ask(worker, "POST", "/connectors/shop/restart?includeTasks=true")[0] in (202, 204)
    assert poll_until(lambda: worker.states("shop") == ["RUNNING", "RUNNING"], timeout=SECONDS), worker.process.output()
    database.write_bytes(b"no database any more" * 1000)
    assert "shop.db" in failure(worker, "shop").splitlines()[0]
    assert ask(worker, "DELETE", "/connectors/shop")[0] == 204
    assert pipeline.still_moves()


def test_a_replication_factor_above_one_is_clamped_by_the_worker_with_one_warning(worker: RunningWorker) -> None:
    said = [line for line in worker.process.output().splitlines() if "replication.factor" in line]
    assert len(said) == 1
    assert "WARNING" in said[0]


def test_a_replication_factor_above_one_is_refused_by_the_log_as_kafka_does(worker: RunningWorker) -> None:
    admin = AdminClient({"bootstrap.servers": log_of(worker)})
    with pytest.raises(KafkaException, match="INVALID_REPLICATION_FACTOR"):
        admin.create_topics([NewTopic("three", 1, 3)])["three"].result(30)
