"""What a worker's own settings bring about for its connectors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.processes import poll_until
from services.worker import RunningWorker, running_worker

pytestmark = pytest.mark.e2e

SECONDS = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


@pytest.fixture(scope="module")
def worker(folder: Path) -> Iterator[RunningWorker]:
    (folder / "inside").mkdir()
    props = {
        "file.allowed.paths": str(folder / "inside"),
        "egress.allow": "db.local:5432",
        "topic.tracking.allow.reset": "false",
        "response.http.headers.config": "add X-Frame-Options: DENY",
        "errors.restart.enable": "false",
    }
    with running_worker(folder, props) as running:
        yield running


def ask(worker: RunningWorker, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and body; every answer has the header that the worker is to add."""
    answer = httpx.request(method, worker.url + path, json=body, timeout=60)
    assert answer.headers["X-Frame-Options"] == "DENY"
    return answer.status_code, answer.json() if answer.content else None


def test_what_lies_outside_of_the_bounds_is_refused_by_the_worker_s_key(worker: RunningWorker, folder: Path) -> None:
    sql = {"connector.class": "SqlSource", "mode": "bulk", "topic.prefix": "t."}
    for key, config in {
        "file.allowed.paths": {"connector.class": "FileStreamSource", "topic": "t", "file": f"{folder}/in.txt"},
        "egress.allow": {**sql, "connection.url": "jdbc:postgresql://elsewhere:5432/shop"},
    }.items():
        status, answer = ask(worker, "POST", "/connectors", {"name": "outside", "config": config})
        assert status == 400
        assert key in answer["message"]


def test_a_task_does_not_follow_a_link_that_leads_out(worker: RunningWorker, folder: Path) -> None:
    file = folder / "inside" / "in.txt"
    (folder / "secret.txt").write_text("secret\n")
    config = {"connector.class": "FileStreamSource", "topic": "links", "file": str(file)}
    assert ask(worker, "POST", "/connectors", {"name": "links", "config": config})[0] == 201
    assert poll_until(lambda: worker.states("links") == ["RUNNING", "RUNNING"], timeout=SECONDS)
    file.symlink_to(folder / "secret.txt")
    assert poll_until(lambda: worker.states("links") == ["RUNNING", "FAILED"], timeout=SECONDS), worker.process.output()
    trace = ask(worker, "GET", "/connectors/links/status")[1]["tasks"][0]["trace"]
    assert "file.allowed.paths" in trace.splitlines()[0]


def test_topics_are_tracked_and_may_not_be_reset_here(worker: RunningWorker, folder: Path) -> None:
    (folder / "inside" / "lines.txt").write_text("one\n")
    config = {"connector.class": "FileStreamSource", "topic": "used", "file": f"{folder}/inside/lines.txt"}
    assert ask(worker, "POST", "/connectors", {"name": "lines", "config": config})[0] == 201
    shown = {"lines": {"topics": ["used"]}}
    assert poll_until(lambda: ask(worker, "GET", "/connectors/lines/topics") == (200, shown), timeout=SECONDS)
    assert ask(worker, "PUT", "/connectors/lines/topics/reset")[0] == 403
    assert ask(worker, "GET", "/connectors/lines/topics") == (200, shown)


def test_a_connector_without_tasks_says_why_until_it_has_some(worker: RunningWorker, folder: Path) -> None:
    file = folder / "inside" / "shop.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    config = {
        "connector.class": "SqlSource",
        "connection.url": f"jdbc:sqlite:{file}",
        "mode": "bulk",
        "topic.prefix": "shop.",
        "table.whitelist": "order",
        "table.poll.interval.ms": "50",
    }
    assert ask(worker, "POST", "/connectors", {"name": "shop", "config": config})[0] == 201

    def reason() -> str:
        status = ask(worker, "GET", "/connectors/shop/status")[1]
        return str(status["connector"].get("trace")) if "connector" in status else ""

    assert poll_until(lambda: "no tasks" in reason(), timeout=SECONDS), worker.process.output()
    assert "table.whitelist names order, not among the 1 tables" in reason()
    assert "did you mean orders?" in reason()
    assert worker.states("shop") == ["RUNNING"]
    assert "connector shop has no tasks: table.whitelist names order" in worker.process.output()
    ask(worker, "PUT", "/connectors/shop/pause")
    assert poll_until(lambda: worker.states("shop") == ["PAUSED"], timeout=SECONDS)
    ask(worker, "PUT", "/connectors/shop/resume")
    assert poll_until(lambda: "no tasks" in reason(), timeout=SECONDS), "it is told again"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute('CREATE TABLE "order" (id INTEGER PRIMARY KEY)')
    assert poll_until(lambda: worker.states("shop") == ["RUNNING", "RUNNING"], timeout=SECONDS)
    assert poll_until(lambda: reason() == "None", timeout=SECONDS)
