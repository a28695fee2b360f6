"""A pool of workers on one broker, as processes."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.processes import ServiceProcess, poll_until
from services.worker import RunningWorker, started_worker, write_properties

__all__ = ["RunningPool", "running_pool"]

_GROUP = "pool"
_RUN = "from kconnect_workers.cli import main; main()"


@dataclass(slots=True)
class RunningPool:
    """`workers` that were added and not removed, by name."""

    folder: Path
    bootstrap: str
    props: Mapping[str, str]
    workers: dict[str, RunningWorker] = field(default_factory=dict)

    def add(self, *names: str) -> list[RunningWorker]:
        """Start workers, all at once; returns when each has its place in the pool."""
        return self.join({name: self.start(name) for name in names})

    def join(self, started: Mapping[str, ServiceProcess]) -> list[RunningWorker]:
        """Returns when the workers that were started, by name, have their places in the pool: these."""
        joined = {name: started_worker(process) for name, process in started.items()}
        self.workers |= joined
        return list(joined.values())

    def start(self, name: str, props: Mapping[str, str] | None = None) -> ServiceProcess:
        """A worker's process, which may not be ready yet, or may never be."""
        settings = {
            "bootstrap.servers": self.bootstrap,
            "group.id": _GROUP,
            "listeners": "http://127.0.0.1:0",
            "config.storage.topic": "connect-configs",
            "offset.storage.topic": "connect-offsets",
            "status.storage.topic": "connect-status",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "offset.flush.interval.ms": "500",
            "worker.dir": str(self.folder / name / "own"),
            **self.props,
            **(props or {}),
        }
        return self.start_with(name, settings)

    def start_with(self, name: str, settings: Mapping[str, str]) -> ServiceProcess:
        """As `start`, with nothing but these settings."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        config = write_properties(folder / "worker.properties", settings)
        return ServiceProcess(name, [sys.executable, "-c", _RUN, "worker", config], log=folder / "worker.out")

    def kill(self, name: str) -> None:
        self.workers.pop(name).process.kill()

    def stop(self, name: str) -> int:
        """The exit code."""
        return self.workers.pop(name).process.stop()

    @property
    def leader(self) -> str:
        """The name of the worker that leads, as followers know it from the log of their last rebalance."""
        for name, worker in self.workers.items():
            if "which it leads" in _last_rebalance(worker.process.output()):
                return name
        raise AssertionError("no worker leads")

    def followers(self) -> list[str]:
        leader = self.leader
        return [name for name in self.workers if name != leader]

    def placement(self, *prefixes: str) -> dict[str, str]:
        """Which worker runs what: worker ids by `name` and `name-0`, of the connectors whose names begin so, or of all;
        empty while not all of them, with a task each, is RUNNING."""
        shown: dict[str, Any] = next(iter(self.workers.values())).get("/connectors?expand=status")
        placed: dict[str, str] = {}
        for name, described in shown.items():
            if prefixes and not name.startswith(prefixes):
                continue
            status = described["status"]
            parts = {name: status["connector"]} | {f"{name}-{task['id']}": task for task in status["tasks"]}
            if not status["tasks"] or any(part["state"] != "RUNNING" for part in parts.values()):
                return {}
            placed |= {id: part["worker_id"] for id, part in parts.items()}  # noqa: A001
        return placed

    def wait_until(self, condition: Callable[[], bool], what: str, *, timeout: float = 60.0) -> None:
        if not poll_until(condition, timeout=timeout, interval=0.2):
            tails = "\n".join(
                f"--- {name}\n" + "\n".join(worker.process.output().splitlines()[-25:])
                for name, worker in self.workers.items()
            )
            raise AssertionError(f"not within {timeout:g} s: {what}\n{tails}")


def call(
    worker: RunningWorker,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    """Status and parsed body of an answer, whatever its status."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(worker.url + path, data=data, method=method)
    for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, _parsed(answer.read())
    except urllib.error.HTTPError as e:
        with e:
            return e.code, _parsed(e.read())


@contextmanager
def running_pool(folder: Path, props: Mapping[str, str] | None = None) -> Iterator[RunningPool]:
    """A broker, and workers as they are added, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "kconnect.log",
        "--listeners",
        "PLAINTEXT://127.0.0.1:0",
        "--data",
        folder / "log",
    ]
    with ExitStack() as stack:
        broker = stack.enter_context(ServiceProcess("broker", command, log=folder / "broker.out"))
        broker.wait_until(lambda: "ready: " in broker.output())
        pool = RunningPool(folder, broker.output().partition("PLAINTEXT://")[2].split()[0], props or {})
        try:
            yield pool
        finally:
            for worker in pool.workers.values():
                worker.process.kill()


def _last_rebalance(output: str) -> str:
    rebalances = [line for line in output.splitlines() if "In generation" in line]
    return rebalances[-1] if rebalances else ""


def _parsed(content: bytes) -> Any:
    return json.loads(content) if content else None
