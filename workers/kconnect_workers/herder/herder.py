"""The herder: takes the changes that users ask for, and has supervisors bring them about."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from weakref import WeakValueDictionary

import msgspec

from kconnect.errors import AlreadyExistsError, ConfigError, ConnectError, NotFoundError, RebalanceInProgressError
from kconnect.plugin import CONNECTORS
from kconnect_workers.config.connector_config import idle_keys, unknown_keys
from kconnect_workers.herder import stages
from kconnect_workers.herder.connector_names import named
from kconnect_workers.herder.entities import ConnectorInfo, ConnectorStateInfo
from kconnect_workers.herder.inventory import Inventory
from kconnect_workers.herder.log_levels import LogLevels
from kconnect_workers.herder.pool import Pool
from kconnect_workers.herder.runner import ConnectorRunner
from kconnect_workers.herder.stopping import StoppingError
from kconnect_workers.herder.supervision import Supervision
from kconnect_workers.hosts.messages import ConfigInfos, ConfigValueInfo
from kconnect_workers.states import TargetState, TaskId
from kconnect_workers.stores.config_records import RestartRequest
from kconnect_workers.stores.stores import Stores

_logger = logging.getLogger(__name__)

_CATCH_UP_SECONDS = 3.0
_STOPPING_SECONDS = 15.0
_LOOK_SECONDS = 0.05


class Herder(Inventory):
    """The connectors of a worker's `pool`. Every method belongs to the worker's event loop.

    A change is checked, then stored, then answered. Whoever stored it, every worker of the pool sees it in its stores
    and wakes the connector's supervisor, which has the processes follow; statuses tell of them. Methods raise
    ConfigError for what cannot be accepted, NotFoundError for a connector, task or plugin that is not there,
    AlreadyExistsError, StoppingError once `stop` was called, ConnectError when the store or a plugin fails, and what
    Pool.expect_leader and Pool.expect_owner raise where another worker has to do it.
    """

    def __init__(self, pool: Pool, stores: Stores, worker_props: Mapping[str, str]) -> None:
        super().__init__(stores)
        self._pool = pool
        self.supervision = Supervision(self, pool, stores, worker_props)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stopping = False

    async def start(self, environment: ConnectorRunner) -> None:
        """Be ready for requests. The stores have been started."""
        self._environment = environment
        self._plugins = await environment.plugins()
        self.log_levels = LogLevels(environment)
        self.supervision.start(environment, self.log_levels)

    def run_stored(self) -> None:
        """Run every stored connector as its target state says: nothing of them runs yet, whatever statuses say."""
        self.supervision.forget_gone()
        for name in self.connectors():
            self.supervision.disown(name)
        self.supervision.wake(self.connectors())

    async def stop(self) -> None:
        """Take no changes and begin nothing any more, as Supervision.stop says. May be called twice."""
        self._stopping = True
        await self.supervision.stop()

    async def close(self) -> None:
        """Write what was reported, once nothing runs any more. May be called twice."""
        await self.supervision.close()

    # --- changes

    async def expect_leader(self) -> None:
        """As Pool.expect_leader, and StoppingError once `stop` was called."""
        self._check_going()
        stages.enter("looking for the leader of the pool")
        await self._pool.expect_leader()

    async def validate(self, props: Mapping[str, str]) -> ConfigInfos:
        """Check a config without storing it."""
        self._check_going()
        if not props.get("connector.class"):
            shown = props.get("name") or "the config"
            raise ConfigError(f"{shown} contains no connector type", key="connector.class", suggestion="name a class")
        if self._resolve(props) is None:
            self._plugins = await self._environment.plugins()
            self._plugins.resolve(CONNECTORS, props["connector.class"])
        stages.enter("waiting for the connector's plugin to check the config")
        return await self._environment.validate(props)

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
            stages.enter("writing to the config topic")
            await self._configs.remove_connector(name)
            self.supervision.forget_connector(name)
        await self.supervision.flush()

    async def set_target_state(self, name: str, state: TargetState) -> None:
        """Pause, resume or stop; kept over restarts of the worker."""
        async with self._changing(name):
            if self._configs.state.config(name) is None:
                raise NotFoundError(f"Unknown connector {name}")
            stages.enter("writing to the config topic")
            await self._configs.put_target_state(name, state)

    async def store_target_state(self, name: str, state: TargetState) -> None:
        """Set the state in which a connector is found when the herder starts."""
        await self._configs.put_target_state(name, state)

    async def restart(self, name: str, *, include_tasks: bool, only_failed: bool) -> ConnectorStateInfo:
        """Restart the connector and tasks that are meant, wherever they run; the status from which it begins."""
        await self.expect_leader()
        if self._configs.state.config(name) is None:
            raise NotFoundError(f"Unknown connector: {name}")
        request = RestartRequest(name, include_tasks, only_failed)
        plan, status, tasks = self.supervision.restart_plan(request)
        stages.enter("writing to the config topic")
        await self._configs.put_restart_request(request)
        await self.supervision.flush()
        return self._state_info(
            name,
            status.restarting() if plan.connector else status,
            [task.restarting() if plan.restarts(task) else task for task in tasks],
        )

    async def restart_task(self, id: TaskId) -> None:
        self._check_going()
        if self._configs.state.config(id.connector) is None:
            raise NotFoundError(f"Unknown connector: {id.connector}")
        if not 0 <= id.task < len(self._configs.state.tasks(id.connector)):
            raise NotFoundError(f"Unknown task: {id}")
        await self._pool.expect_owner(id)
        self.supervision.restart_task(id)

    async def take_tasks(self, name: str, configs: Sequence[Mapping[str, str]]) -> None:
        """As the leader, store what the worker that runs the connector has sent."""
        await self.expect_leader()
        self.config(name)
        await self._configs.put_tasks(name, configs)

    async def fence(self, name: str) -> None:
        """As the leader, Pool.fence for the worker that is to start the connector's tasks."""
        await self.expect_leader()
        self.config(name)
        await self._pool.fence(name)

    def check_signature(self, headers: Mapping[str, str], body: bytes) -> None:
        """As Pool.check_signature."""
        self._pool.check_signature(headers, body)

    async def forget_topics(self, name: str) -> None:
        """Topics that its tasks go on using are found again."""
        await self._statuses.remove_topics(name)

    async def set_pool_log_level(self, logger: str, level: str) -> None:
        """On every worker of the pool that runs now."""
        await self._configs.put_logger_level(logger, level)

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
            await self._expect_no_tasks(name)
            yield self.config(name)

    async def catch_up(self) -> None:
        """Returns when what other workers have stored by now is seen here, or cannot be for a while."""
        with contextlib.suppress(ConnectError, TimeoutError):
            await self._configs.refresh(_CATCH_UP_SECONDS)

    def waits_for(self) -> str | None:
        """As Pool.waits_for."""
        return self._pool.waits_for()

    async def settled(self, name: str) -> None:
        """Returns when what is to run of the connector here does, or has stopped, as it was last asked to, or has
        failed at it."""
        await self.supervision.settled(name)

    @contextlib.asynccontextmanager
    async def _changing(self, name: str) -> AsyncIterator[None]:
        """One change of a connector at a time; a plugin that hangs while it validates holds up no other."""
        stages.enter(f"waiting for another change of {name} to end")
        async with self._locks.setdefault(name, asyncio.Lock()):
            await self.expect_leader()
            yield

    async def _expect_no_tasks(self, name: str) -> None:
        """Returns when no worker runs a task of a connector that is STOPPED: each removes the statuses of its own."""
        with contextlib.suppress(TimeoutError):
            stages.enter(f"waiting for the tasks of {name} to stop")
            async with asyncio.timeout(_STOPPING_SECONDS):
                while self._statuses.tasks(name):
                    await asyncio.sleep(_LOOK_SECONDS)
        if left := self._statuses.tasks(name):
            where = ", ".join(f"{status.id} on {status.worker_id}" for status in left)
            raise RebalanceInProgressError(f"{name} is stopped, and its tasks have not all stopped yet: {where}")

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
        await self.expect_leader()  # the plugin may have taken long to validate
        stages.enter("writing to the config topic")
        # As Kafka answers: what the connector makes of its new config is not awaited, and does not come in by chance.
        tasks = self.task_ids(name)
        await self._configs.put_connector(name, props, target_state)
        return msgspec.structs.replace(self.connector(name), tasks=tasks)


def _told(value: ConfigValueInfo) -> list[str]:
    """Of a value that could not be read, or is missing, that; not what follows for validators that see nothing."""
    return value.errors[:1] if value.value is None else value.errors
