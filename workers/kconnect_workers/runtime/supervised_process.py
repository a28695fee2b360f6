"""Connector and task processes as the worker sees them: a state, told to the listener, and what they report."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from kconnect.errors import ConnectError
from kconnect_workers.hosts.lease import ExitCode
from kconnect_workers.hosts.messages import (
    FromHost,
    Message,
    ReadOffsets,
    ReconfigurationRequested,
    RequestTaskConfigs,
    SetTargetState,
    StateChanged,
    Stats,
    Stop,
    TaskConfigs,
    TopicUsed,
    WriteOffsets,
)
from kconnect_workers.runtime.host_process import Exit, HostProcess
from kconnect_workers.states import ReportedError, State, StatusListener, TargetState, TaskId
from kconnect_workers.tasks.task_stats import TaskStats

_KILL_GRACE_S = 10.0
TASK_CONFIGS_TIMEOUT_S = 60.0


class SupervisedProcess:
    """What connector and task processes share: state, stop, and the words for an unasked end.

    `attach` gives it the process; the state is then what the process reports, FAILED when it ends unasked, and
    UNASSIGNED when it was stopped."""

    def __init__(self, id: str | TaskId, listener: StatusListener) -> None:
        self.id = id
        self.state = State.UNASSIGNED
        self.trace: str | None = None
        self.target_state: TargetState | None = None
        """What was asked for last; None: what it was started with."""
        self._listener = listener
        self._host: HostProcess | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """None when there is no process (any more)."""
        return self._host.pid if self.alive and self._host is not None else None

    @property
    def alive(self) -> bool:
        return self._host is not None and not self._host.exited.done()

    def attach(self, host: HostProcess) -> None:
        """`host` is killed when the process has been stopped while it was launched."""
        if self._stopping:
            host.kill()
            return
        self._host = host
        host.exited.add_done_callback(lambda exited: self._ended(host, exited.result()))

    def send(self, message: Message) -> None:
        """Nothing happens when the process is gone."""
        if self._host is not None:
            self._host.send(message)

    def set_target_state(self, target: TargetState) -> None:
        self.target_state = target
        self.send(SetTargetState(target_state=target.name))

    def kill(self) -> None:
        """SIGKILL. Nothing happens when it is gone."""
        if self._host is not None:
            self._host.kill()

    async def stop(self, deadline: float) -> bool:
        """End it, by SIGKILL when the loop's time passes `deadline` first: False then. May be called twice."""
        host = self._host
        self._stopping = True
        if host is None:
            return True
        host.send(Stop())
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait({host.exited}, timeout=left)
        if not done:
            host.kill()
            await asyncio.wait({host.exited}, timeout=_KILL_GRACE_S)
        return bool(done)

    def on_message(self, message: FromHost) -> None:
        match message:
            case StateChanged():
                self._report(State[message.state], message.trace, misconfigured=message.misconfigured)
            case _:
                raise ConnectError(f"a {type(message).__name__} of {self.id} was not expected")

    def _report(self, state: State, trace: str | None = None, *, misconfigured: bool = False) -> None:
        if (state, trace) != (self.state, self.trace):
            self.state = state
            self.trace = trace
            self._listener.on_status(self.id, state, trace, misconfigured=misconfigured)

    def _ended(self, host: HostProcess, how: Exit) -> None:
        if host is not self._host:
            return
        if self._stopping:
            if self.state is not State.FAILED:
                self._report(State.UNASSIGNED)
        elif self.state is not State.FAILED:
            self._crashed(how)

    def _crashed(self, how: Exit) -> None:
        self._report(State.FAILED, self._crash_report(how))

    def _crash_report(self, how: Exit) -> str:
        return f"The process of {self.id} was gone without having been told to stop: {how.report}"


class TaskProcess(SupervisedProcess):
    """One task's process. `stats` are the counters that it reported last."""

    id: TaskId

    def __init__(
        self,
        id: TaskId,
        listener: StatusListener,
        on_offsets: Callable[[TaskProcess | ConnectorProcess, ReadOffsets | WriteOffsets], None],
        on_abandoned: Callable[[TaskStats], None],
    ) -> None:
        """`on_abandoned` is told of a task that was in a consumer group and could not leave it."""
        super().__init__(id, listener)
        self.stats = TaskStats()
        self._on_offsets = on_offsets
        self._on_abandoned = on_abandoned

    def on_message(self, message: FromHost) -> None:
        match message:
            case Stats():
                self.stats = message.counters
            case TopicUsed():
                self._listener.on_topic_used(self.id, message.topic)
            case ReadOffsets() | WriteOffsets():
                self._on_offsets(self, message)
            case _:
                super().on_message(message)

    def _ended(self, host: HostProcess, how: Exit) -> None:
        if how.status not in (ExitCode.DONE, ExitCode.FAILED) and self.stats.member_id is not None:
            self._on_abandoned(self.stats)
        super()._ended(host, how)


class ConnectorProcess(SupervisedProcess):
    """One connector's process."""

    id: str

    def __init__(
        self,
        name: str,
        listener: StatusListener,
        on_offsets: Callable[[TaskProcess | ConnectorProcess, ReadOffsets | WriteOffsets], None],
        on_crash: Callable[[ConnectorProcess, str], bool],
    ) -> None:
        """`on_crash` is told of an end that nobody asked for; True when it sees to a replacement."""
        super().__init__(name, listener)
        self._on_offsets = on_offsets
        self._on_crash = on_crash
        self._requests: dict[int, asyncio.Future[list[dict[str, str]]]] = {}
        self._numbers = itertools.count()

    def begin_anew(self) -> None:
        """Forget what the process that has died reported: a new one will be attached, and its state is told."""
        self.state, self.trace = State.UNASSIGNED, None

    async def task_configs(self) -> list[dict[str, str]]:
        """Ask the connector for the configs of `tasks.max` tasks at most. ConnectError with what it raised, or when it
        does not answer; ReportedError when it has failed by itself."""
        if not self.alive:
            raise self._failure(f"connector {self.id} is not running")
        number = next(self._numbers)
        answer: asyncio.Future[list[dict[str, str]]] = asyncio.get_running_loop().create_future()
        self._requests[number] = answer
        self.send(RequestTaskConfigs(request=number))
        try:
            return await asyncio.wait_for(answer, TASK_CONFIGS_TIMEOUT_S)
        except TimeoutError:
            raise ConnectError(
                f"connector {self.id} did not return from task_configs within {TASK_CONFIGS_TIMEOUT_S:g} s"
            ) from None
        finally:
            self._requests.pop(number, None)

    def on_message(self, message: FromHost) -> None:
        match message:
            case TaskConfigs():
                answer = self._requests.get(message.request)
                if answer is not None and not answer.done():
                    if message.error is None:
                        answer.set_result(message.configs)
                    else:
                        answer.set_exception(ConnectError(message.error))
            case ReconfigurationRequested():
                self._listener.on_reconfiguration_requested(self.id)
            case ReadOffsets() | WriteOffsets():
                self._on_offsets(self, message)
            case _:
                super().on_message(message)

    def _ended(self, host: HostProcess, how: Exit) -> None:
        for answer in self._requests.values():
            if not answer.done():
                answer.set_exception(self._failure(self._crash_report(how)))
        super()._ended(host, how)

    def _failure(self, otherwise: str) -> ConnectError:
        if self.state is State.FAILED:
            return ReportedError(self.trace or otherwise)
        return ConnectError(otherwise)

    def _crashed(self, how: Exit) -> None:
        if not self._on_crash(self, how.report):
            super()._crashed(how)
