"""What a user's mistake looks like: one line that says what to do, and an exit code that tells the kind."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kconnect.testing.broker import EmbeddedLog

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("command", [("get",), ("describe", "orders"), ("pause", "orders"), ("delete", "orders")])
def test_no_worker_is_said_with_the_address_and_how_to_start_one(kconnect: Run, nowhere: str, command: tuple[str, ...]):
    done = kconnect(*command, "--url", f"http://{nowhere}")
    assert done.returncode == 6
    assert done.stdout == ""
    assert nowhere in done.stderr
    assert "kconnect standalone" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [("topics",), ("consume", "orders"), ("produce", "orders")])
def test_no_broker_is_said_with_the_address(kconnect: Run, nowhere: str, command: tuple[str, ...]):
    done = kconnect(*command, "--bootstrap-server", nowhere)
    assert done.returncode == 6
    assert len(done.stderr.splitlines()) == 1
    assert nowhere in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        (" \n", "connector.json is empty"),
        ("[]", "one JSON object"),
        ("{}", "names no connector"),
        (json.dumps({"config": {"topic": "x"}}), "names no connector"),
    ],
)
def test_a_connector_file_that_makes_no_sense_is_named(kconnect: Run, tmp_path: Path, text: str, says: str):
    (tmp_path / "connector.json").write_text(text)
    done = kconnect("create", "-f", "connector.json")
    assert done.returncode == 3
    assert "connector.json" in done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_worker_file_is_named(kconnect: Run):
    done = kconnect("standalone", "absent.properties")
    assert done.returncode != 0
    assert "absent.properties" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ['{"name": "x", "config": {}}', "name=x\nconnector.class=FileStreamSource\n"])
def test_a_connector_in_the_place_of_a_worker_is_said_with_the_command_that_is_meant(
    kconnect: Run, tmp_path: Path, text: str
):
    (tmp_path / "lines").write_text(text)
    done = kconnect("standalone", "lines")
    assert done.returncode == 3
    assert "lines holds a connector's config" in done.stderr
    assert "kconnect standalone worker.properties lines" in done.stderr


@pytest.mark.parametrize(
    "wrong", ["key.converter=", "task.isolation=cage", "producer.compresion.type=lz4", "value.converter=Jsn"]
)
def test_a_wrong_worker_setting_is_said_with_its_file(kconnect: Run, tmp_path: Path, wrong: str):
    good = "listeners=http://127.0.0.1:0\nkey.converter=StringConverter\nvalue.converter=StringConverter\n"
    (tmp_path / "worker.properties").write_text(f"{good}embedded.log.dir=log\n{wrong}\n")
    done = kconnect("standalone", "worker.properties")
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"kconnect standalone: worker.properties: {wrong.partition('=')[0]}")


def test_a_reader_that_leaves_early_is_no_failure(kconnect: Run, tmp_path: Path):
    with EmbeddedLog(tmp_path / "log") as log:
        kconnect("produce", "long", "-b", log.bootstrap_servers, stdin="\n".join(map(str, range(20_000))))
    command = f"{shlex.quote(str(Path(sys.executable).with_name('kconnect')))} broker dump -r long-0 --data log"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_an_unknown_plugin_is_answered_with_the_nearest_names(kconnect: Run):
    done = kconnect("plugins", "FileStreamSorce")
    assert done.returncode == 3
    assert "FileStreamSource" in done.stderr


def test_wrong_usage_has_its_own_exit_code(kconnect: Run):
    assert kconnect("get", "--no-such-option").returncode == 2


@pytest.mark.parametrize("command", ["create", "apply"])
def test_no_file_is_wrong_usage(kconnect: Run, command: str):
    done = kconnect(command)
    assert done.returncode == 2
    assert "standard input" in done.stderr


def test_standard_input_that_is_empty_is_said_to_be(kconnect: Run):
    done = kconnect("create", "-", stdin="")
    assert done.returncode == 3
    assert "standard input is empty" in done.stderr


def test_standard_input_that_makes_no_sense_is_named(kconnect: Run):
    done = kconnect("create", "-", stdin="{")
    assert done.returncode == 3
    assert "standard input is not JSON" in done.stderr
