"""From nothing to a worker that answers, and what it holds then."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import httpx

from benchmarks.case import Case, Round, Size
from benchmarks.peers import System, jvm_system, our_system
from benchmarks.sample import Sample
from services.processes import poll_until

__all__ = ["CASES"]

_CONNECTORS = ("idle-source", "idle-sink")


@contextmanager
def sides(size: Size, folder: Path) -> Iterator[dict[str, Round]]:
    idle_seconds = 10 if size.full else 3
    yield {
        "ours": partial(start_round, our_system, folder, idle_seconds),
        "jvm": partial(start_round, partial(jvm_system, mode="standalone"), folder, idle_seconds),
    }


def start_round(start: Callable[..., AbstractContextManager[System]], folder: Path, idle_seconds: int) -> Sample:
    inside = Path(tempfile.mkdtemp(dir=folder))
    with start(inside, connectors=idle_connectors(inside)) as system:
        sample = {
            "start": system.start_seconds,
            "start_cpu": system.worker_cpu() + system.broker.cpu(),
        }
        if not poll_until(lambda: all(has_running_task(system, name) for name in _CONNECTORS), timeout=60):
            raise TimeoutError("the idle connectors do not run")
        time.sleep(idle_seconds)  # what is measured is a system that has settled
        sample["memory"] = system.memory()
    return sample


def idle_connectors(folder: Path) -> tuple[Path, Path]:
    """A source whose file stays empty, and a sink of its topic."""
    (folder / "empty.txt").touch()
    strings = "org.apache.kafka.connect.storage.StringConverter"
    shared = {"tasks.max": "1", "key.converter": strings, "value.converter": strings}
    configs: tuple[dict[str, str], dict[str, str]] = (
        {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "file": str(folder / "empty.txt"),
            "topic": "idle",
        },
        {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "file": str(folder / "copy.txt"),
            "topics": "idle",
        },
    )
    paths = (folder / "idle-source.json", folder / "idle-sink.json")
    for name, path, config in zip(_CONNECTORS, paths, configs, strict=True):
        path.write_text(json.dumps({"name": name, "config": {**shared, **config}}))
    return paths


def has_running_task(system: System, name: str) -> bool:
    answer = httpx.get(f"{system.url}/connectors/{name}/status", timeout=60)
    return answer.status_code == 200 and any(task["state"] == "RUNNING" for task in answer.json()["tasks"])


CASES = (Case("start", "worker and broker with two idle tasks, from nothing", sides, warm_up=False),)
