"""The worker's hold on a zygote: starts it, asks it for forks, hears of exits."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence

from kconnect.errors import ConnectError
from kconnect_workers.hosts.channel import AsyncChannel, ChannelBusyError
from kconnect_workers.hosts.lease import describe_exit
from kconnect_workers.hosts.messages import (
    Exited,
    Fork,
    Forked,
    ForkFailed,
    FromZygote,
    Kill,
    Ready,
)
from kconnect_workers.runtime.host_output import StderrTail

_START_TIMEOUT_S = 60.0
_FORK_TIMEOUT_S = 30.0
_FORKS_AT_ONCE = 16
_BUSY_PAUSE_S = 0.01


class ZygoteClient:
    """One zygote, from `start` to its end. `on_died` is called on the loop, once, when it ends unasked."""

    def __init__(self, on_died: Callable[[], None], python: Sequence[str] = (sys.executable,)) -> None:
        self._python = python
        self._on_died = on_died
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: AsyncChannel[FromZygote] | None = None
        self._stderr: StderrTail | None = None
        self._ready: asyncio.Future[None] | None = None
        self._forks: dict[int, asyncio.Future[tuple[int, asyncio.Future[int]]]] = {}
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._tokens = 0
        self._turns = asyncio.Semaphore(_FORKS_AT_ONCE)
        self._stopping = False
        self._burial: asyncio.Task[None] | None = None
        """Held here: a loop keeps no task alive that nothing refers to."""

    @property
    def pid(self) -> int:
        """ConnectError when it does not run."""
        if self._process is None:
            raise ConnectError("the zygote is not running")
        return self._process.pid

    async def start(self) -> None:
        """Return when it has loaded everything. ConnectError, with what it printed, when it does not come up."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        stderr_reader, stderr_writer = os.pipe()
        self._ready = loop.create_future()
        self._stderr = StderrTail(stderr_reader, "[zygote] ")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the environment's own interpreter
                [
                    *self._python,
                    "-m",
                    "kconnect_workers.hosts.zygote",
                    str(theirs.fileno()),
                    str(os.getpid()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=stderr_writer,
                stderr=stderr_writer,
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(stderr_writer)
        self._channel = AsyncChannel(ours, FromZygote, on_message=self._receive, on_closed=self._died)
        try:
            await asyncio.wait_for(self._ready, _START_TIMEOUT_S)
        except TimeoutError:
            self.kill()
            raise ConnectError(f"the zygote of {self._python[0]} was not ready after {_START_TIMEOUT_S:g} s") from None

    async def fork(self, fds: Sequence[int]) -> tuple[int, asyncio.Future[int]]:
        """Fork a process that gets `fds` (control, log, stderr), which the caller still has to close. Returns its pid
        and the future of its exit status, which stays open when the zygote dies first."""
        self._tokens += 1
        token = self._tokens
        forked: asyncio.Future[tuple[int, asyncio.Future[int]]] = asyncio.get_running_loop().create_future()
        async with self._turns:
            self._forks[token] = forked
            try:
                async with asyncio.timeout(_FORK_TIMEOUT_S):
                    await self._send_fork(token, fds)
                    return await forked
            except TimeoutError:
                raise ConnectError(f"the zygote did not fork within {_FORK_TIMEOUT_S:g} s") from None
            finally:
                self._forks.pop(token, None)

    async def _send_fork(self, token: int, fds: Sequence[int]) -> None:
        while self._channel is not None and not self._channel.closed:
            try:
                self._channel.send(Fork(token=token), fds)
            except ChannelBusyError:
                await asyncio.sleep(_BUSY_PAUSE_S)
            else:
                return
        raise ConnectError("the zygote is not running")

    def kill_child(self, pid: int) -> bool:
        """SIGKILL to a forked process; False when the zygote is not there to do it."""
        if self._channel is None or self._channel.closed:
            return False
        self._channel.send(Kill(pid=pid))
        return True

    async def stop(self) -> None:
        """End it; what it forked goes on. May be called twice."""
        self._stopping = True
        process = self._process
        self.kill()  # before its channel closes, from which it would think that the worker is gone
        if self._channel is not None:
            self._channel.close()
        if process is not None:
            await asyncio.get_running_loop().run_in_executor(None, process.wait)
            self._process = None
        if self._stderr is not None:
            self._stderr.drain()

    def kill(self) -> None:
        """SIGKILL to the zygote itself."""
        if self._process is not None:
            self._process.kill()

    def _receive(self, message: FromZygote) -> None:
        match message:
            case Ready():
                if self._ready is not None and not self._ready.done():
                    self._ready.set_result(None)
            case Forked():
                exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._exits[message.pid] = exited
                waiting = self._forks.get(message.token)
                if waiting is None or waiting.done():  # given up: nobody would ever stop it
                    self.kill_child(message.pid)
                else:
                    waiting.set_result((message.pid, exited))
            case ForkFailed():
                waiting = self._forks.get(message.token)
                if waiting is not None and not waiting.done():
                    waiting.set_exception(ConnectError(message.reason))
            case Exited():
                future = self._exits.pop(message.pid, None)
                if future is not None and not future.done():
                    future.set_result(message.status)

    def _died(self, reason: str) -> None:
        if self._stopping:
            return
        self._burial = asyncio.get_running_loop().create_task(self._bury(reason))

    async def _bury(self, reason: str) -> None:
        process, stderr = self._process, self._stderr
        if process is None or stderr is None:
            return
        self.kill()
        status = await asyncio.get_running_loop().run_in_executor(None, process.wait)
        stderr.drain()
        was_up = self._ready is not None and self._ready.done() and self._ready.exception() is None
        error = ConnectError(f"the zygote is gone: {describe_exit(status)} ({reason}){_printed(stderr.text)}")
        for waiting in [self._ready, *self._forks.values()]:
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
        if was_up and not self._stopping:
            self._on_died()


def _printed(text: str) -> str:
    return f"; its last lines:\n{text}" if text else ""
