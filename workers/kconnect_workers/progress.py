"""What flows through a worker's tasks, live: records in and out, rate, lag."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from kconnect_workers.states import State, TaskId
from kconnect_workers.tasks.task_stats import TaskStats

if TYPE_CHECKING:
    from rich.table import Table

TERMINAL_INTERVAL_S = 1.0
PIPE_INTERVAL_S = 10.0


class Flowing(Protocol):
    """A task, as far as it is shown."""

    @property
    def state(self) -> State: ...

    @property
    def stats(self) -> TaskStats: ...


class Progress(AbstractAsyncContextManager[None]):
    """Shows the tasks while its block runs: a table that renews itself on a terminal, a line now and then in a pipe."""

    def __init__(self, tasks: Callable[[], Mapping[TaskId, Flowing]]) -> None:
        self._tasks = tasks
        self._seen: dict[TaskId, tuple[float, int]] = {}
        self._showing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        show = self._on_terminal if sys.stdout.isatty() else self._in_pipe
        self._showing = asyncio.create_task(show())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._showing is not None:
            self._showing.cancel()
            await asyncio.wait({self._showing})

    async def _on_terminal(self) -> None:
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(), auto_refresh=False, transient=True) as live:
            while True:
                live.update(self._table(), refresh=True)
                await asyncio.sleep(TERMINAL_INTERVAL_S)

    async def _in_pipe(self) -> None:
        while True:
            await asyncio.sleep(PIPE_INTERVAL_S)
            if line := self._line():
                print(line, flush=True)

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("TASK")
        table.add_column("STATE")
        for column in ("IN", "OUT", "PER SECOND", "LAG"):
            table.add_column(column, justify="right")
        for task_id, task in sorted(self._tasks().items()):
            stats = task.stats
            lag = "" if stats.lag is None else f"{stats.lag:,}"
            rate = f"{self._rate(task_id, stats.records_out):,.0f}"
            table.add_row(str(task_id), task.state.name, f"{stats.records_in:,}", f"{stats.records_out:,}", rate, lag)
        return table

    def _line(self) -> str:
        parts = []
        for task_id, task in sorted(self._tasks().items()):
            stats = task.stats
            lag = "" if stats.lag is None else f", lag {stats.lag:,}"
            rate = self._rate(task_id, stats.records_out)
            parts.append(f"{task_id} in {stats.records_in:,} out {stats.records_out:,} ({rate:,.0f}/s{lag})")
        return " · ".join(parts)

    def _rate(self, task_id: TaskId, count: int) -> float:
        """Records per second since this was last asked of the task; a restarted task begins anew."""
        now = time.monotonic()
        then, before = self._seen.get(task_id, (now, count))
        self._seen[task_id] = (now, count)
        return max(0.0, (count - before) / (now - then)) if now > then else 0.0
