"""A standalone worker as a process, for tests that need the whole of it."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.processes import ServiceProcess

__all__ = ["RunningWorker", "running_worker", "started_worker", "worker_process", "write_properties"]

_READY = re.compile(r"ready: REST at (http://\S+)")
_RUN = "from kconnect_workers.cli import main; main()"


@dataclass(frozen=True, slots=True)
class RunningWorker:
    url: str
    process: ServiceProcess

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def states(self, connector: str) -> list[str]:
        """The states of the connector and its tasks."""
        status = self.get("/connectors?expand=status").get(connector, {}).get("status")
        return [] if status is None else [status["connector"]["state"], *(task["state"] for task in status["tasks"])]


@contextmanager
def running_worker(
    folder: Path, props: Mapping[str, str] | None = None, connectors: Sequence[Mapping[str, Any]] = ()
) -> Iterator[RunningWorker]:
    """A worker with its log, its files and its output in `folder`, on free ports, until the block ends."""
    with worker_process(folder, props, connectors) as process:
        yield started_worker(process)


def started_worker(process: ServiceProcess) -> RunningWorker:
    """The worker once it says that it is ready."""
    process.wait_until(lambda: _READY.search(process.output()) is not None, timeout=60)
    ready = _READY.search(process.output())
    assert ready
    return RunningWorker(ready[1], process)


def write_properties(file: Path, settings: Mapping[str, str]) -> Path:
    file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return file


def worker_process(
    folder: Path, props: Mapping[str, str] | None = None, connectors: Sequence[Mapping[str, Any]] = ()
) -> ServiceProcess:
    """The process, which may not be ready yet, or may never be."""
    settings = {
        "listeners": "http://127.0.0.1:0",
        "embedded.log.dir": str(folder / "log"),
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        **(props or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    config = write_properties(folder / "worker.properties", settings)
    files = []
    for connector in connectors:
        files.append(folder / f"{connector['name']}.json")
        files[-1].write_text(json.dumps(connector))
    (folder / "worker.out").write_text("")
    return ServiceProcess(
        "standalone worker",
        [sys.executable, "-c", _RUN, "standalone", config, *files],
        log=folder / "worker.out",
    )
