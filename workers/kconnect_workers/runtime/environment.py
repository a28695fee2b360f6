"""Environment: the connectors and tasks of one plugin environment, each in a process of its own."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from kconnect.errors import ConnectError, NotFoundError
from kconnect.plugin import PluginInfo, PluginKind, PluginLoadError
from kconnect.plugins import Plugins
from kconnect_workers.hosts import messages
from kconnect_workers.hosts.messages import ConfigInfos, ConfigKeyInfo, Message, ToHost
from kconnect_workers.runtime.group_exit import leave_group
from kconnect_workers.runtime.nursery import Nursery
from kconnect_workers.runtime.one_shot import ask
from kconnect_workers.runtime.replacement import ReplacementPolicy
from kconnect_workers.runtime.supervised_process import ConnectorProcess, SupervisedProcess, TaskProcess
from kconnect_workers.states import StatusListener, TargetState, TaskId
from kconnect_workers.tasks.task_stats import TaskStats

M = TypeVar("M", bound=Message)

log = logging.getLogger(__name__)


class OffsetBackend(Protocol):
    """Source offsets that the worker keeps (in a file): key bytes and value bytes in Kafka Connect's JSON."""

    async def read(self, connector: str) -> list[tuple[bytes, bytes]]: ...

    async def write(self, entries: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Return when they are stored; None deletes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """How an environment treats its processes."""

    graceful_stop_s: float = 5.0
    """`task.shutdown.graceful.timeout.ms`, for all tasks of one stop together."""
    lease_s: float = 10.0
    """A process ends when the worker was silent for this long."""
    inspection_timeout_s: float = 30.0
    """For listing, describing, validating."""
    slow_call_s: float = 30.0
    """A plugin's call that lasts longer is told of."""
    python: tuple[str, ...] = (sys.executable,)
    """The environment's own interpreter."""


class Environment:
    """Runs no connector code in the worker's process. Every method belongs to the worker's event loop.

    `worker_props` are the worker's settings as its hosts need them (with `bootstrap.servers` filled in, secrets
    unresolved), `consumer_props` those of its tasks' consumers with secrets resolved (without: the same); `folder` is
    where the processes are registered; `offsets` is given where the worker keeps source offsets in a file.
    `holds_lease` says whether processes may go on: in distributed mode, whether the group's heartbeats succeed.
    """

    def __init__(
        self,
        worker_props: Mapping[str, str],
        listener: StatusListener,
        *,
        folder: Path,
        consumer_props: Mapping[str, str] | None = None,
        settings: EnvironmentSettings | None = None,
        offsets: OffsetBackend | None = None,
        holds_lease: Callable[[], bool] = lambda: True,
    ) -> None:
        self._worker_props = dict(worker_props)
        self._consumer_props = self._worker_props if consumer_props is None else consumer_props
        self._listener = listener
        self._settings = settings or EnvironmentSettings()
        self._offsets = offsets
        self._nursery = Nursery(
            folder,
            python=self._settings.python,
            lease_s=self._settings.lease_s,
            holds_lease=holds_lease,
        )
        self._connectors: dict[str, ConnectorProcess] = {}
        self._replacements: defaultdict[str, ReplacementPolicy] = defaultdict(ReplacementPolicy)
        self._tasks: dict[TaskId, TaskProcess] = {}
        self._plugins: asyncio.Task[Plugins] | None = None
        self._broken: dict[str, str] = {}

    async def start(self) -> None:
        """Clear what an earlier worker left, and bring the zygote up. ConfigError when the folder is in use,
        ConnectError when the zygote does not come up."""
        await self._nursery.start()

    async def stop(self) -> None:
        """Stop tasks, connectors, then the zygote. May be called twice."""
        await self.stop_tasks(list(self._tasks))
        connectors = [self._connectors.pop(name) for name in list(self._connectors)]
        await self._stop_all(connectors)
        await self._nursery.stop(self._settings.graceful_stop_s)

    # questions about plugins

    async def plugins(self) -> Plugins:
        """What this environment offers; listed once, and again after `refresh_plugins`."""
        if self._plugins is None:
            self._plugins = asyncio.create_task(self._list_plugins())
        listing = self._plugins
        try:
            return await asyncio.shield(listing)
        except ConnectError:
            self._plugins = None
            raise

    async def refresh_plugins(self) -> None:
        """Something was installed: connectors and tasks that start from now on see it, and plugins are listed anew
        when they are asked for next. ConnectError when a zygote cannot be started with it."""
        await self._nursery.renew_zygote()
        self._plugins = None
        self._broken.clear()

    def broken_plugins(self) -> Mapping[str, str]:
        """Classes that could not be imported when they were asked for, and why: listing imports none."""
        return self._broken

    async def plugin_config(self, name: str, kind: PluginKind | None = None) -> list[ConfigKeyInfo]:
        """The keys that a plugin takes. NotFoundError when there is no such plugin."""
        plugins = await self._plugin_infos()
        question = messages.DescribePlugin(plugin=name, kind=None if kind is None else kind.value, plugins=plugins)
        return (await self._ask(question, messages.PluginKeys, about=name)).keys

    async def validate(self, props: Mapping[str, str]) -> ConfigInfos:
        """Check a connector's configuration. ConfigError naming the plugin when it does not answer in time,
        ConnectError when it dies or cannot be loaded."""
        plugins = await self._plugin_infos()
        question = messages.ValidateConfig(props=dict(props), worker_props=self._worker_props, plugins=plugins)
        return await self._ask(question, ConfigInfos, about=props.get("connector.class", "connector"))

    async def alter_offsets(
        self,
        name: str,
        props: Mapping[str, str],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]],
    ) -> bool:
        """Have the connector's plugin check offsets that a user sets; whether it did. ConnectError when it refuses."""
        question = messages.AlterOffsets(
            connector=name,
            props=dict(props),
            worker_props=self._worker_props,
            plugins=await self._plugin_infos(),
            offsets=[(dict(where), None if to is None else dict(to)) for where, to in offsets],
        )
        return (await self._ask(question, messages.OffsetsAltered, about=name)).checked

    # connectors and tasks

    async def start_connector(self, name: str, props: Mapping[str, str], target_state: TargetState) -> None:
        """Start the connector's process (instead of one that is there). Its outcome is told to the listener; a process
        that dies unasked is replaced."""
        await self.stop_connector(name)
        run = messages.RunConnector(
            connector=name,
            props=dict(props),
            worker_props=self._worker_props,
            plugins=await self._plugin_infos(),
            target_state=target_state.name,
            slow_call_s=self._settings.slow_call_s,
            worker_keeps_offsets=self._offsets is not None,
        )
        connector = ConnectorProcess(
            name,
            self._listener,
            self._serve_offsets,
            on_crash=lambda crashed, report: self._replace(crashed, report, run),
        )
        self._connectors[name] = connector
        await self._launch_connector(connector, run)

    async def stop_connector(self, name: str) -> None:
        """Nothing happens when it does not run here."""
        connector = self._connectors.pop(name, None)
        if connector is not None:
            await self._stop_all([connector])

    async def task_configs(self, name: str) -> list[dict[str, str]]:
        """Ask the connector's process. NotFoundError when it is not here, ConnectError with what the plugin said,
        ReportedError when the listener knows of it already."""
        connector = self._connectors.get(name)
        if connector is None:
            raise NotFoundError(f"connector {name} does not run on this worker")
        return await connector.task_configs()

    async def start_task(
        self,
        id: TaskId,
        connector_props: Mapping[str, str],
        task_props: Mapping[str, str],
        target_state: TargetState,
    ) -> None:
        """Start the task's process (instead of one that is there). Its outcome is told to the listener."""
        await self.stop_tasks([id])
        task = TaskProcess(id, self._listener, self._serve_offsets, self._leave_group)
        self._tasks[id] = task
        run = messages.RunTask(
            connector=id.connector,
            task=id.task,
            connector_props=dict(connector_props),
            task_props=dict(task_props),
            worker_props=self._worker_props,
            plugins=await self._plugin_infos(),
            target_state=target_state.name,
            slow_call_s=self._settings.slow_call_s,
            worker_keeps_offsets=self._offsets is not None,
        )
        context = f"[{id.connector}|task-{id.task}] "
        task.attach(await self._nursery.launch(context, task.on_message, run))

    async def stop_tasks(self, ids: Iterable[TaskId]) -> None:
        """Stop these tasks, all within the graceful timeout; what overruns is killed. Unknown ones are passed over."""
        await self._stop_all([self._tasks.pop(task) for task in list(ids) if task in self._tasks])

    async def set_target_state(self, name: str, state: TargetState) -> None:
        """Pause or resume the connector and those of its tasks that are here."""
        processes: list[SupervisedProcess] = [task for task in self._tasks.values() if task.id.connector == name]
        if name in self._connectors:
            processes.append(self._connectors[name])
        for process in processes:
            process.set_target_state(state)

    def forget_topics(self, name: str) -> None:
        """Have the connector's tasks that are here tell anew which topics they use."""
        for task in self._tasks.values():
            if task.id.connector == name:
                task.send(messages.ForgetTopics())

    def tasks(self) -> dict[TaskId, TaskProcess]:
        """The tasks that were started here and not stopped, failed ones too."""
        return dict(self._tasks)

    def connectors(self) -> dict[str, ConnectorProcess]:
        """The connectors that were started here and not stopped, failed ones too."""
        return dict(self._connectors)

    @property
    def zygote_pid(self) -> int | None:
        """None while there is none."""
        return self._nursery.zygote_pid

    def set_log_level(self, logger: str, level: str) -> None:
        """In every process that runs."""
        self._nursery.broadcast(messages.SetLogLevel(logger=logger, level=level))

    async def _ask(self, question: ToHost, answer: type[M], *, about: str) -> M:
        timeout_s = self._settings.inspection_timeout_s
        try:
            return await ask(self._nursery.launch, question, answer, about=about, timeout_s=timeout_s)
        except PluginLoadError as e:
            self._broken[e.target] = str(e)
            raise

    async def _plugin_infos(self) -> list[PluginInfo]:
        return list((await self.plugins()).infos)

    async def _list_plugins(self) -> Plugins:
        listing = await self._ask(messages.ListPlugins(), messages.PluginListing, about="plugins")
        return Plugins(listing.plugins, listing.faults)

    async def _launch_connector(self, connector: ConnectorProcess, run: messages.RunConnector) -> None:
        context = f"[{connector.id}|worker] "
        connector.attach(await self._nursery.launch(context, connector.on_message, run))

    def _replace(self, connector: ConnectorProcess, report: str, run: messages.RunConnector) -> bool:
        if self._connectors.get(connector.id) is not connector:
            return False
        delay = self._replacements[connector.id].next_delay_s(asyncio.get_running_loop().time())
        log.warning("The process of connector %s was %s; a new one starts in %g s.", connector.id, report, delay)
        self._nursery.in_background(self._relaunch(connector, run, delay))
        return True

    async def _relaunch(self, connector: ConnectorProcess, run: messages.RunConnector, delay: float) -> None:
        await asyncio.sleep(delay)
        if self._connectors.get(connector.id) is connector:
            target = connector.target_state
            if target is not None:
                run = msgspec.structs.replace(run, target_state=target.name)
            connector.begin_anew()
            try:
                await self._launch_connector(connector, run)
            except ConnectError as e:
                self._replace(connector, f"not to be had: {e}", run)
                return
            # Who asked the one that died for its tasks had no answer.
            self._listener.on_reconfiguration_requested(connector.id)

    def _leave_group(self, stats: TaskStats) -> None:
        if stats.group_id is not None and stats.member_id is not None:
            leaving = leave_group(self._consumer_props, stats.group_id, stats.member_id)
            self._nursery.in_background(leaving)

    async def _stop_all(self, processes: Sequence[SupervisedProcess]) -> None:
        timeout_s = self._settings.graceful_stop_s
        deadline = asyncio.get_running_loop().time() + timeout_s
        stopped = await asyncio.gather(*(process.stop(deadline) for process in processes))
        for process, in_time in zip(processes, stopped, strict=True):
            if not in_time:
                log.warning("%s did not stop within %g s and was killed.", process.id, timeout_s)

    def _serve_offsets(self, process: SupervisedProcess, request: messages.ReadOffsets | messages.WriteOffsets) -> None:
        self._nursery.in_background(self._answer_offsets(process, request))

    async def _answer_offsets(
        self, process: SupervisedProcess, request: messages.ReadOffsets | messages.WriteOffsets
    ) -> None:
        found: list[tuple[bytes, bytes | None]] = []
        error = None
        try:
            if self._offsets is None:
                raise ConnectError("this worker keeps no offsets in a file")
            if isinstance(request, messages.ReadOffsets):
                found = [*await self._offsets.read(request.connector)]
            else:
                await self._offsets.write(request.offsets)
        except ConnectError as e:
            error = str(e)
        process.send(messages.StoredOffsets(request=request.request, offsets=found, error=error))
