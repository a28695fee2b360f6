"""What a user's mistake looks like: one line that says what to do, and an exit code that tells the kind."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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


def test_standard_input_that_makes_no_sense_is_named(kconnect: Run):
    done = kconnect("create", "-", stdin="{")
    assert done.returncode == 3
    assert "standard input is not JSON" in done.stderr
