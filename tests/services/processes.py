"""Server processes that tests and benchmarks start by themselves and end again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["ServiceError", "ServiceProcess", "free_ports", "http_answers", "poll_until"]


class ServiceError(Exception):
    """A service did not start, or did not become ready in time; the message ends with its last output."""


class ServiceProcess:
    """One server in a session of its own, with all that it prints in a file.

    Where util-linux is installed the server also ends when the process that started it is killed.
    `stop` may be called twice.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        guard = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        # By time.monotonic().
        self.started_at = time.monotonic()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*guard, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                user=user,
                group=user,
                extra_groups=[] if user else None,
                cwd="/" if user else None,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool], *, timeout: float = 60.0) -> None:
        """Poll `ready` until it holds.

        Raises ServiceError when the process ends first or `timeout` seconds pass; it is stopped then.
        """

        def ready_or_dead() -> bool:
            return self.exit_code is not None or ready()

        in_time = poll_until(ready_or_dead, timeout=timeout)
        if in_time and self.exit_code is None:
            return
        state = f"not ready after {timeout:g} s" if self.exit_code is None else f"ended with {self.exit_code}"
        self.stop()
        tail = "\n".join(self.output().splitlines()[-30:])
        raise ServiceError(f"{self.name}: {state}. Its last output ({self.log}):\n{tail}")

    def stop(self, timeout: float = 20.0) -> int:
        """End it, by SIGKILL when it overruns `timeout` seconds, and return its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL to its whole session, without a word."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def poll_until(condition: Callable[[], bool], *, timeout: float, interval: float = 0.05) -> bool:
    """Whether `condition` came true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def http_answers(url: str) -> bool:
    """Whether a GET answers 200; cheap enough to ask twenty times a second."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [server.getsockname()[1] for server in sockets]
    finally:
        for server in sockets:
            server.close()
