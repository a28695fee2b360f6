"""The `kconnect` command, run as a user runs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from kconnect.testing.broker import EmbeddedLog


@pytest.fixture
def kconnect(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `kconnect` with some arguments, in an empty folder, and without what the user has set."""

    def run(*arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("kconnect")), *arguments]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KCONNECT_")}
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={**inherited, **(env or {})},
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def log() -> Iterator[EmbeddedLog]:
    with EmbeddedLog() as broker:
        yield broker


@pytest.fixture
def nowhere() -> str:
    """An address that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
