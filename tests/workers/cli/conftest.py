"""The `kconnect` command, run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kconnect.testing.broker import EmbeddedLog


@pytest.fixture
def kconnect(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `kconnect` with some arguments, in an empty folder."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("kconnect")), *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
        )

    return run


@pytest.fixture(scope="module")
def log() -> Iterator[EmbeddedLog]:
    with EmbeddedLog() as broker:
        yield broker
