"""A whole standalone worker whose processes are found, signalled and killed."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka.admin import AdminClient, NewTopic

from chaos.checker import ViolationError
from services.processes import ServiceProcess, poll_until
from services.worker import RunningWorker, running_worker

__all__ = ["ChaosWorker", "chaos_worker", "eventually", "gone"]

PATIENCE_S = 20.0
_LOG = re.compile(r"the log at (\S+)")


@dataclass(frozen=True, slots=True)
class ChaosWorker:
    """A running worker and how to reach all of it."""

    rest: RunningWorker
    bootstrap: str

    @property
    def process(self) -> ServiceProcess:
        return self.rest.process

    def status(self, connector: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.rest.get(f"/connectors/{connector}/status")
        return found

    def request(self, method: str, path: str, body: object = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.rest.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=30):
                pass
        except urllib.error.HTTPError as e:
            raise ViolationError(f"{method} {path}: {e.code} {e.read().decode()}") from e

    def wait_until_running(self, *connectors: str) -> None:
        for name in connectors:
            eventually(partial(self._runs, name), f"{name} runs", self.output)

    def _runs(self, connector: str) -> bool:
        return self.rest.states(connector) == ["RUNNING", "RUNNING"]

    def wait_for_failure(self, connector: str, reason: str) -> None:
        """Until the connector's task has failed, of `reason`."""

        def failed() -> bool:
            tasks = self.status(connector)["tasks"]
            if not tasks or tasks[0]["state"] != "FAILED":
                return False
            if reason not in tasks[0]["trace"]:
                raise ViolationError(f"task 0 of {connector} failed otherwise: {tasks[0]['trace']}")
            return True

        eventually(failed, f"task 0 of {connector} failed: {reason}", self.output)

    def restart_task(self, connector: str) -> None:
        self.request("POST", f"/connectors/{connector}/tasks/0/restart")

    def create_topic(self, topic: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)

    def output(self) -> str:
        return self.process.output()

    def descendants(self) -> list[psutil.Process]:
        """Broker, zygote, connector and task processes, their ends not yet asked for included."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def broker(self) -> psutil.Process:
        return self._child("kconnect.log")

    def zygote(self) -> psutil.Process:
        """The one that the worker started; hosts look the same, and have it as their parent."""
        return self._child("kconnect_workers.hosts.zygote")

    def kill(self) -> None:
        """SIGKILL to the worker alone."""
        os.kill(self.process.pid, signal.SIGKILL)

    def kill_everything(self) -> None:
        """SIGKILL to the worker and all that it started, in the order in which they are found."""
        for process in [psutil.Process(self.process.pid), *self.descendants()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _child(self, module: str) -> psutil.Process:
        for process in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if module in process.cmdline() and not gone(process):
                    return process
        raise LookupError(f"no process of {module} under {self.process.pid}")


@contextmanager
def chaos_worker(
    folder: Path, props: Mapping[str, str], connectors: Sequence[Mapping[str, Any]]
) -> Iterator[ChaosWorker]:
    with running_worker(folder, props, connectors) as worker:
        eventually(lambda: _LOG.search(worker.process.output()) is not None, "the log is told", worker.process.output)
        log = _LOG.search(worker.process.output())
        assert log is not None
        yield ChaosWorker(worker, log[1])


def eventually(
    condition: Callable[[], bool], what: str, output: Callable[[], str] | None = None, *, timeout: float = PATIENCE_S
) -> None:
    """Wait for `condition`. ViolationError that ends with the worker's last output when it does not come true."""

    def holds() -> bool:
        try:
            return condition()
        except (OSError, LookupError, psutil.NoSuchProcess):  # what is asked is starting, or just died
            return False

    if not poll_until(holds, timeout=timeout):
        tail = "" if output is None else "\n".join(["; the worker's last words:", *output().splitlines()[-15:]])
        raise ViolationError(f"it did not come to this within {timeout:g} s: {what}{tail}")


def gone(process: psutil.Process) -> bool:
    """Ended, whether or not someone has asked how."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
