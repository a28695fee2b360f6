"""The inventory: what is known of connectors and their tasks, in the shapes of Kafka Connect's REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kconnect.errors import ConnectError, NotFoundError
from kconnect.plugin import CONNECTORS, PluginInfo
from kconnect.plugins import Plugins
from kconnect_workers.herder.entities import (
    ConnectorInfo,
    ConnectorState,
    ConnectorStateInfo,
    ConnectorTaskId,
    TaskInfo,
    TaskState,
)
from kconnect_workers.states import State, Status, TargetState, TaskId
from kconnect_workers.stores.stores import Stores


class Inventory:
    """Answers from what the stores say now; `plugins` know types and versions. NotFoundError for a connector or task
    that is not there."""

    def __init__(self, stores: Stores) -> None:
        self._configs = stores.configs
        self._statuses = stores.statuses
        self._plugins = Plugins(())

    def connectors(self) -> list[str]:
        return self._configs.state.connectors()

    def config(self, name: str) -> Mapping[str, str]:
        config = self._configs.state.config(name)
        if config is None:
            raise NotFoundError(f"Connector {name} not found")
        return config

    def connector(self, name: str) -> ConnectorInfo:
        config = self.config(name)
        return ConnectorInfo(name=name, config=dict(config), tasks=self.task_ids(name), type=self._type(config))

    def task_ids(self, name: str) -> list[ConnectorTaskId]:
        """Empty while the connector has not been asked for its tasks."""
        return [ConnectorTaskId(name, number) for number in range(len(self._configs.state.tasks(name)))]

    def tasks(self, name: str) -> list[TaskInfo]:
        self.config(name)
        return [
            TaskInfo(ConnectorTaskId(name, number), dict(config))
            for number, config in enumerate(self._configs.state.tasks(name))
        ]

    def status(self, name: str) -> ConnectorStateInfo:
        status = self._statuses.connector(name)
        if status is None:
            raise NotFoundError(f"No status found for connector {name}")
        return self._state_info(name, status, self._statuses.tasks(name))

    def states(self) -> dict[str, State]:
        """Of the connectors, by name, without their tasks."""
        statuses = {name: self._statuses.connector(name) for name in self.connectors()}
        return {name: State.UNASSIGNED if status is None else status.state for name, status in statuses.items()}

    def task_status(self, id: TaskId) -> TaskState:
        status = self._statuses.task(id)
        if status is None:
            raise NotFoundError(f"No status found for task {id}")
        return _task_state(status)

    def target_state(self, name: str) -> TargetState:
        self.config(name)
        return self._configs.state.target_state(name)

    def topics(self, name: str) -> list[str]:
        """The topics that the connector's tasks were seen to use since it was made, or since they were forgotten."""
        return self._statuses.topics(name)

    def type_of(self, name: str) -> str:
        """`source`, `sink`, or `unknown` while the connector's class is not installed."""
        return self._type(self.config(name))

    def version_of(self, config: Mapping[str, str]) -> str | None:
        """The version of the plugin that a connector with this config runs; None while it is not installed."""
        plugin = self._resolve(config)
        return None if plugin is None else plugin.version

    def _resolve(self, config: Mapping[str, str]) -> PluginInfo | None:
        try:
            return self._plugins.resolve(CONNECTORS, config.get("connector.class", ""))
        except ConnectError:
            return None

    def _type(self, config: Mapping[str, str]) -> str:
        plugin = self._resolve(config)
        return "unknown" if plugin is None else plugin.kind.value

    def _state_info(self, name: str, status: Status, tasks: Sequence[Status]) -> ConnectorStateInfo:
        config = self._configs.state.config(name)
        return ConnectorStateInfo(
            name=name,
            connector=ConnectorState(status.state.value, status.worker_id, status.version, status.trace),
            tasks=[_task_state(task) for task in tasks],
            type="unknown" if config is None else self._type(config),
        )


def _task_state(status: Status) -> TaskState:
    assert isinstance(status.id, TaskId)
    return TaskState(status.id.task, status.state.value, status.worker_id, status.version, status.trace)
