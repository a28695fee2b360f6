"""Connectors given on the command line: they run while they are given there, and stay off when they no longer are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from kconnect.errors import ConnectError
from kconnect_workers.herder.herder import Herder
from kconnect_workers.states import TargetState

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GivenConnector:
    name: str
    props: Mapping[str, str]
    initial_state: TargetState | None = None


class _Memory(msgspec.Struct):
    given: list[str] = []
    """Given when the worker was started last."""
    off: list[str] = []
    """Given before that, and switched off since."""


@dataclass(slots=True)
class CommandLine:
    """Remembers in `file` which connectors came from the command line: they were not made over REST."""

    file: Path
    _memory: _Memory = field(default_factory=_Memory)

    async def switch_off(self, herder: Herder, given: Sequence[GivenConnector]) -> None:
        """Stop the stored connectors that were given before and are not in `given`. Before the herder starts any."""
        self._memory = self._read()
        names = {connector.name for connector in given}
        for name in self._memory.given:
            if name in names or name not in herder.connectors():
                continue
            self._memory.off.append(name)
            if herder.target_state(name) is not TargetState.STOPPED:
                await herder.store_target_state(name, TargetState.STOPPED)
                _logger.warning(
                    "%s was given on the command line before and is not now: it stays off (resume or delete it)", name
                )
        self._memory.given = [name for name in self._memory.given if name in names]
        self._write()

    async def run(self, herder: Herder, given: Sequence[GivenConnector]) -> None:
        """Store and run those that are given, instead of stored ones of their names. ConfigError, naming the
        connector, for one that cannot be accepted."""
        for connector in given:
            await self._run(herder, connector)
            if connector.name not in self._memory.given:
                self._memory.given.append(connector.name)
            self._write()

    async def _run(self, herder: Herder, connector: GivenConnector) -> None:
        name = connector.name
        stored = name in herder.connectors()
        if not stored:
            await herder.create(name, connector.props, connector.initial_state)
        elif dict(herder.config(name)) != {**connector.props, "name": name}:
            await herder.put_config(name, connector.props)
            _logger.info("%s is stored with the config that is given now", name)
        if name in self._memory.off:
            self._memory.off.remove(name)
            if herder.target_state(name) is TargetState.STOPPED:
                await herder.set_target_state(name, TargetState.STARTED)
        state = herder.target_state(name)
        if stored and state is TargetState.STARTED:
            _logger.info("%s goes on from where it was", name)
        elif stored:
            _logger.warning("%s stays %s, as it was left; it goes on with: kconnect resume %s", name, state.value, name)

    def _read(self) -> _Memory:
        try:
            return msgspec.json.decode(self.file.read_bytes(), type=_Memory)
        except FileNotFoundError:
            return _Memory()
        except (OSError, msgspec.DecodeError) as e:
            raise ConnectError(f"{self.file} cannot be read: {e} (remove it to forget what it says)") from e

    def _write(self) -> None:
        beside = self.file.with_name(self.file.name + ".new")
        beside.write_bytes(msgspec.json.encode(self._memory))
        beside.replace(self.file)
