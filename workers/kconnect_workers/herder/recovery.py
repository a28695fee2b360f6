"""Starting failed connectors and tasks again by themselves, with growing pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kconnect.errors import ConfigError
from kconnect_workers import outlook
from kconnect_workers.config.restart_config import RestartConfig
from kconnect_workers.states import TaskId, connector_of

_logger = logging.getLogger(__name__)

_STEADY_SECONDS = 60.0
"""What ran for so long after a restart begins with the shortest pause when it fails again."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How often one has failed in a row, and when it last did. Times are seconds of one monotonic clock."""

    count: int = 0
    last: float = 0.0

    def next(self, now: float, config: RestartConfig) -> Failures:
        steady = self.count > 0 and now - self.last > self.delay(config) + _STEADY_SECONDS
        return Failures(1 if steady else self.count + 1, now)

    def delay(self, config: RestartConfig) -> float:
        """The pause before the next start, in seconds."""
        delay_ms = config.errors_restart_delay_initial_ms * 2.0 ** min(self.count - 1, 30)
        return min(delay_ms, config.errors_restart_delay_max_ms) / 1000


class Recovery:
    """Calls `restart` for a failed connector (its name) or task after its pause; whether that is still meant is for
    `restart` to see.

    `worker_props` are the worker's settings, a connector's go over them."""

    def __init__(self, worker_props: Mapping[str, str], restart: Callable[[str | TaskId], None]) -> None:
        self._worker_props = worker_props
        self._restart = restart
        self._failures: dict[str | TaskId, Failures] = {}
        self._pending: dict[str | TaskId, asyncio.TimerHandle] = {}

    def failed(self, id: str | TaskId, props: Mapping[str, str]) -> str:
        """A connector with the validated config `props`, or a task of it, has failed. Returns its outlook."""
        config = self._config(id, props)
        if not config.errors_restart_enable:
            return outlook.never("errors.restart.enable is false")
        loop = asyncio.get_running_loop()
        failures = self._failures.get(id, Failures()).next(loop.time(), config)
        self._failures[id] = failures
        self._forget_pending(id)
        delay = failures.delay(config)
        _logger.warning("%s is started again in %g s, after failure %d in a row", id, delay, failures.count)
        self._pending[id] = loop.call_later(delay, self._start_again, id)
        return outlook.again(delay, failures.count)

    def forget(self, id: str | TaskId) -> None:
        """A connector and its tasks, or one task, are gone, or started by a user: how they failed before is of no
        matter."""
        for gone in [one for one in self._failures if id in (one, connector_of(one))]:
            del self._failures[gone]
            self._forget_pending(gone)

    def stop(self) -> None:
        """Start nothing any more. May be called twice."""
        for pending in list(self._pending):
            self._forget_pending(pending)

    def _config(self, id: str | TaskId, props: Mapping[str, str]) -> RestartConfig:
        try:
            return RestartConfig.parse({**self._worker_props, **props})
        except ConfigError as e:  # a variable of a config provider, which only the connector's processes resolve
            _logger.warning("%s comes back as the worker's settings say; its connector's cannot be read: %s", id, e)
            return RestartConfig.parse(self._worker_props)

    def _start_again(self, id: str | TaskId) -> None:
        del self._pending[id]
        self._restart(id)

    def _forget_pending(self, id: str | TaskId) -> None:
        pending = self._pending.pop(id, None)
        if pending is not None:
            pending.cancel()
