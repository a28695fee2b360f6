"""What the config topic says: a pure state, fed its records one by one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kconnect_workers.states import TargetState
from kconnect_workers.stores.config_records import (
    ConfigRecord,
    ConnectorConfig,
    RestartRequest,
    TargetStateChange,
    TaskConfig,
    TasksCommit,
)


class ConfigState:
    """Connectors, their target states and their committed task configs.

    Task configs count only once a commit names their number. Where compaction has removed some of them, the
    connector is inconsistent: it has no tasks until a complete set is written.
    """

    def __init__(self) -> None:
        self._connectors: dict[str, Mapping[str, str]] = {}
        self._incarnations: dict[str, int] = {}
        self._created = 0
        self._target_states: dict[str, TargetState] = {}
        self._tasks: dict[str, list[Mapping[str, str]]] = {}
        self._uncommitted: dict[str, dict[int, Mapping[str, str]]] = {}
        self._inconsistent: set[str] = set()

    def connectors(self) -> list[str]:
        """Names, in the order in which they were created."""
        return list(self._connectors)

    def config(self, connector: str) -> Mapping[str, str] | None:
        return self._connectors.get(connector)

    def incarnation(self, connector: str) -> int | None:
        """Tells a connector from the one that was deleted before it was made anew under the same name; None when there
        is none. Of no meaning beyond this object."""
        return self._incarnations.get(connector)

    def target_state(self, connector: str) -> TargetState:
        return self._target_states.get(connector, TargetState.STARTED)

    def tasks(self, connector: str) -> list[Mapping[str, str]]:
        """The task configs, by task number."""
        return list(self._tasks.get(connector, ()))

    def inconsistent(self, connector: str) -> bool:
        return connector in self._inconsistent

    def apply(self, record: ConfigRecord) -> None:
        match record:
            case ConnectorConfig(name, None):
                self._forget(name)
            case ConnectorConfig(name, dict(props)):
                if name not in self._connectors:
                    self._created += 1
                    self._incarnations[name] = self._created
                self._connectors[name] = MappingProxyType(props)
            case TargetStateChange(name, None):
                self._target_states.pop(name, None)
            case TargetStateChange(name, TargetState() as state):
                self._target_states[name] = state
            case TaskConfig(id, props):
                self._uncommitted.setdefault(id.connector, {})[id.task] = MappingProxyType(props)
            case TasksCommit(name, count):
                self._commit(name, count)
            case RestartRequest():
                pass  # an event, not a state: of no use when read again later

    def _commit(self, name: str, count: int) -> None:
        configs = self._uncommitted.pop(name, {})
        if name not in self._connectors:
            # It was deleted, and compaction has removed the trace of that.
            self._forget(name)
        elif configs.keys() >= set(range(count)):
            self._tasks[name] = [configs[number] for number in range(count)]
            self._inconsistent.discard(name)
        else:
            self._tasks[name] = []
            self._inconsistent.add(name)

    def _forget(self, name: str) -> None:
        self._connectors.pop(name, None)
        self._incarnations.pop(name, None)
        self._tasks.pop(name, None)
        self._uncommitted.pop(name, None)
        self._inconsistent.discard(name)
