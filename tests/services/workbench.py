"""A workbench for the herder, where connectors are only noted down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kconnect.errors import ConnectError
from kconnect.plugin import PluginInfo, PluginKind
from kconnect.plugins import Plugins
from kconnect_workers.herder.herder import Herder
from kconnect_workers.herder.pool import Alone
from kconnect_workers.hosts.messages import ConfigInfos, ConfigKeyInfo, ConfigValueInfo
from kconnect_workers.states import State, StatusListener, TargetState, TaskId
from kconnect_workers.stores.config_store import ConfigStore
from kconnect_workers.stores.entry_log import MemoryLog
from kconnect_workers.stores.offset_store import OffsetStore
from kconnect_workers.stores.status_store import StatusStore
from kconnect_workers.stores.stores import Stores


class NotingRunner:
    """A ConnectorRunner whose connectors are only noted down. `broken` names connectors whose `task_configs` fail."""

    listener: StatusListener

    def __init__(self) -> None:
        self.connectors: dict[str, Mapping[str, str]] = {}
        self.running: dict[TaskId, tuple[Mapping[str, str], Mapping[str, str]]] = {}
        self.starts: list[str | TaskId] = []
        self.broken: set[str] = set()
        self.log_levels: dict[str, str] = {}
        self.forgotten_topics: list[str] = []
        self.broken_classes: dict[str, str] = {}

    async def plugins(self) -> Plugins:
        return Plugins(
            [
                PluginInfo("files:Source", PluginKind.SOURCE, "files", "1.0", ("java.Source",)),
                PluginInfo("files:Sink", PluginKind.SINK, "files", "1.0", ("java.Sink",)),
            ]
        )

    def broken_plugins(self) -> Mapping[str, str]:
        return self.broken_classes

    async def plugin_config(self, name: str, kind: PluginKind | None = None) -> list[ConfigKeyInfo]:
        (await self.plugins()).resolve(list(PluginKind), name)
        return [_key("file", "STRING"), _key("pin", "PASSWORD")]

    async def validate(self, props: Mapping[str, str]) -> ConfigInfos:
        errors = [] if "file" in props else ["file is missing"]
        errors += [] if props.get("name") else ["a connector needs a name"]
        value = ConfigValueInfo(
            name="file", value=props.get("file"), recommended_values=[], errors=errors, visible=True
        )
        return ConfigInfos(
            name=props["connector.class"],
            error_count=len(errors),
            groups=[],
            configs=[(_key("file", "STRING"), value)],
        )

    async def alter_offsets(
        self,
        name: str,
        props: Mapping[str, str],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]],
    ) -> bool:
        return True

    async def start_connector(self, name: str, props: Mapping[str, str], target_state: TargetState) -> None:
        self.connectors[name] = props
        self.starts.append(name)
        self.listener.on_status(name, _STATES[target_state])

    async def stop_connector(self, name: str) -> None:
        self.connectors.pop(name, None)

    async def task_configs(self, name: str) -> list[dict[str, str]]:
        if name in self.broken:
            raise ConnectError("the database is away")
        props = self.connectors[name]
        return [{"file": props["file"], "task": str(number)} for number in range(int(props.get("tasks.max", "1")))]

    async def start_task(
        self,
        id: TaskId,
        connector_props: Mapping[str, str],
        task_props: Mapping[str, str],
        target_state: TargetState,
    ) -> None:
        self.running[id] = (connector_props, task_props)
        self.starts.append(id)
        self.listener.on_status(id, _STATES[target_state])

    async def stop_tasks(self, ids: Iterable[TaskId]) -> None:
        for task in ids:
            self.running.pop(task, None)

    async def set_target_state(self, name: str, state: TargetState) -> None:
        started: list[str | TaskId] = [name, *(task for task in self.running if task.connector == name)]
        for process in started:
            self.listener.on_status(process, _STATES[state])

    def forget_topics(self, name: str) -> None:
        self.forgotten_topics.append(name)

    def set_log_level(self, logger: str, level: str) -> None:
        self.log_levels[logger] = level


_STATES = {
    TargetState.STARTED: State.RUNNING,
    TargetState.PAUSED: State.PAUSED,
    TargetState.STOPPED: State.STOPPED,
}


def _key(name: str, type: str) -> ConfigKeyInfo:
    return ConfigKeyInfo(
        name=name,
        type=type,
        required=True,
        default_value=None,
        importance="HIGH",
        documentation="",
        group=None,
        order_in_group=-1,
        width="NONE",
        display_name=name,
        dependents=[],
    )


class Workbench:
    """A herder over stores in memory, which outlive it: `restart` is what a new worker would do."""

    def __init__(self) -> None:
        self.configs = ConfigStore(MemoryLog)
        self.statuses = StatusStore(MemoryLog)
        self.stores = Stores(self.configs, self.statuses, OffsetStore(MemoryLog))

    async def start(self) -> Herder:
        self.environment = NotingRunner()
        pool = Alone("127.0.0.1:8083", self.configs)
        self.herder = Herder(pool, self.stores, {"errors.restart.delay.max.ms": "1000"})
        self.environment.listener = self.herder.supervision
        await self.stores.start()
        await self.herder.start(self.environment)
        self.herder.run_stored()
        await self.settle()
        return self.herder

    async def settle(self) -> None:
        for name in self.herder.connectors():
            await self.herder.settled(name)
        await self.herder.supervision.flush()

    async def restart(self) -> Herder:
        await self.herder.stop()
        await self.herder.close()
        return await self.start()
