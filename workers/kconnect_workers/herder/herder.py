"""The herder: answers what users ask of connectors, and has supervisors bring it about."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Mapping
from weakref import WeakValueDictionary

from kconnect.errors import AlreadyExistsError, ConfigError, ConnectError, NotFoundError
from kconnect.plugin import CONNECTORS, PluginInfo
from kconnect.plugins import Plugins
from kconnect.redaction import process_redactor
from kconnect_workers.config.connector_config import idle_keys, unknown_keys
from kconnect_workers.herder.connector_names import named
from kconnect_workers.herder.entities import (
    ConnectorInfo,
    ConnectorState,
    ConnectorStateInfo,
    ConnectorTaskId,
    TaskInfo,
    TaskState,
)
from kconnect_workers.herder.recovery import Recovery
from kconnect_workers.herder.restart_plan import RestartPlan
from kconnect_workers.herder.runner import ConnectorRunner
from kconnect_workers.herder.status_writer import StatusWriter
from kconnect_workers.herder.stopping import StoppingError
from kconnect_workers.herder.supervisor import ConnectorSupervisor
from kconnect_workers.hosts.messages import ConfigInfos, ConfigValueInfo
from kconnect_workers.states import State, Status, TargetState, TaskId, connector_of
from kconnect_workers.stores.stores import Stores

_logger = logging.getLogger(__name__)

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Herder:
    """A worker's connectors. Every method belongs to the worker's event loop.

    A change is checked, then stored, then answered; processes follow in the background, and statuses tell of them.
    Methods raise ConfigError for what cannot be accepted, NotFoundError for a connector, task or plugin that is not
    there, AlreadyExistsError, StoppingError once `stop` was called, and ConnectError when the store or a plugin fails.
    """

    def __init__(self, worker_id: str, stores: Stores, worker_props: Mapping[str, str]) -> None:
        self._worker_id = worker_id
        self._configs = stores.configs
        self._statuses = stores.statuses
        self._writer = StatusWriter(stores.statuses)
        self._recovery = Recovery(worker_props, self._recover)
        self._supervisors: dict[str, ConnectorSupervisor] = {}
        self._plugins = Plugins(())
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stopping = False

    async def start(self, environment: ConnectorRunner) -> None:
        """Be ready for requests. The stores have been started."""
        self._environment = environment
        self._plugins = await environment.plugins()
        self._writer.start()

    def run_stored(self) -> None:
        """Run every stored connector as its target state says."""
        for name in self._statuses.connectors():
            if self._configs.state.config(name) is None:
                self._writer.remove_connector(name)
        for name in self._configs.state.connectors():
            self._disown_statuses(name)
            self._supervisor(name).wake()

    async def stop(self) -> None:
        """Begin nothing any more; what runs is left to the environment, whose reports are still taken until `close`.
        May be called twice."""
        self._stopping = True
        self._recovery.stop()
        await asyncio.gather(*(supervisor.stop() for supervisor in self._supervisors.values()))

    async def close(self) -> None:
        """Write what was reported, once nothing runs any more. May be called twice."""
        await self._writer.stop()

    # --- questions

    def connectors(self) -> list[str]:
        return self._configs.state.connectors()

    def config(self, name: str) -> Mapping[str, str]:
        config = self._configs.state.config(name)
        if config is None:
            raise NotFoundError(f"Connector {name} not found")
        return config

    def connector(self, name: str) -> ConnectorInfo:
        config = self.config(name)
        count = len(self._configs.state.tasks(name))
        return ConnectorInfo(
            name=name,
            config=dict(config),
            tasks=[ConnectorTaskId(name, number) for number in range(count)],
            type=self._type(config),
        )

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
        """The topics that the connector's tasks were seen to use since it was made, or since `forget_topics`."""
        return self._statuses.topics(name)

    def type_of(self, name: str) -> str:
        """`source`, `sink`, or `unknown` while the connector's class is not installed."""
        return self._type(self.config(name))

    async def validate(self, props: Mapping[str, str]) -> ConfigInfos:
        """Check a config without storing it."""
        self._check_going()
        if not props.get("connector.class"):
            shown = props.get("name") or "the config"
            raise ConfigError(f"{shown} contains no connector type", key="connector.class", suggestion="name a class")
        if self._resolve(props) is None:
            self._plugins = await self._environment.plugins()
            self._plugins.resolve(CONNECTORS, props["connector.class"])
        return await self._environment.validate(props)

    # --- changes

    async def create(
        self, name: str, props: Mapping[str, str], target_state: TargetState | None = None
    ) -> ConnectorInfo:
        """`name` may be empty: the config is refused then, with all else that is wrong with it."""
        checked = named(props, name.strip())
        async with self._changing(checked["name"]):
            if self._configs.state.config(checked["name"]) is not None:
                raise AlreadyExistsError(f"Connector {checked['name']} already exists")
            await self._accept(checked)
            return await self._store(checked, target_state)

    async def put_config(self, name: str, props: Mapping[str, str]) -> tuple[bool, ConnectorInfo]:
        """Create the connector, or give it another config; whether it was created."""
        checked = named(props, name)
        async with self._changing(name):
            await self._accept(checked)
            created = self._configs.state.config(name) is None
            return created, await self._store(checked, None)

    async def patch_config(self, name: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        """Set some keys; None removes one."""
        async with self._changing(name):
            merged = {**self.config(name), **patch}
            checked = named({key: value for key, value in merged.items() if value is not None}, name)
            await self._accept(checked)
            return await self._store(checked, None)

    async def delete(self, name: str) -> None:
        async with self._changing(name):
            self.config(name)
            await self._configs.remove_connector(name)
            self._supervisor(name).wake()
            self._writer.remove_connector(name)
            self._recovery.forget(name)
        await self._writer.flush()

    async def set_target_state(self, name: str, state: TargetState) -> None:
        """Pause, resume or stop; kept over restarts of the worker."""
        async with self._changing(name):
            if self._configs.state.config(name) is None:
                raise NotFoundError(f"Unknown connector {name}")
            await self._configs.put_target_state(name, state)
            self._supervisor(name).wake()

    async def store_target_state(self, name: str, state: TargetState) -> None:
        """Set the state in which a connector is found when the herder starts."""
        await self._configs.put_target_state(name, state)

    async def restart(self, name: str, *, include_tasks: bool, only_failed: bool) -> ConnectorStateInfo:
        """Restart the connector and tasks that are meant; the status from which it begins."""
        self._check_going()
        if self._configs.state.config(name) is None:
            raise NotFoundError(f"Unknown connector: {name}")
        made_just_now = Status(id=name, state=State.UNASSIGNED, worker_id=self._worker_id)
        status = self._statuses.connector(name) or made_just_now
        tasks = self._statuses.tasks(name)
        plan = RestartPlan.of(status, tasks, include_tasks=include_tasks, only_failed=only_failed)
        if plan.connector:
            status = _restarting(status)
            self._writer.put(status)
        tasks = [_restarting(task) if _number(task) in plan.tasks else task for task in tasks]
        self._writer.put(*(task for task in tasks if task.state is State.RESTARTING))
        await self._writer.flush()
        if plan.connector or plan.tasks:
            self._recovery.forget(name)
            self._supervisor(name).restart(connector=plan.connector, tasks=plan.tasks)
        return self._state_info(name, status, tasks)

    async def restart_task(self, id: TaskId) -> None:
        if self._configs.state.config(id.connector) is None:
            raise NotFoundError(f"Unknown connector: {id.connector}")
        if not 0 <= id.task < len(self._configs.state.tasks(id.connector)):
            raise NotFoundError(f"Unknown task: {id}")
        self._recovery.forget(id)
        self._supervisor(id.connector).restart(connector=False, tasks=(id.task,))

    async def forget_topics(self, name: str) -> None:
        """Topics that its tasks go on using are found again."""
        await self._statuses.remove_topics(name)
        self._environment.forget_topics(name)

    @contextlib.asynccontextmanager
    async def while_stopped(self, name: str) -> AsyncIterator[Mapping[str, str]]:
        """The config of a connector that is STOPPED, and will be so in the block. ConfigError when it is not."""
        self.config(name)
        async with self._changing(name):
            if self.target_state(name) is not TargetState.STOPPED:
                raise ConfigError(
                    f"{name} must be stopped before its offsets can be changed",
                    suggestion=f"PUT /connectors/{name}/stop, and resume it afterwards",
                )
            await self.settled(name)
            yield self.config(name)

    async def settled(self, name: str) -> None:
        """Returns when the connector runs, or has stopped, as it was last asked to, or has failed at it."""
        supervisor = self._supervisors.get(name)
        if supervisor is not None and not supervisor.ended:
            await supervisor.settled()

    # --- reports of the runtime (StatusListener)

    def on_status(
        self, id: str | TaskId, state: State, trace: str | None = None, *, misconfigured: bool = False
    ) -> None:
        if self._runs(connector_of(id)):
            self._note(id, state, trace, misconfigured=misconfigured)

    def on_reconfiguration_requested(self, connector: str) -> None:
        if self._runs(connector) and not self._stopping:
            self._supervisor(connector).reconfigure()

    def on_topic_used(self, id: TaskId, topic: str) -> None:
        known = topic in self._statuses.topics(id.connector)
        if not known and _TOPIC.fullmatch(topic) and self._runs(id.connector):
            self._writer.put_topic(id, topic)

    # --- inside

    def _runs(self, connector: str) -> bool:
        """Whether what runs under this name is the connector that there is now, and not one that was deleted before
        it, and is about to stop."""
        supervisor, current = self._supervisors.get(connector), self._configs.state.incarnation(connector)
        return supervisor is not None and current is not None and supervisor.incarnation == current

    def _note(self, id: str | TaskId, state: State, trace: str | None, *, misconfigured: bool = False) -> None:
        config = self._configs.state.config(connector_of(id))
        if config is None:
            return  # deleted meanwhile
        trace = None if trace is None else process_redactor.redact(trace)
        self._writer.put(
            Status(
                id=id,
                state=state,
                worker_id=self._worker_id,
                trace=trace,
                version=self._version(config),
            )
        )
        if state is State.FAILED:
            _logger.error("%s has failed: %s", id, (trace or "it did not say why").partition("\n")[0])
            if misconfigured:
                _logger.warning("%s is not started again by itself: its config has to be changed", id)
            elif not self._stopping:
                self._recovery.failed(id, config)

    @contextlib.asynccontextmanager
    async def _changing(self, name: str) -> AsyncIterator[None]:
        """One change of a connector at a time; a plugin that hangs while it validates holds up no other."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            self._check_going()
            yield

    def _check_going(self) -> None:
        if self._stopping:
            raise StoppingError

    async def _accept(self, props: Mapping[str, str]) -> None:
        infos = await self.validate(props)
        # Of two keys that exclude one another both say so, in the same words.
        errors = dict.fromkeys(error for _, value in infos.configs for error in _told(value))
        if errors:
            listed = "\n".join(errors)
            raise ConfigError(
                f"the configuration of {props['name'] or 'the connector'} has {len(errors)} error(s):\n{listed}"
            )
        if idle := idle_keys(props):
            _logger.warning("%s: %s: taken, and of no effect here", props["name"], ", ".join(idle))
        for line in unknown_keys(props, [key.name for key, _ in infos.configs if key is not None]):
            _logger.warning("%s: %s", props["name"], line)

    async def _store(self, props: Mapping[str, str], target_state: TargetState | None) -> ConnectorInfo:
        name = props["name"]
        self._check_going()  # the plugin may have taken long to validate
        await self._configs.put_connector(name, props, target_state)
        self._supervisor(name).wake()
        return self.connector(name)

    def _supervisor(self, name: str) -> ConnectorSupervisor:
        self._check_going()
        supervisor = self._supervisors.get(name)
        if supervisor is None or supervisor.ended:
            supervisor = self._supervisors[name] = ConnectorSupervisor(
                name,
                self._configs,
                self._environment,
                self._note,
                on_tasks_gone=self._writer.remove_tasks_from,
            )
        return supervisor

    def _recover(self, id: str | TaskId) -> None:
        """Start again what failed, unless that was done, or it is to be paused or gone by now."""
        name = connector_of(id)
        if self._configs.state.target_state(name) is not TargetState.STARTED or not self._runs(name):
            return
        supervisor = self._supervisor(name)
        status = self._statuses.task(id) if isinstance(id, TaskId) else self._statuses.connector(id)
        if status is None or status.state is not State.FAILED:
            return
        if not isinstance(id, TaskId):
            if not supervisor.retries:
                supervisor.restart(connector=True)
        elif id.task < len(self._configs.state.tasks(name)):
            supervisor.restart(connector=False, tasks=(id.task,))

    def _disown_statuses(self, name: str) -> None:
        """What an earlier worker left running does not run any more."""
        status = self._statuses.connector(name)
        statuses = [*([] if status is None else [status]), *self._statuses.tasks(name)]
        self._writer.put(
            *(
                Status(id=left.id, state=State.UNASSIGNED, worker_id=self._worker_id, version=left.version)
                for left in statuses
                if left.state is not State.STOPPED
            )
        )

    def _resolve(self, config: Mapping[str, str]) -> PluginInfo | None:
        try:
            return self._plugins.resolve(CONNECTORS, config.get("connector.class", ""))
        except ConnectError:
            return None

    def _type(self, config: Mapping[str, str]) -> str:
        plugin = self._resolve(config)
        return "unknown" if plugin is None else plugin.kind.value

    def _version(self, config: Mapping[str, str]) -> str | None:
        plugin = self._resolve(config)
        return None if plugin is None else plugin.version

    def _state_info(self, name: str, status: Status, tasks: list[Status]) -> ConnectorStateInfo:
        config = self._configs.state.config(name)
        return ConnectorStateInfo(
            name=name,
            connector=ConnectorState(status.state.value, status.worker_id, status.version, status.trace),
            tasks=[_task_state(task) for task in tasks],
            type="unknown" if config is None else self._type(config),
        )


def _told(value: ConfigValueInfo) -> list[str]:
    """Of a value that could not be read, or is missing, that; not what follows for validators that see nothing."""
    return value.errors[:1] if value.value is None else value.errors


def _number(status: Status) -> int:
    assert isinstance(status.id, TaskId)
    return status.id.task


def _task_state(status: Status) -> TaskState:
    return TaskState(_number(status), status.state.value, status.worker_id, status.version, status.trace)


def _restarting(status: Status) -> Status:
    return Status(
        id=status.id,
        state=State.RESTARTING,
        worker_id=status.worker_id,
        generation=status.generation,
        trace=status.trace,
        version=status.version,
    )
