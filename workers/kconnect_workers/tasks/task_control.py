"""What a task has been told: whether to stop, pause or go on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kconnect_workers.states import State, TargetState
from kconnect_workers.tasks.task_stats import TaskStats


class TaskControl:
    """Set by the keeper, read by the task's thread. `report` tells the worker of a state, once per change; `tell` of
    counters that must not wait for the next second; `remark` of something to be shown beside the state (about what, and
    a text, or None to take it back)."""

    def __init__(
        self,
        target: TargetState,
        stopping: threading.Event,
        send_state: Callable[[State], None],
        tell: Callable[[TaskStats], None],
        remark: Callable[[str, str | None], None],
    ) -> None:
        self.target = target
        self.stopping = stopping
        self.tell = tell
        self.remark = remark
        self._send_state = send_state
        self._reported: State | None = None
        self._lock = threading.Lock()
        self._on_stop: Callable[[], None] | None = None

    @property
    def paused(self) -> bool:
        return self.target is not TargetState.STARTED

    def interrupt(self) -> None:
        """The task is to stop (`stopping` is set): end what it waits for. Does not block."""
        threading.Thread(target=self._interrupt_once, name="stopper", daemon=True).start()

    def on_stop(self, interrupt: Callable[[], None]) -> None:
        """Have `interrupt` called once, in a thread of its own, when the task is to stop; now, if it is to already."""
        with self._lock:
            self._on_stop = interrupt
        if self.stopping.is_set():
            self._interrupt_once()

    def _interrupt_once(self) -> None:
        with self._lock:
            interrupt, self._on_stop = self._on_stop, None
        if interrupt is not None:
            interrupt()

    def report(self, state: State) -> None:
        if state is not self._reported:
            self._reported = state
            self._send_state(state)
