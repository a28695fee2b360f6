"""The commands on connectors, against a worker."""

from __future__ import annotations

import json
import re
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
    assert kconnect("create", str(lines), *at).returncode == 0
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
        "connection.url": "jdbc:postgresql://127.0.0.1:1/absent",
        "connection.attempts": "3",
        "mode": "bulk",
        "topic.prefix": "t",
    }
    file = tmp_path / "slow.json"
    file.write_text(json.dumps({"name": "slow", "config": config}))
    assert kconnect("apply", "-f", str(file), "--url", worker.url).returncode == 0
    listed = kconnect("get", "--url", worker.url)
    assert listed.returncode == 0, listed.stderr
    assert any(row.split()[:4] == ["slow", "source", "UNASSIGNED", "0/0"] for row in listed.stdout.splitlines())
    described = kconnect("describe", "slow", "--url", worker.url)
    assert (described.returncode, described.stderr) == (0, "")
    assert described.stdout.splitlines()[1].split() == ["slow", "(source)", "UNASSIGNED"]
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


def test_what_was_done_is_told_to_programs_a_line_each(kconnect: Run, worker: RunningWorker, tmp_path: Path):
    at = ("--url", worker.url, "-o", "json")
    for name in ("one", "two"):
        config = {"connector.class": "FileStreamSource", "file": str(tmp_path / name), "topic": name}
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, "config": config}))

    def told(*command: str) -> list[dict[str, object]]:
        done = kconnect(*command, *at)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert [answer["name"] for answer in told("create", "one.json", "-f", "two.json")] == ["one", "two"]
    for name in ("one", "two"):
        worker.process.wait_until(lambda name=name: worker.states(name) == ["RUNNING", "RUNNING"], timeout=30)
    assert [answer["name"] for answer in told("apply", "one.json")] == ["one"]
    assert told("restart", "one", "--task", "0") == [{"name": "one", "task": 0, "result": "restarting"}]
    for command, result in (
        ("restart", "restarting"),
        ("pause", "pausing"),
        ("resume", "resuming"),
        ("stop", "stopping"),
        ("delete", "deleted"),
    ):
        assert told(command, "one", "two") == [{"name": name, "result": result} for name in ("one", "two")]
    assert "one" not in json.loads(kconnect("get", *at).stdout)


def test_a_file_that_makes_no_sense_keeps_those_before_it_from_being_created(
    kconnect: Run, worker: RunningWorker, lines: Path, tmp_path: Path
):
    (tmp_path / "wrong.json").write_text("{")
    done = kconnect("create", str(lines), "wrong.json", "--url", worker.url)
    assert done.returncode == 3
    assert worker.states("lines") == []


@pytest.mark.parametrize("form", ["json", "properties"])
def test_a_connector_is_read_from_standard_input(kconnect: Run, worker: RunningWorker, tmp_path: Path, form: str):
    config = {"name": "piped", "connector.class": "FileStreamSource", "file": str(tmp_path / "in"), "topic": "piped"}
    text = json.dumps(config) if form == "json" else "".join(f"{key}={value}\n" for key, value in config.items())
    done = kconnect("apply", "-", "--url", worker.url, stdin=text)
    assert done.returncode == 0, done.stderr
    assert kconnect("delete", "piped", "--url", worker.url).returncode == 0


def test_of_a_failure_its_message_and_the_end_of_its_trace_follow_the_config(
    kconnect: Run, worker: RunningWorker, tmp_path: Path
):
    config = {
        "connector.class": "FileStreamSource",
        "file": str(tmp_path),
        "topic": "lines",
        "errors.restart.enable": "false",
    }
    (tmp_path / "failing.json").write_text(json.dumps({"name": "failing", "config": config}))
    at = ("--url", worker.url)
    assert kconnect("create", "failing.json", *at).returncode == 0
    worker.process.wait_until(lambda: "FAILED" in worker.states("failing"), timeout=30)
    short = kconnect("describe", "failing", *at).stdout.splitlines()
    whole = kconnect("describe", "failing", "--trace", *at).stdout.splitlines()
    assert kconnect("delete", "failing", *at).returncode == 0
    states, config_row, failure = (
        next(number for number, line in enumerate(short) if re.match(pattern, line))
        for pattern in (r"\s*task 0\s+FAILED", "connector.class", "task 0 has failed: ")
    )
    assert states < config_row < failure
    assert str(tmp_path) in short[failure]
    assert len(short) - failure <= 9
    assert short[failure + 1] == "  Not started again by itself: errors.restart.enable is false."
    assert "--trace" in short[failure + 2]
    assert whole[failure] == short[failure]
    assert len(whole) > len(short)
    assert "IsADirectoryError" in short[-1]
    assert any("Traceback" in line for line in whole)
    assert not any("Traceback" in line for line in short)
