"""A worker's membership in its pool: what it has been given to run, who leads, and what follows from both."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from kconnect.errors import ConnectError, RebalanceInProgressError
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.group.assignment import Assignment, AssignmentError
from kconnect_workers.group.member import GroupMember
from kconnect_workers.group.protocol import ConnectProtocol
from kconnect_workers.group.settings import GroupSettings
from kconnect_workers.herder import stages
from kconnect_workers.herder.fencing import Fencing
from kconnect_workers.herder.peers import Peers
from kconnect_workers.herder.pool import ElsewhereError, UnstoredError
from kconnect_workers.herder.session_keys import SessionKeys
from kconnect_workers.states import TaskId
from kconnect_workers.stores.config_store import ConfigStore

if TYPE_CHECKING:
    from kconnect_workers.herder.supervision import Supervision

_logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 10.0
"""How long a request waits for a rebalance to end before it is told to come again."""
_LOOK_SECONDS = 0.05
_RETRY_SECONDS = 0.5
_JAVA_CONNECTOR = re.compile(r"((?:\w+\.)+\w+)Connector")


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to run, as the config topic says at `offset` (a ConfigSnapshot)."""

    offset: int
    counts: Mapping[str, int]
    """The number of tasks of each connector."""

    @classmethod
    def of(cls, configs: ConfigStore) -> Work:
        state = configs.state
        return cls(configs.offset, {name: len(state.tasks(name)) for name in state.connectors()})

    def connectors(self) -> Iterable[str]:
        return self.counts.keys()

    def tasks(self, connector: str) -> Sequence[TaskId]:
        return [TaskId(connector, number) for number in range(self.counts.get(connector, 0))]


