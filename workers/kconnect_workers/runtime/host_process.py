"""The worker's hold on one forked process: its channels, its output, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kconnect.redaction import process_redactor
from kconnect_workers.hosts.channel import CLOSED, AsyncChannel
from kconnect_workers.hosts.lease import describe_exit
from kconnect_workers.hosts.messages import FromHost, Message, SecretsLearned, ToHost
from kconnect_workers.runtime.host_output import LogReader, StderrTail
from kconnect_workers.runtime.registry import ProcessRegistry
from kconnect_workers.runtime.zygote_client import ZygoteClient

_REAP_ATTEMPTS = 100
_REAP_INTERVAL_S = 0.02
_LAST_WORDS_S = 0.5


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: its status (negative for a signal; None where nobody could tell) and its last words."""

    status: int | None
    stderr: str
    broken: str = ""
    """Why the worker could not go on with it, where that is the reason."""

    @property
    def reason(self) -> str:
        if self.broken:
            return f"killed by the worker: {self.broken}"
        return "ended, nobody knows how" if self.status is None else describe_exit(self.status)

    @property
    def report(self) -> str:
        """The reason with the last lines of stderr, if there are any."""
        return f"{self.reason}; its last lines on stderr:\n{self.stderr}" if self.stderr else self.reason


class HostProcess:
    """A process forked from a zygote. `exited` is done when it is gone and everything it said has been read."""

    def __init__(
        self,
        pid: int,
        zygote: ZygoteClient,
        registry: ProcessRegistry,
        channel: AsyncChannel[FromHost],
        logs: LogReader,
        stderr: StderrTail,
    ) -> None:
        self.pid = pid
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._zygote = zygote
        self._registry = registry
        self._channel = channel
        self._logs = logs
        self._stderr = stderr
        self._watcher: asyncio.Task[None] | None = None

    @classmethod
    async def launch(
        cls,
        zygote: ZygoteClient,
        registry: ProcessRegistry,
        context: str,
        on_message: Callable[[FromHost], None],
        run: ToHost,
    ) -> HostProcess:
        """Fork a process and tell it what to `run`. `context` ("[orders|task-0] ") goes before its log lines.

        Raises ConnectError when it cannot be forked."""
        lines = _Lines()
        try:
            pid, exit_status = await zygote.fork(lines.theirs)
        except BaseException:
            lines.close()
            raise
        finally:
            lines.close_theirs()
        registry.add(pid)

        def receive(message: FromHost) -> None:
            if isinstance(message, SecretsLearned):
                process_redactor.learn(message.secrets)
            else:
                on_message(message)

        closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        channel: AsyncChannel[FromHost] = AsyncChannel(
            lines.control, FromHost, on_message=receive, on_closed=closed.set_result
        )
        host = cls(pid, zygote, registry, channel, LogReader(lines.logs, context), StderrTail(lines.stderr, context))
        host._watcher = asyncio.create_task(host._watch(exit_status, closed))
        channel.send(run)
        return host

    def send(self, message: Message) -> None:
        """Nothing happens when the process is gone."""
        self._channel.send(message)

    def kill(self) -> None:
        """SIGKILL to the process and those that it started. Nothing happens when it is gone."""
        if not self.exited.done() and not self._zygote.kill_child(self.pid):
            with contextlib.suppress(ProcessLookupError):  # ours since its zygote died, and not reaped yet
                os.killpg(self.pid, signal.SIGKILL)

    async def _watch(self, exit_status: asyncio.Future[int], closed: asyncio.Future[str]) -> None:
        ends: set[asyncio.Future[Any]] = {closed, exit_status}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        broken = closed.result() if closed.done() and closed.result() != CLOSED else ""
        if broken:
            self.kill()
        status = await self._status(exit_status)
        await asyncio.wait({closed}, timeout=_LAST_WORDS_S)  # what it said before it died is still in the socket
        self._channel.close()
        self._logs.drain()
        self._stderr.drain()
        self._registry.remove(self.pid)
        self.exited.set_result(Exit(status, self._stderr.text, broken))

    async def _status(self, exit_status: asyncio.Future[int]) -> int | None:
        """From the zygote; from the system when the zygote died and left its children to us."""
        for _ in range(_REAP_ATTEMPTS):
            if exit_status.done():
                return exit_status.result()
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    return os.waitstatus_to_exitcode(status)
            await asyncio.wait({exit_status}, timeout=_REAP_INTERVAL_S)
        self.kill()  # it closed its channel and stays: nobody could stop it any more
        return None


class _Lines:
    """What connects a process with the worker: our ends, and `theirs` in the order in which `Fork` sends them."""

    def __init__(self) -> None:
        self.control, self._their_control = socket.socketpair()
        self.logs, self._their_logs = socket.socketpair()
        self.stderr, self._their_stderr = os.pipe()
        self.theirs = [self._their_control.fileno(), self._their_logs.fileno(), self._their_stderr]

    def close_theirs(self) -> None:
        """Once the process has them, or will not."""
        self._their_control.close()
        self._their_logs.close()
        os.close(self._their_stderr)

    def close(self) -> None:
        """Ours, which nobody reads."""
        self.control.close()
        self.logs.close()
        os.close(self.stderr)
