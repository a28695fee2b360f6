"""Connector configs, target states and task configs, kept in a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from kconnect.errors import DataError
from kconnect_workers.states import TargetState
from kconnect_workers.stores import config_records
from kconnect_workers.stores.config_state import ConfigState
from kconnect_workers.stores.entry_log import Apply, EntryLog

_logger = logging.getLogger(__name__)


class ConfigStore:
    """`state` is what the log says; each `put_…` returns when the log has taken it and `state` shows it.

    `open_log` makes the log, given the function that it applies entries with. Belongs to the worker's event loop.
    """

    def __init__(self, open_log: Callable[[Apply], EntryLog]) -> None:
        self.state = ConfigState()
        self._log = open_log(self._apply)

    async def start(self) -> None:
        await self._log.start()

    async def stop(self) -> None:
        await self._log.stop()

    async def put_connector(self, name: str, props: Mapping[str, str], target_state: TargetState | None = None) -> None:
        """`target_state` None leaves that as it is (a new connector is STARTED)."""
        entries = [config_records.connector_entry(name, props)]
        if target_state is not None:
            entries.insert(0, config_records.target_state_entry(name, target_state))
        await self._log.append(entries)

    async def remove_connector(self, name: str) -> None:
        await self._log.append(
            [config_records.connector_entry(name, None), config_records.target_state_entry(name, None)]
        )

    async def put_tasks(self, name: str, configs: Sequence[Mapping[str, str]]) -> None:
        await self._log.append(config_records.tasks_entries(name, configs))

    async def put_target_state(self, name: str, state: TargetState) -> None:
        await self._log.append([config_records.target_state_entry(name, state)])

    def _apply(self, key: bytes, value: bytes | None) -> None:
        try:
            record = config_records.read(key, value)
        except DataError as e:
            _logger.error("%s; it is ignored", e)
            return
        if record is not None:
            self.state.apply(record)
