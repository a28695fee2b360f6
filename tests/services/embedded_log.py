"""The embedded log as a process, measured and driven like the brokers it is compared with."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.processes import ServiceProcess

__all__ = ["RunningLog", "running_log"]

_READY = re.compile(r"ready.*?(127\.0\.0\.1:\d+)")


@dataclass(frozen=True, slots=True)
class RunningLog:
    bootstrap: str
    process: ServiceProcess
    data: Path


@contextmanager
def running_log(folder: Path) -> Iterator[RunningLog]:
    """Serve on a free port, with the data in `folder`/data, until the block ends."""
    data = folder / "data"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "kconnect.log",
        "--listeners",
        "PLAINTEXT://127.0.0.1:0",
        "--data",
        data,
    ]
    with ServiceProcess("embedded log", command, log=folder / "log.out") as process:
        process.wait_until(lambda: _READY.search(process.output()) is not None, timeout=30)
        ready = _READY.search(process.output())
        assert ready
        yield RunningLog(bootstrap=ready[1], process=process, data=data)
