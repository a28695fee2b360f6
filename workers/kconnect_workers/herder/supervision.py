"""Supervision: what is to run on this worker of the stored connectors, and what becomes of it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping, Sequence

from kconnect.redaction import process_redactor
from kconnect_workers.herder.inventory import Inventory
from kconnect_workers.herder.log_levels import LogLevels
from kconnect_workers.herder.pool import Pool
from kconnect_workers.herder.recovery import Recovery
from kconnect_workers.herder.restart_plan import RestartPlan
from kconnect_workers.herder.runner import ConnectorRunner
from kconnect_workers.herder.status_writer import StatusWriter
from kconnect_workers.herder.stopping import StoppingError
from kconnect_workers.herder.supervisor import ConnectorSupervisor
from kconnect_workers.outlook import never, with_outlook
from kconnect_workers.states import State, Status, TargetState, TaskId, connector_of
from kconnect_workers.stores.config_records import RestartRequest, SessionKey
from kconnect_workers.stores.stores import Stores

_logger = logging.getLogger(__name__)

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Supervision:
    """Has a supervisor for each connector of which something is this worker's to run.

    It is told of changes by the config store, whichever worker made them, by the pool of changes of this worker's
    share, and by the runtime of what becomes of processes, which it writes as statuses. Belongs to the worker's event
    loop.
    """

    def __init__(self, inventory: Inventory, pool: Pool, stores: Stores, worker_props: Mapping[str, str]) -> None:
        self._inventory = inventory
        self._pool = pool
        self._configs = stores.configs
        self._statuses = stores.statuses
        self._writer = StatusWriter(stores.statuses)
        self._recovery = Recovery(worker_props, self._recover)
        self._supervisors: dict[str, ConnectorSupervisor] = {}
        self._stopping = False
        self._closed = asyncio.Event()

    def start(self, environment: ConnectorRunner, log_levels: LogLevels) -> None:
        self._environment = environment
        self._log_levels = log_levels
        self._writer.start()
        self._configs.listener = self
        self._statuses.on_topic_forgotten = environment.forget_topics

    async def stop(self) -> None:
        """Begin nothing any more; what runs is left to the environment, whose reports are still taken until `close`.
        May be called twice."""
        self._stopping = True
        self._recovery.stop()
        await asyncio.gather(*(supervisor.stop() for supervisor in self._supervisors.values()))

    async def close(self) -> None:
        """Write what was reported, once nothing runs any more. May be called twice."""
        self._closed.set()
        await self._writer.stop()

    def wake(self, names: Iterable[str]) -> None:
        """What of these connectors is to run here may have changed: `settled` tells when it does."""
        if not self._stopping:
            for name in names:
                self._supervisor(name).wake()

    async def settled(self, *names: str) -> None:
        """Returns when what is to run of the connectors here does, or has stopped, as it was last asked to, or has
        failed at it; once `stop` was called, when nothing runs here any more."""
        if self._stopping:
            await self._closed.wait()
            return
        for name in names:
            supervisor = self._supervisors.get(name)
            if supervisor is not None and not supervisor.ended:
                await supervisor.settled()

    async def flush(self) -> None:
        """Returns when what was reported so far is written."""
        await self._writer.flush()

    def disown(self, name: str) -> None:
        """What an earlier worker left running does not run any more."""
        status = self._statuses.connector(name)
        statuses = [*([] if status is None else [status]), *self._statuses.tasks(name)]
        self._writer.put(
            *(
                Status(id=left.id, state=State.UNASSIGNED, worker_id=self._pool.worker_id, version=left.version)
                for left in statuses
                if left.state is not State.STOPPED
            )
        )

    def forget_connector(self, name: str) -> None:
        """It was deleted: remove its statuses, and those of its tasks."""
        self._writer.remove_connector(name)

    def forget_gone(self) -> None:
        """Remove the statuses of connectors and tasks that are not there any more, whoever ran them."""
        state = self._configs.state
        for name in self._statuses.connectors():
            if state.config(name) is None:
                self.forget_connector(name)
            elif not state.inconsistent(name) and len(self._statuses.tasks(name)) > len(state.tasks(name)):
                self._writer.remove_tasks_from(name, len(state.tasks(name)))

    def restart_task(self, id: TaskId) -> None:
        self._recovery.forget(id)
        self._supervisor(id.connector).restart(connector=False, tasks=(id.task,))

    def restart_plan(self, request: RestartRequest) -> tuple[RestartPlan, Status, list[Status]]:
        """What `request` restarts, and the statuses, of the connector and its tasks, by which that is decided."""
        name = request.connector
        made_just_now = Status(id=name, state=State.UNASSIGNED, worker_id=self._pool.worker_id)
        status, tasks = self._statuses.connector(name) or made_just_now, self._statuses.tasks(name)
        plan = RestartPlan.of(status, tasks, include_tasks=request.include_tasks, only_failed=request.only_failed)
        return plan, status, tasks

    # --- what was stored, by whichever worker (ConfigListener)

    def on_connector_config_update(self, connector: str) -> None:
        self.wake([connector])
        self._pool.on_work_changed()

    def on_connector_config_remove(self, connector: str) -> None:
        self._recovery.forget(connector)
        self.wake([connector])
        self._pool.on_work_changed()

    def on_task_config_update(self, connector: str, tasks: Sequence[TaskId]) -> None:
        self.wake([connector])
        self._pool.on_work_changed()

    def on_connector_target_state_change(self, connector: str) -> None:
        self.wake([connector])

    def on_session_key_update(self, session_key: SessionKey) -> None:
        """Whoever signs or verifies asks the store."""

    def on_restart_request(self, request: RestartRequest) -> None:
        name = request.connector
        if self._stopping or self._configs.state.config(name) is None:
            return
        plan, status, tasks = self.restart_plan(request)
        own = [task for task in tasks if plan.restarts(task) and self._pool.runs(task.id)]
        with_connector = plan.connector and self._pool.runs(name)
        if own or with_connector:
            self._writer.put(*(task.restarting() for task in ([status] if with_connector else []) + own))
            self._recovery.forget(name)
            numbers = tuple(task.id.task for task in own if isinstance(task.id, TaskId))
            self._supervisor(name).restart(connector=with_connector, tasks=numbers)

    def on_logging_level_update(self, logger: str, level: str) -> None:
        self._log_levels.set(logger, level)

    # --- what became of processes (StatusListener)

    def on_status(
        self, id: str | TaskId, state: State, trace: str | None = None, *, misconfigured: bool = False
    ) -> None:
        if self._supervises(connector_of(id)):
            self._note(id, state, trace, misconfigured=misconfigured)

    def on_reconfiguration_requested(self, connector: str) -> None:
        if self._supervises(connector) and not self._stopping:
            self._supervisor(connector).reconfigure()

    def on_topic_used(self, id: TaskId, topic: str) -> None:
        known = topic in self._statuses.topics(id.connector)
        if not known and _TOPIC.fullmatch(topic) and self._supervises(id.connector):
            self._writer.put_topic(id, topic)

    # --- inside

    def _supervises(self, connector: str) -> bool:
        """Whether what runs under this name is the connector that there is now, and not one that was deleted before
        it, and is about to stop."""
        supervisor, current = self._supervisors.get(connector), self._configs.state.incarnation(connector)
        return supervisor is not None and current is not None and supervisor.incarnation == current

    def _supervisor(self, name: str) -> ConnectorSupervisor:
        if self._stopping:
            raise StoppingError
        supervisor = self._supervisors.get(name)
        if supervisor is None or supervisor.ended:
            supervisor = self._supervisors[name] = ConnectorSupervisor(
                name,
                self._configs,
                self._environment,
                self._pool,
                self._note,
                before_tasks=self._fence,
                on_tasks_gone=self._remove_tasks_from,
            )
        return supervisor

    async def _fence(self, name: str) -> None:
        if self._inventory.type_of(name) == "source":
            await self._pool.fence(name)

    def _remove_tasks_from(self, name: str, number: int) -> None:
        """Of those that ran here: while another worker stops one, its status shows that."""
        self._writer.remove_tasks_from(name, number, of=self._pool.worker_id)

    def _note(self, id: str | TaskId, state: State, trace: str | None, *, misconfigured: bool = False) -> None:
        config = self._configs.state.config(connector_of(id))
        if config is None or self._is_overtaken(id, state):
            return
        trace = None if trace is None else process_redactor.redact(trace)
        if state is State.FAILED:
            _logger.error("%s has failed: %s", id, (trace or "it did not say why").partition("\n")[0])
            trace = self._with_outlook(id, trace, config, misconfigured=misconfigured)
        self._writer.put(
            Status(
                id=id,
                state=state,
                worker_id=self._pool.worker_id,
                generation=self._pool.generation,
                trace=trace,
                version=self._inventory.version_of(config),
            )
        )

    def _with_outlook(
        self, id: str | TaskId, trace: str | None, config: Mapping[str, str], *, misconfigured: bool
    ) -> str | None:
        """The trace of a failure with what is to become of it, which is seen to."""
        if misconfigured:
            _logger.warning("%s is not started again by itself: its config has to be changed", id)
            return with_outlook(trace, never("its config has to be changed"))
        if self._stopping:
            return trace
        return with_outlook(trace, self._recovery.failed(id, config))

    def _is_overtaken(self, id: str | TaskId, state: State) -> bool:
        """Whether `state` is of no matter: `id` may be another worker's by now, which speaks for it."""
        if state is not State.UNASSIGNED and not self._pool.runs(id):
            return True
        status = self._status(id)
        return (
            status is not None
            and status.worker_id != self._pool.worker_id
            and status.generation > self._pool.generation
        )

    def _status(self, id: str | TaskId) -> Status | None:
        return self._statuses.task(id) if isinstance(id, TaskId) else self._statuses.connector(id)

    def _recover(self, id: str | TaskId) -> None:
        """Start again what failed, unless that was done, or it is to be paused, or gone, or another's by now."""
        name = connector_of(id)
        wanted = self._configs.state.target_state(name) is TargetState.STARTED and self._pool.runs(id)
        if not wanted or not self._supervises(name):
            return
        supervisor, status = self._supervisor(name), self._status(id)
        if status is None or status.state is not State.FAILED:
            return
        if not isinstance(id, TaskId):
            if not supervisor.retries:
                supervisor.restart(connector=True)
        elif id.task < len(self._configs.state.tasks(name)):
            supervisor.restart(connector=False, tasks=(id.task,))
