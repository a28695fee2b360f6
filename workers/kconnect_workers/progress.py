"""What flows through a worker's tasks, live: records in and out, rate, lag."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

from kconnect.errors import ConnectError
from kconnect_workers.state_colors import STATE_COLORS
from kconnect_workers.states import State, TaskId
from kconnect_workers.tasks.task_stats import TaskStats

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from kconnect.kafka.groups import GroupDescription

TERMINAL_INTERVAL_S = 1.0
PIPE_INTERVAL_S = 10.0
LAG_INTERVAL_S = 5.0


class Flowing(Protocol):
    """A task, as far as it is shown."""

    @property
    def state(self) -> State: ...

    @property
    def stats(self) -> TaskStats: ...


class Lags:
    """How far sink tasks lag: what a running task says; for others what their groups have not committed, asked of
    `describe` now and then while `watch` runs, and before that what they said last."""

    def __init__(
        self,
        tasks: Callable[[], Mapping[TaskId, Flowing]],
        describe: Callable[[str], Awaitable[GroupDescription]],
    ) -> None:
        self._tasks = tasks
        self._describe = describe
        self._idle: dict[TaskId, int | None] = {}

    def of(self, id: TaskId, task: Flowing) -> int | None:
        """None while it is not known, and for sources."""
        uncommitted = None if task.state is State.RUNNING else self._idle.get(id)
        return task.stats.lag if uncommitted is None else uncommitted

    async def watch(self) -> None:
        """Runs until it is cancelled."""
        while True:
            groups: dict[str, dict[TaskId, str | None]] = defaultdict(dict)
            for task_id, task in self._tasks().items():
                if task.state is not State.RUNNING and task.stats.group_id is not None:
                    groups[task.stats.group_id][task_id] = task.stats.member_id
            lags: dict[TaskId, int | None] = {}
            for group, members in groups.items():
                with contextlib.suppress(ConnectError):  # not known, then
                    lags |= lags_of(await self._describe(group), members)
            self._idle = lags
            await asyncio.sleep(LAG_INTERVAL_S)


def lags_of(group: GroupDescription, tasks: Mapping[TaskId, str | None]) -> dict[TaskId, int | None]:
    """The lag of tasks, given with their member ids. Partitions that no member has, since a task has failed, are
    counted to the first task that is not a member; None where nothing has been committed yet."""
    current = {member.member_id for member in group.members}
    owners = {member: task for task, member in tasks.items() if member in current}
    first_without = min(tasks.keys() - owners.values(), default=None)
    lags: dict[TaskId, int | None] = dict.fromkeys(tasks)
    for partition in group.partitions:
        owner = partition.member
        task = first_without if owner is None else owners.get(owner.member_id)
        if task is not None and partition.lag is not None:
            lags[task] = (lags[task] or 0) + partition.lag
    return lags


def totals(tasks: Mapping[TaskId, Flowing]) -> list[str]:
    """A line for each task: what it has moved since it was started last."""
    return [
        f"{task_id}: {task.stats.records_in:,} records in, {task.stats.records_out:,} out"
        for task_id, task in sorted(tasks.items())
    ]


class AboveTable:
    """A stream of whole lines, shown above a console's live table. Long ones are broken by the terminal alone, so that
    a path in them can be copied."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, lines: str) -> int:
        from rich.text import Text

        self._console.print(Text(lines.removesuffix("\n")), soft_wrap=True)
        return len(lines)

    def flush(self) -> None:
        """Nothing is held back."""


class Progress(AbstractAsyncContextManager[None]):
    """Shows the tasks while its block runs, and the connectors that have none: a table that renews itself on a
    terminal, a line now and then in a pipe."""

    def __init__(
        self,
        tasks: Callable[[], Mapping[TaskId, Flowing]],
        connectors: Callable[[], Mapping[str, State]],
        describe: Callable[[str], Awaitable[GroupDescription]],
    ) -> None:
        self._tasks = tasks
        self._connectors = connectors
        self._lags = Lags(tasks, describe)
        self._seen: dict[TaskId, tuple[float, int]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> None:
        show = self._on_terminal if sys.stdout.isatty() else self._in_pipe
        self._running = {asyncio.create_task(show()), asyncio.create_task(self._lags.watch())}

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _on_terminal(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console, stderr = Console(), sys.stderr
        above = AboveTable(console) if stderr.isatty() else stderr
        with (
            Live(console=console, auto_refresh=False, transient=True, redirect_stderr=stderr.isatty()) as live,
            _logging_to(above, instead_of=stderr),
        ):
            while True:
                live.update(self.table(), refresh=True)
                await asyncio.sleep(TERMINAL_INTERVAL_S)

    async def _in_pipe(self) -> None:
        while True:
            await asyncio.sleep(PIPE_INTERVAL_S)
            if line := self.line():
                print(line, flush=True)

    def table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("TASK", no_wrap=True, overflow="ellipsis")
        table.add_column("STATE", no_wrap=True)
        for column in ("RECORDS IN", "OUT", "RATE", "LAG"):
            table.add_column(column, justify="right", no_wrap=True)
        tasks = self._tasks()
        for name, state in sorted(self._without_tasks(tasks).items()):
            table.add_row(Text(name), _colored(state))
        for task_id, task in sorted(tasks.items()):
            stats = task.stats
            lag = self._lags.of(task_id, task)
            table.add_row(
                Text(str(task_id)),
                _colored(task.state),
                f"{stats.records_in:,}",
                f"{stats.records_out:,}",
                f"{self._rate(task_id, stats.records_out):,.0f}/s",
                "" if lag is None else f"{lag:,}",
            )
        return table

    def line(self) -> str:
        tasks = self._tasks()
        parts = [f"{name} {state.name}" for name, state in sorted(self._without_tasks(tasks).items())]
        for task_id, task in sorted(tasks.items()):
            stats = task.stats
            waiting = self._lags.of(task_id, task)
            lag = "" if waiting is None else f", lag {waiting:,}"
            state = "" if task.state is State.RUNNING else f" {task.state.name}"
            rate = self._rate(task_id, stats.records_out)
            parts.append(f"{task_id}{state} in {stats.records_in:,} out {stats.records_out:,} ({rate:,.0f}/s{lag})")
        return " · ".join(parts)

    def _without_tasks(self, tasks: Mapping[TaskId, Flowing]) -> dict[str, State]:
        with_tasks = {task_id.connector for task_id in tasks}
        return {name: state for name, state in self._connectors().items() if name not in with_tasks}

    def _rate(self, task_id: TaskId, count: int) -> float:
        """Records per second since this was last asked of the task; a restarted task begins anew."""
        now = time.monotonic()
        then, before = self._seen.get(task_id, (now, count))
        self._seen[task_id] = (now, count)
        return max(0.0, (count - before) / (now - then)) if now > then else 0.0


def _colored(state: State) -> Text:
    from rich.text import Text

    return Text(state.name, style=STATE_COLORS.get(state.name, ""))


@contextlib.contextmanager
def _logging_to(stream: TextIO | AboveTable, *, instead_of: TextIO) -> Iterator[None]:
    """While a table is live, it puts what is printed above itself: log lines have to go there too."""
    moved = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler) and h.stream is instead_of]
    for handler in moved:
        handler.setStream(stream)
    try:
        yield
    finally:
        for handler in moved:
            handler.setStream(instead_of)
