"""The commands on connectors, against a worker."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.worker import RunningWorker, running_worker

pytestmark = pytest.mark.e2e

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    with running_worker(tmp_path_factory.mktemp("worker")) as running:
        yield running


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """The file of a connector that reads a file."""
    config = {"connector.class": "FileStreamSource", "file": str(tmp_path / "in.txt"), "topic": "lines"}
    file = tmp_path / "lines.json"
    file.write_text(json.dumps({"name": "lines", "config": config}))
    return file


def test_a_connector_is_created_looked_at_changed_and_deleted(kconnect: Run, worker: RunningWorker, lines: Path):
    at = ("--url", worker.url)
    assert kconnect("create", "-f", str(lines), *at).returncode == 0
    assert kconnect("create", "-f", str(lines), *at).returncode == 5
    worker.process.wait_until(lambda: worker.states("lines") == ["RUNNING", "RUNNING"], timeout=30)
    table = kconnect("get", *at).stdout.splitlines()
    assert any(row.split()[:4] == ["lines", "source", "RUNNING", "1/1"] for row in table)
    assert "FileStreamSource" in kconnect("describe", "lines", *at).stdout
    assert kconnect("stop", "lines", *at).returncode == 0
    worker.process.wait_until(lambda: worker.states("lines") == ["STOPPED"], timeout=30)
    assert kconnect("delete", "lines", *at).returncode == 0
    assert kconnect("describe", "lines", *at).returncode == 4


def test_a_connector_that_has_reported_nothing_yet_hides_no_other(kconnect: Run, worker: RunningWorker, tmp_path: Path):
    config = {
        "connector.class": "SqlSource",
        "connection.url": f"jdbc:sqlite:{tmp_path}/absent.db",
        "connection.attempts": "3",
        "mode": "bulk",
        "topic.prefix": "t",
    }
    file = tmp_path / "slow.json"
    file.write_text(json.dumps({"name": "slow", "config": config}))
    assert kconnect("apply", "-f", str(file), "--url", worker.url).returncode == 0
    listed = kconnect("get", "--url", worker.url)
    assert listed.returncode == 0, listed.stderr
    assert "slow" in listed.stdout
    assert kconnect("delete", "slow", "--url", worker.url).returncode == 0


def test_the_worker_says_which_keys_nothing_reads_and_why_a_connector_failed(
    kconnect: Run, worker: RunningWorker, tmp_path: Path
):
    config = {
        "connector.class": "FileStreamSource",
        "fiel": "x",
        "file": str(tmp_path),
        "topic": "lines",
        "errors.restart.enable": "false",
    }
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps({"name": "wrong", "config": config}))
    assert kconnect("apply", "-f", str(file), "--url", worker.url).returncode == 0
    worker.process.wait_until(lambda: "FAILED" in worker.states("wrong"), timeout=30)
    said = worker.process.output()
    assert "wrong: fiel is not a setting that anything here reads (did you mean file?)" in said
    assert any("wrong-0 has failed: " in line and str(tmp_path) in line for line in said.splitlines())
    assert kconnect("delete", "wrong", "--url", worker.url).returncode == 0
