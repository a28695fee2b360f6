"""Starting failed tasks again by themselves, with growing pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from kconnect_workers.states import TaskId

_logger = logging.getLogger(__name__)

_STEADY_SECONDS = 60.0
"""A task that ran for so long after a restart begins with the shortest pause when it fails again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySettings:
    """`errors.restart.*`; pauses are in seconds."""

    enabled: bool = True
    initial_delay: float = 1.0
    max_delay: float = 300.0

    def of_connector(self, props: Mapping[str, str]) -> Self:
        """These, with what a connector's validated config says otherwise."""
        enabled = props.get("errors.restart.enable")
        initial = props.get("errors.restart.delay.initial.ms")
        longest = props.get("errors.restart.delay.max.ms")
        return replace(
            self,
            enabled=self.enabled if enabled is None else enabled.strip().lower() == "true",
            initial_delay=self.initial_delay if initial is None else int(initial) / 1000,
            max_delay=self.max_delay if longest is None else int(longest) / 1000,
        )


@dataclass(frozen=True, slots=True)
class Failures:
    """How often a task has failed in a row, and when it last did. Times are seconds of one monotonic clock."""

    count: int = 0
    last: float = 0.0

    def next(self, now: float, settings: RecoverySettings) -> Failures:
        steady = self.count > 0 and now - self.last > self.delay(settings) + _STEADY_SECONDS
        return Failures(1 if steady else self.count + 1, now)

    def delay(self, settings: RecoverySettings) -> float:
        """The pause before the next start."""
        return min(settings.initial_delay * 2.0 ** min(self.count - 1, 30), settings.max_delay)


class TaskRecovery:
    """Calls `restart` for a failed task after its pause; whether it is still meant is for `restart` to see."""

    def __init__(self, settings: RecoverySettings, restart: Callable[[TaskId], None]) -> None:
        self._settings = settings
        self._restart = restart
        self._failures: dict[TaskId, Failures] = {}
        self._pending: dict[TaskId, asyncio.TimerHandle] = {}

    def failed(self, id: TaskId, props: Mapping[str, str]) -> None:
        """The task of a connector with the config `props` has failed."""
        settings = self._settings.of_connector(props)
        if not settings.enabled:
            return
        loop = asyncio.get_running_loop()
        failures = self._failures.get(id, Failures()).next(loop.time(), settings)
        self._failures[id] = failures
        self._forget_pending(id)
        delay = failures.delay(settings)
        _logger.warning("%s is started again in %g s, after failure %d in a row", id, delay, failures.count)
        self._pending[id] = loop.call_later(delay, self._start_again, id)

    def forget(self, connector: str) -> None:
        """The connector is gone."""
        for task in [task for task in self._failures if task.connector == connector]:
            del self._failures[task]
            self._forget_pending(task)

    def stop(self) -> None:
        """Start nothing any more. May be called twice."""
        for task in list(self._pending):
            self._forget_pending(task)

    def _start_again(self, id: TaskId) -> None:
        del self._pending[id]
        self._restart(id)

    def _forget_pending(self, id: TaskId) -> None:
        pending = self._pending.pop(id, None)
        if pending is not None:
            pending.cancel()
