"""What the herder has its connectors run by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect_workers.hosts.messages import ConfigInfos, ConfigKeyInfo
from kconnect_workers.states import TargetState, TaskId


class ConnectorRunner(Protocol):
    """Runs connectors and tasks, and asks plugins (`kconnect_workers.runtime.environment.Environment` is one); what
    becomes of them is told to a StatusListener."""

    async def plugins(self) -> Plugins: ...

    def broken_plugins(self) -> Mapping[str, str]: ...

    async def plugin_config(self, name: str, kind: PluginKind | None = None) -> list[ConfigKeyInfo]: ...

    async def validate(self, props: Mapping[str, str]) -> ConfigInfos: ...

    async def alter_offsets(
        self,
        name: str,
        props: Mapping[str, str],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]],
    ) -> bool: ...

    async def start_connector(self, name: str, props: Mapping[str, str], target_state: TargetState) -> None: ...

    async def stop_connector(self, name: str) -> None: ...

    async def task_configs(self, name: str) -> list[dict[str, str]]: ...

    async def start_task(
        self,
        id: TaskId,
        connector_props: Mapping[str, str],
        task_props: Mapping[str, str],
        target_state: TargetState,
    ) -> None: ...

    async def stop_tasks(self, ids: Iterable[TaskId]) -> None: ...

    async def set_target_state(self, name: str, state: TargetState) -> None: ...

    def forget_topics(self, name: str) -> None: ...

    def set_log_level(self, logger: str, level: str) -> None: ...
