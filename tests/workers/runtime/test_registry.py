"""What a worker that was killed left behind is found, and nobody else is hurt."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kconnect.errors import ConfigError
from kconnect_workers.runtime.registry import ProcessRegistry, start_time


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    with subprocess.Popen(command, start_new_session=True) as process:
        yield process
        process.kill()


def test_a_registered_process_is_killed_by_the_next_worker(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    first = ProcessRegistry(tmp_path)
    first.open()
    first.add(sleeper.pid)
    first.close()
    second = ProcessRegistry(tmp_path)
    assert second.open() == 1
    assert sleeper.wait(10) == -9
    second.close()
    assert not list(tmp_path.glob("*.pid"))


def test_a_recycled_pid_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (tmp_path / f"{sleeper.pid}.pid").write_text("someone else's start")
    registry = ProcessRegistry(tmp_path)
    assert registry.open() == 0
    assert sleeper.poll() is None
    registry.close()


def test_a_removed_process_and_nonsense_are_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    first = ProcessRegistry(tmp_path)
    first.open()
    first.add(sleeper.pid)
    first.remove(sleeper.pid)
    first.close()
    (tmp_path / "nonsense.pid").write_text("x")
    second = ProcessRegistry(tmp_path)
    assert second.open() == 0
    second.close()


def test_two_workers_do_not_share_a_folder(tmp_path: Path) -> None:
    first, second = ProcessRegistry(tmp_path), ProcessRegistry(tmp_path)
    first.open()
    with pytest.raises(ConfigError, match=f"in use by another worker .process {os.getpid()}."):
        second.open()
    first.close()
    second.open()
    second.close()


def test_the_start_of_a_process_that_is_not_there_is_unknown() -> None:
    assert start_time(2**22 + 1) is None