class Membership:
    """This worker's view of the Pool, and what its GroupMember calls (GroupListener). Belongs to the worker's event
    loop.

    `url` is where the other workers reach this one; `fencing` is given where sources are exactly-once.
    """

    def __init__(
        self,
        config: DistributedConfig,
        client_props: Mapping[str, str],
        *,
        worker_id: str,
        url: str,
        configs: ConfigStore,
        keys: SessionKeys,
        peers: Peers,
        fencing: Fencing | None = None,
    ) -> None:
        self._worker_id = worker_id
        self._config = config
        self._configs = configs
        self._keys = keys
        self._peers = peers
        self._fencing = fencing
        client_id = config.client_id or "kconnect"
        self.member = GroupMember(GroupSettings.of(config), client_props, url, self, client_id=client_id)
        self._connectors: set[str] = set()
        self._tasks: set[TaskId] = set()
        self._generation = 0
        self._at_stake = False
        """Whether anything may run here that others could be given."""
        self._leads = False
        self._joined_with: Mapping[str, int] = {}
        self._assigned = asyncio.Event()
        self._duties: asyncio.Task[None] | None = None
        self._left = False

    async def join(self, supervision: Supervision) -> None:
        """Become a member; returns when it has been given its share for the first time, which may be nothing."""
        self._supervision = supervision
        await self.member.start()
        await self._assigned.wait()

    async def leave(self) -> None:
        """Leave the group, once nothing runs here any more. May be called twice."""
        self._left = True
        self._end_duties()
        await self.member.stop()

    def holds_lease(self, lease_s: float) -> bool:
        """Whether what runs here may go on for `lease_s` seconds: nobody else is given it before."""
        if not self._at_stake:
            return True
        return self.member.heartbeat_age_s + lease_s < self._config.session_timeout_ms / 1000

    @property
    def signs(self) -> bool:
        """Whether the pool's workers sign their requests to one another."""
        return self.member.protocol is ConnectProtocol.SESSIONED

    # --- Pool

    @property
    def worker_id(self) -> str:
        return self._worker_id

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def leads(self) -> bool:
        return self._leads

    def runs(self, id: str | TaskId) -> bool:
        return id in self._tasks if isinstance(id, TaskId) else id in self._connectors

    def waits_for(self) -> str | None:
        return self.member.rebalancing if self.member.generation < 0 else None

    def on_work_changed(self) -> None:
        if not self._left and Work.of(self._configs).counts != self._joined_with:
            self.member.request_rejoin()

    async def expect_leader(self) -> None:
        if not self._leads:
            await self._await_assignment()
        if not self._leads:
            raise ElsewhereError("another worker leads the pool", self._leader_url())
        await self._claim()

    async def expect_owner(self, id: str | TaskId) -> None:
        if self.runs(id):
            return
        await self._await_assignment()
        if self.runs(id):
            return
        if not self._leads:
            raise ElsewhereError(f"{id} runs on another worker, which the leader knows", self._leader_url())
        url = self.member.url_of(id)
        if url is None:
            raise RebalanceInProgressError(f"{id} has not been given to any worker: the pool waits for a rebalance")
        raise ElsewhereError(f"{id} runs on another worker", url)

    def task_config(self, connector: Mapping[str, str], task: Mapping[str, str]) -> dict[str, str]:
        """With the task's Java class, if the connector has a Java name: a worker of the JVM's Kafka Connect that is in
        the pool asks for it. It is called as nearly all are, `…Task` beside `…Connector`."""
        named = _JAVA_CONNECTOR.fullmatch(connector.get("connector.class", ""))
        return dict(task) if named is None else {"task.class": f"{named[1]}Task", **task}

    async def put_tasks(self, name: str, configs: Sequence[Mapping[str, str]]) -> None:
        try:
            if self._leads:
                await self._claim()
                await self._configs.put_tasks(name, configs)
            else:
                await self._ask_leader("POST", name, "tasks", msgspec.json.encode(configs))
        except ConnectError as e:
            raise UnstoredError(str(e)) from e

    async def fence(self, name: str) -> None:
        if self._fencing is None or not self._configs.state.pending_fencing(name):
            return
        try:
            if self._leads:
                await self._claim()
                await self._fencing.fence(name)
            else:
                await self._ask_leader("PUT", name, "fence", b"")
        except ConnectError as e:
            raise UnstoredError(str(e)) from e

    def check_signature(self, headers: Mapping[str, str], body: bytes) -> None:
        if self.signs:
            self._keys.verify(headers, body)

    async def _ask_leader(self, method: str, name: str, what: str, body: bytes) -> None:
        headers = {"Content-Type": "application/json", **(self._keys.sign(body) if self.signs else {})}
        url = f"{self._leader_url().rstrip('/')}/connectors/{quote(name, safe='')}/{what}?forward=false"
        answer = await self._peers.ask(method, url, headers=headers, body=body)
        if answer.status >= 300:
            raise ConnectError(f"the leader answered {answer.status}: {answer.body[:500].decode(errors='replace')}")

    def _leader_url(self) -> str:
        url = self.member.leader_url
        if not url:
            raise RebalanceInProgressError(
                "the pool has no leader that this worker knows, likely because a rebalance is under way; ask again soon"
            )
        return url

    async def _await_assignment(self) -> None:
        """Returns when there is one to rely on. RebalanceInProgressError, with what is waited for, after a while."""
        stages.enter("waiting for the pool's rebalance to end")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while self.member.rebalancing is not None:
                    await asyncio.sleep(_LOOK_SECONDS)
        if (reason := self.member.rebalancing) is not None:
            raise RebalanceInProgressError(f"the pool is in a rebalance: {reason}; ask again soon")

    # --- GroupListener

    def config_offset(self) -> int:
        return self._configs.offset

    def config_snapshot(self) -> Work:
        return Work.of(self._configs)

    async def before_join(self) -> None:
        await self._catch_up()
        self._joined_with = Work.of(self._configs).counts

    async def on_revoked(self, connectors: Sequence[str], tasks: Sequence[TaskId]) -> None:
        self._connectors -= set(connectors)
        self._tasks -= set(tasks)
        await self._stop_what_is_not_held({*connectors, *(task.connector for task in tasks)})

    async def on_assigned(self, assignment: Assignment, generation: int) -> None:
        if assignment.error is not AssignmentError.NONE:
            return
        if assignment.config_offset > self._configs.offset:
            await self._catch_up()
        if assignment.config_offset > self._configs.offset:
            pause_s = self._config.worker_unsync_backoff_ms / 1000
            _logger.error("this worker cannot catch up with the config topic and leaves the pool for %g s", pause_s)
            self.member.stay_out(pause_s, "it could not catch up with the config topic")
            return
        self._generation = generation
        self._connectors.update(assignment.connectors)
        self._tasks.update(assignment.tasks)
        self._at_stake = bool(self._connectors or self._tasks)
        self._supervision.wake({*assignment.connectors, *(task.connector for task in assignment.tasks)})
        await self._follow_leadership()
        self._assigned.set()

    async def on_lost(self) -> None:
        self._end_duties()
        held = self._connectors | {task.connector for task in self._tasks}
        self._connectors.clear()
        self._tasks.clear()
        await self._stop_what_is_not_held(held)
        self._at_stake = False

    # --- inside

    async def _stop_what_is_not_held(self, names: set[str]) -> None:
        self._supervision.wake(names)
        await self._supervision.settled(*names)

    async def _catch_up(self) -> None:
        try:
            await self._configs.refresh(self._config.worker_sync_timeout_ms / 1000)
        except (ConnectError, TimeoutError) as e:
            _logger.warning("the config topic was not read to its end: %s", str(e) or "in time")

    async def _follow_leadership(self) -> None:
        if not self.member.is_leader:
            self._end_duties()
        elif not self._leads:
            self._leads = True
            try:  # whatever an earlier leader still writes is refused from now on
                await self._configs.claim_write_privileges()
            except ConnectError as e:
                _logger.warning("%s: it is tried again when there is something to write", e)
        if self._leads:
            self._supervision.forget_gone()
            if self._duties is None and self.signs:
                self._duties = asyncio.create_task(self._keep_session_key(), name="session key")

    async def _claim(self) -> None:
        """Have the privilege to write that leading gives, also when it was lost to a leader that has been one."""
        if not self._configs.has_write_privileges:
            await self._configs.claim_write_privileges()

    def _end_duties(self) -> None:
        self._leads = False
        if self._duties is not None:
            self._duties.cancel()
            self._duties = None

    async def _keep_session_key(self) -> None:
        while True:
            try:
                await self._claim()
                pause_s = await self._keys.renew()
            except ConnectError as e:
                _logger.error("no new session key could be stored: %s", e)
                pause_s = _RETRY_SECONDS
            await asyncio.sleep(pause_s)
