"""What the config topic says: a pure state, fed its records one by one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kconnect_workers.states import TargetState
from kconnect_workers.stores.config_records import (
    ConfigRecord,
    ConnectorConfig,
    LoggerLevel,
    RestartRequest,
    SessionKey,
    TargetStateChange,
    TaskConfig,
    TaskCount,
    TasksCommit,
)


class ConfigState:
    """Connectors, their target states and their committed task configs, and what the workers of a pool share besides.

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
        self._applied: dict[str, Mapping[str, str]] = {}
        self._generations: dict[str, int] = {}
        self._task_counts: dict[str, int] = {}
        self._unfenced: set[str] = set()
        self._session_key: SessionKey | None = None

    @property
    def session_key(self) -> SessionKey | None:
        """What requests between workers are signed with; None before a leader has made one."""
        return self._session_key

    def connectors(self) -> list[str]:
        """Names, in the order in which they were created."""
        return list(self._connectors)

    def config(self, connector: str) -> Mapping[str, str] | None:
        return self._connectors.get(connector)

    def applied_config(self, connector: str) -> Mapping[str, str] | None:
        """The config that the connector had when its newest tasks were committed; None when none were."""
        return self._applied.get(connector)

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

    def task_generation(self, connector: str) -> int | None:
        """Grows with every set of one task or more that is committed; None before the first. Of no meaning beyond
        this object."""
        return self._generations.get(connector)

    def task_count(self, connector: str) -> int | None:
        """How many of the connector's tasks, the deleted connector's too, may have used transactional ids since the
        last fencing; None where it has never had one."""
        return self._task_counts.get(connector)

    def pending_fencing(self, connector: str) -> bool:
        """Whether exactly-once tasks have to wait: the newest ones are committed, and the earlier ones not fenced."""
        return connector in self._unfenced

    def apply(self, record: ConfigRecord) -> bool:
        """The topic's next record. Whether it changes what holds: a connector that does not exist has no target state
        to change, and a task config no effect before its commit."""
        match record:
            case ConnectorConfig(name, None):
                self._forget(name)
            case ConnectorConfig(name, dict(props)):
                if name not in self._connectors:
                    self._created += 1
                    self._incarnations[name] = self._created
                self._connectors[name] = MappingProxyType(props)
            case TargetStateChange():
                return self._change_target_state(record)
            case TaskConfig(id, props):
                self._uncommitted.setdefault(id.connector, {})[id.task] = MappingProxyType(props)
                return False
            case TasksCommit(name, count):
                return self._commit(name, count)
            case TaskCount(name, count):
                self._task_counts[name] = count
                self._unfenced.discard(name)
            case SessionKey():
                self._session_key = record
            case RestartRequest() | LoggerLevel():
                pass  # events, not states: of no use when read again later
        return True

    def _change_target_state(self, change: TargetStateChange) -> bool:
        before = self.target_state(change.connector)
        if change.state is None:
            self._target_states.pop(change.connector, None)
            return False
        self._target_states[change.connector] = change.state
        return change.connector in self._connectors and change.state is not before

    def _commit(self, name: str, count: int) -> bool:
        configs = self._uncommitted.pop(name, {})
        if name not in self._connectors:
            # It was deleted, and compaction has removed the trace of that.
            self._forget(name)
            return False
        if configs.keys() >= set(range(count)):
            self._tasks[name] = [configs[number] for number in range(count)]
            self._inconsistent.discard(name)
            self._applied[name] = self._connectors[name]
            if configs:
                self._generations[name] = self._generations.get(name, -1) + 1
        else:
            self._tasks[name] = []
            self._inconsistent.add(name)
        self._unfenced.add(name)
        return True

    def _forget(self, name: str) -> None:
        """But for its task count: the tasks of a connector that is made anew under its name have to fence the old
        ones."""
        self._connectors.pop(name, None)
        self._incarnations.pop(name, None)
        self._tasks.pop(name, None)
        self._uncommitted.pop(name, None)
        self._inconsistent.discard(name)
        self._applied.pop(name, None)
        self._generations.pop(name, None)
        self._unfenced.discard(name)
