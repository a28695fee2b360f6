"""One connector's supervisor: makes what runs agree with what is configured for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kconnect.errors import ConnectError
from kconnect_workers.herder.pool import Pool, UnstoredError
from kconnect_workers.herder.runner import ConnectorRunner
from kconnect_workers.states import ReportedError, State, TargetState, TaskId
from kconnect_workers.stores.config_store import ConfigStore

_logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 60.0

Report = Callable[[str | TaskId, State, str | None], None]


@dataclass(slots=True)
class _Wanted:
    """What was asked for since the supervisor last looked."""

    restart_connector: bool = False
    restart_tasks: set[int] = field(default_factory=set)
    reconfigure: bool = False


class _OutdatedError(Exception):
    """While something was asked, what is wanted became another: it is begun anew."""


class ConnectorSupervisor:
    """Runs one connector and its tasks, as far as they are this worker's, as the config store says, one change at a
    time.

    Whoever sees the store or the worker's share change calls `wake`; the supervisor looks at what is stored then, so
    that several changes may become one. It ends by itself when nothing of the connector is to run here, and all of it
    has stopped. Failures become the connector's status: the supervisor goes on, and tries again when it is woken, or
    by itself after a while.
    """

    def __init__(
        self,
        name: str,
        configs: ConfigStore,
        environment: ConnectorRunner,
        pool: Pool,
        report: Report,
        *,
        before_tasks: Callable[[str], Awaitable[None]],
        on_tasks_gone: Callable[[str, int], None],
    ) -> None:
        """`before_tasks(name)` is awaited before tasks start; UnstoredError puts that off. `on_tasks_gone(name, n)` is
        called when tasks n and above no longer exist."""
        self._name = name
        self._configs = configs
        self._environment = environment
        self._pool = pool
        self._report = report
        self._before_tasks = before_tasks
        self._on_tasks_gone = on_tasks_gone
        self._wanted = _Wanted()
        self._woken = asyncio.Event()
        self._settled = asyncio.Event()
        self.incarnation: int | None = None
        """Which connector of this name runs, or is started next, as ConfigState numbers them; None for none. What ran
        of another one has stopped."""
        self._running: Mapping[str, str] | None = None
        """The config that the connector's process was started with, None while there is none."""
        self._running_target = TargetState.STOPPED
        self._running_tasks: dict[int, tuple[Mapping[str, str], Mapping[str, str]]] = {}
        """The connector's and the task's config that each task was started with."""
        self._asking: asyncio.Task[list[dict[str, str]]] | None = None
        self._failures = 0
        self._put_off_since = ""
        """What was said of it last."""
        self._retry: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._supervise(), name=f"supervisor of {name}")

    @property
    def ended(self) -> bool:
        return self._task.done()

    @property
    def retries(self) -> bool:
        """Whether it is going to try again by itself what has failed."""
        return self._retry is not None

    def wake(self) -> None:
        self._settled.clear()
        self._woken.set()
        if self._asking is not None and self._is_outdated():
            self._asking.cancel()

    def restart(self, *, connector: bool, tasks: tuple[int, ...] = ()) -> None:
        self._wanted.restart_connector |= connector
        self._wanted.restart_tasks.update(tasks)
        self.wake()

    def reconfigure(self) -> None:
        """Ask the connector for its tasks' configs again."""
        self._wanted.reconfigure = True
        self.wake()

    async def settled(self) -> None:
        """Returns when all that was asked for has been done, or has failed."""
        await self._settled.wait()

    async def stop(self) -> None:
        """Stop looking after the connector; what runs goes on. May be called twice."""
        self._forget_retry()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _supervise(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            self._forget_retry()
            wanted, self._wanted = self._wanted, _Wanted()
            try:
                await self._reconcile(wanted)
                self._failures = 0
            except _OutdatedError:
                self._wanted.reconfigure = True
                self._wanted.restart_tasks |= wanted.restart_tasks
                self._woken.set()
            except ConnectError as e:
                if self._configs.state.config(self._name) is None:  # and so no status either, which would be logged
                    _logger.error("[%s] %s", self._name, e)
                self._failed(wanted, str(e))
            except Exception as e:
                _logger.exception("[%s] the supervisor met an error of its own", self._name)
                self._failed(wanted, f"{type(e).__name__}: {e}")
            if not self._woken.is_set():
                self._settled.set()
                if not self._is_here() and not self._failures:
                    return

    def _failed(self, wanted: _Wanted, trace: str) -> None:
        """What was wanted may be half done: it is still wanted, and begun again with the connector, which tells then
        that it runs."""
        self._report(self._name, State.FAILED, trace)
        self._wanted.restart_connector = self._wanted.reconfigure = True
        self._wanted.restart_tasks |= wanted.restart_tasks
        self._try_again(min(_RETRY_SECONDS * 2.0 ** min(self._failures, 30), _LONGEST_RETRY_SECONDS))
        self._failures += 1

    def _try_again(self, delay_s: float) -> None:
        self._forget_retry()
        self._retry = asyncio.get_running_loop().call_later(delay_s, self.wake)

    def _forget_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    async def _reconcile(self, wanted: _Wanted) -> None:
        state = self._configs.state
        if self.incarnation != state.incarnation(self._name):
            await self._stop_all()
            self.incarnation = state.incarnation(self._name)
        props, target = state.config(self._name), state.target_state(self._name)
        if props is None:
            return
        if target is TargetState.STOPPED:
            await self._stop_all()
            if self._pool.runs(self._name):
                await self._forget_tasks()
            return
        if self._pool.runs(self._name):
            changed = await self._run_connector(props, target, restart=wanted.restart_connector)
            if target is TargetState.STARTED and (changed or wanted.reconfigure):
                await self._configure_tasks()
        else:
            await self._leave_connector(target)
        await self._run_tasks(target, wanted.restart_tasks)

    def _is_here(self) -> bool:
        """Whether anything of the connector is to run here."""
        state, name = self._configs.state, self._name
        ids: list[str | TaskId] = [name, *(TaskId(name, number) for number in range(len(state.tasks(name))))]
        return state.config(name) is not None and any(self._pool.runs(one) for one in ids)

    async def _forget_tasks(self) -> None:
        """A connector that is STOPPED has none."""
        if self._configs.state.tasks(self._name):
            await self._put_tasks([])
        self._on_tasks_gone(self._name, 0)
        self._report(self._name, State.STOPPED, None)

    async def _leave_connector(self, target: TargetState) -> None:
        """The connector runs elsewhere, some of its tasks may run here."""
        if self._running is not None:
            self._running = None
            await self._environment.stop_connector(self._name)
        if self._running_target is not target:
            self._running_target = target
            await self._environment.set_target_state(self._name, target)

    async def _run_connector(self, props: Mapping[str, str], target: TargetState, *, restart: bool) -> bool:
        """Start, restart, pause or resume the connector; whether its tasks may have changed by that."""
        was = self._running_target
        if self._running is not None and not restart and self._running == props:
            if was is not target:
                await self._environment.set_target_state(self._name, target)
                self._running_target = target
            return was is not target
        if self._running is not None:
            self._running = None
            await self._environment.stop_connector(self._name)
        if was is not target and self._running_tasks:
            await self._environment.set_target_state(self._name, target)
        await self._environment.start_connector(self._name, props, target)
        self._running, self._running_target = props, target
        return True

    async def _configure_tasks(self) -> None:
        """Write the task configs that the connector wants now, if they, or the connector's own, are others than those
        that the stored ones were made with. When it cannot say, it is FAILED, and its tasks go on as they were."""
        try:
            made = await self._task_configs()
        except ReportedError:
            return
        except ConnectError as e:
            self._report(self._name, State.FAILED, str(e))
            return
        state = self._configs.state
        configs = [self._pool.task_config(state.config(self._name) or {}, config) for config in made]
        stored = [dict(config) for config in state.tasks(self._name)]
        applied = state.applied_config(self._name) == state.config(self._name)
        if state.inconsistent(self._name) or configs != stored or (configs and not applied):
            await self._put_tasks(configs)

    async def _put_tasks(self, configs: Sequence[Mapping[str, str]]) -> None:
        """Have them stored, soon if it cannot be at once."""
        try:
            await self._pool.put_tasks(self._name, configs)
        except UnstoredError as e:
            self._wanted.reconfigure = True
            self._put_off("the configs of its tasks are not stored yet", e)

    def _put_off(self, what: str, why: UnstoredError) -> None:
        told = f"{what}, and soon: {why}"
        if told != self._put_off_since:
            _logger.info("%s: %s", self._name, told)
        self._put_off_since = told
        self._try_again(_RETRY_SECONDS)

    async def _task_configs(self) -> list[dict[str, str]]:
        """What the connector answers; a plugin may take its time for that. _OutdatedError when the connector that was
        asked is not wanted any more."""
        if self._is_outdated():
            raise _OutdatedError
        self._asking = asyncio.create_task(self._environment.task_configs(self._name))
        try:
            await asyncio.wait([self._asking])
            if self._asking.cancelled() or self._is_outdated():
                raise _OutdatedError
            return self._asking.result()
        finally:
            self._asking.cancel()
            self._asking = None

    def _is_outdated(self) -> bool:
        """Whether what runs is not what is to run."""
        state, name = self._configs.state, self._name
        return (
            self._wanted.restart_connector
            or self.incarnation != state.incarnation(name)
            or not self._pool.runs(name)
            or self._running != state.config(name)
            or self._running_target is not state.target_state(name)
        )

    async def _run_tasks(self, target: TargetState, restart: set[int]) -> None:
        """Start the tasks that are configured and do not run, and those of `restart` anew; stop or replace those that
        run with another configuration. They run with the connector's config that they were configured with: while it
        has another since, they are about to be configured again."""
        state = self._configs.state
        stored, props = state.tasks(self._name), state.applied_config(self._name) or {}
        configured = {
            number: (props, config)
            for number, config in enumerate(stored)
            if self._pool.runs(TaskId(self._name, number))
        }
        outdated = [
            number
            for number, started in self._running_tasks.items()
            if number in restart or started != configured.get(number)
        ]
        if outdated:
            for number in outdated:
                del self._running_tasks[number]
            await self._environment.stop_tasks([TaskId(self._name, number) for number in outdated])
        self._on_tasks_gone(self._name, len(stored))
        missing = configured.keys() - self._running_tasks.keys()
        if not missing or not await self._clear_the_way():
            return
        for number in missing:
            task = TaskId(self._name, number)
            try:
                await self._environment.start_task(task, *configured[number], target)
            except ConnectError as e:
                self._report(task, State.FAILED, str(e))
                continue
            self._running_tasks[number] = configured[number]

    async def _clear_the_way(self) -> bool:
        """Whether tasks may start: what earlier ones left unfinished is; soon if not now."""
        try:
            await self._before_tasks(self._name)
        except UnstoredError as e:
            self._put_off("tasks wait for earlier ones to be fenced", e)
            return False
        return True

    async def _stop_all(self) -> None:
        tasks = [TaskId(self._name, number) for number in self._running_tasks]
        self._running_tasks.clear()
        self._running, self._running_target = None, TargetState.STOPPED
        await self._environment.stop_tasks(tasks)
        await self._environment.stop_connector(self._name)
