"""Connector configs, target states, task configs and what else the workers of a pool share, kept in a log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from kconnect.errors import DataError, RetriableError
from kconnect_workers.states import TargetState, TaskId
from kconnect_workers.stores import config_records
from kconnect_workers.stores.config_records import (
    ConfigRecord,
    ConnectorConfig,
    LoggerLevel,
    RestartRequest,
    SessionKey,
    TargetStateChange,
    TasksCommit,
)
from kconnect_workers.stores.config_state import ConfigState
from kconnect_workers.stores.entry_log import Apply, Entry, PositionedLog

_logger = logging.getLogger(__name__)


class ConfigListener(Protocol):
    """Told what other workers, and this one, have written, in the order of the log and after `ConfigStore.state` shows
    it. Called on the store's event loop; must not block. What is there when the store starts is not told."""

    def on_connector_config_update(self, connector: str) -> None: ...

    def on_connector_config_remove(self, connector: str) -> None: ...

    def on_task_config_update(self, connector: str, tasks: Sequence[TaskId]) -> None:
        """These are the connector's tasks; none where it has none, or is inconsistent."""
        ...

    def on_connector_target_state_change(self, connector: str) -> None: ...

    def on_session_key_update(self, session_key: SessionKey) -> None: ...

    def on_restart_request(self, request: RestartRequest) -> None: ...

    def on_logging_level_update(self, logger: str, level: str) -> None: ...


class PrivilegedWriteError(RetriableError):
    """Another worker leads the group by now, or the write failed otherwise: the privilege to write has to be claimed
    again, by whoever leads."""


class LeaderLog(Protocol):
    """Writes to the config topic of which a later claim fences those of earlier ones."""

    @property
    def is_claimed(self) -> bool: ...

    async def claim(self) -> None: ...

    async def append(self, entries: Sequence[Entry]) -> None:
        """As `EntryLog.append`, all of `entries` or none."""
        ...

    async def stop(self) -> None: ...


class ConfigStore:
    """`state` is what the log says; each `put_…` returns when the log has taken it and `state` shows it.

    `open_log` makes the log, given the function that it applies entries with. With a `leader_log`, only a worker that
    has claimed the privilege writes more than target states and logger levels: PrivilegedWriteError for another, and
    for one that a later leader has fenced. Belongs to the worker's event loop.
    """

    def __init__(self, open_log: Callable[[Apply], PositionedLog], leader_log: LeaderLog | None = None) -> None:
        self.state = ConfigState()
        self.listener: ConfigListener | None = None
        self._log = open_log(self._apply)
        self._leader_log = leader_log
        self._started = False

    @property
    def offset(self) -> int:
        """The offset behind the last record that `state` knows, -1 when it knows none: what workers compare."""
        return self._log.position

    async def start(self) -> None:
        await self._log.start()
        self._started = True

    async def stop(self) -> None:
        self._started = False
        if self._leader_log is not None:
            await self._leader_log.stop()
        await self._log.stop()

    async def refresh(self, timeout_s: float) -> None:
        """Returns when `state` shows what is in the log now. TimeoutError when that takes longer, ConnectError when the
        log cannot be read."""
        async with asyncio.timeout(timeout_s):
            await self._log.read_to_end()

    @property
    def has_write_privileges(self) -> bool:
        """Whether the privilege was claimed, and not lost since as far as this worker knows."""
        return self._leader_log is None or self._leader_log.is_claimed

    async def claim_write_privileges(self) -> None:
        """As the group's new leader, fence the writes of earlier ones; before any other write, and again after a
        PrivilegedWriteError. Nothing to do without exactly-once support. ConnectError when that fails."""
        if self._leader_log is not None:
            await self._leader_log.claim()

    async def put_connector(self, name: str, props: Mapping[str, str], target_state: TargetState | None = None) -> None:
        """`target_state` None leaves that as it is (a new connector is STARTED)."""
        entries = [config_records.connector_entry(name, props)]
        if target_state is not None:
            entries.insert(0, config_records.target_state_entry(name, target_state))
        await self._append_as_leader(entries)

    async def remove_connector(self, name: str) -> None:
        await self._append_as_leader(
            [config_records.connector_entry(name, None), config_records.target_state_entry(name, None)]
        )

    async def put_tasks(self, name: str, configs: Sequence[Mapping[str, str]]) -> None:
        await self._append_as_leader(config_records.tasks_entries(name, configs))

    async def put_target_state(self, name: str, state: TargetState) -> None:
        await self._log.append([config_records.target_state_entry(name, state)])

    async def put_restart_request(self, request: RestartRequest) -> None:
        await self._append_as_leader([config_records.restart_entry(request)])

    async def put_session_key(self, session_key: SessionKey) -> None:
        await self._append_as_leader([config_records.session_key_entry(session_key)])

    async def put_task_count(self, name: str, tasks: int) -> None:
        """The earlier tasks are fenced; `tasks` of the newest configs may start (0: none did)."""
        await self._append_as_leader([config_records.task_count_entry(name, tasks)])

    async def put_logger_level(self, logger: str, level: str) -> None:
        await self._log.append([config_records.logger_level_entry(logger, level)])

    async def _append_as_leader(self, entries: Sequence[Entry]) -> None:
        if self._leader_log is None:
            await self._log.append(entries)
        else:
            await self._leader_log.append(entries)

    def _apply(self, key: bytes, value: bytes | None) -> None:
        try:
            record = config_records.read(key, value)
        except DataError as e:
            _logger.error("%s; it is ignored", e)
            return
        if record is not None and self.state.apply(record) and self._started and self.listener is not None:
            self._tell(self.listener, record)

    def _tell(self, listener: ConfigListener, record: ConfigRecord) -> None:
        match record:
            case ConnectorConfig(name, None):
                listener.on_connector_config_remove(name)
            case ConnectorConfig(name, _):
                listener.on_connector_config_update(name)
            case TasksCommit(name, _):
                listener.on_task_config_update(name, [TaskId(name, n) for n in range(len(self.state.tasks(name)))])
            case TargetStateChange(name, _):
                listener.on_connector_target_state_change(name)
            case SessionKey():
                listener.on_session_key_update(record)
            case RestartRequest():
                listener.on_restart_request(record)
            case LoggerLevel(logger, level):
                listener.on_logging_level_update(logger, level)
