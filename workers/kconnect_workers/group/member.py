"""A worker's membership in its group: it joins, keeps its place by heartbeats, and is given connectors and tasks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Awaitable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from kconnect.errors import ConnectError
from kconnect_workers.group.assignment import Assignment, AssignmentError, WorkerState
from kconnect_workers.group.backoff import Backoff
from kconnect_workers.group.coordinator_link import CoordinatorLink
from kconnect_workers.group.heartbeats import Heartbeats
from kconnect_workers.group.joining import Joined, Joining
from kconnect_workers.group.leader import ConfigSnapshot, Leader
from kconnect_workers.group.listener import GroupListener
from kconnect_workers.group.protocol import ConnectProtocol
from kconnect_workers.group.refusals import RefusedError, Remedy
from kconnect_workers.group.settings import GroupSettings
from kconnect_workers.group.work import NOTHING, ConnectorsAndTasks
from kconnect_workers.states import TaskId

__all__ = ["ConfigSnapshot", "GroupListener", "GroupMember"]

_logger = logging.getLogger(__name__)

T = TypeVar("T")

_LEAVE_SECONDS = 3.0
_REQUEST_SECONDS = 10.0
_LEAST_HEARTBEAT_SECONDS = 1.0


class GroupMember:
    """Joins the group at `start` and stays in it until `stop`, whatever becomes of brokers and coordinator.

    Everything belongs to the event loop on which it was started; requests wait in threads of its own. It re-joins by
    itself after revocations, delays that an assignment names, failed assignments and lost memberships. A session that
    no heartbeat has renewed for the session timeout is lost, whether or not a broker could say so.
    """

    def __init__(
        self,
        settings: GroupSettings,
        client_props: Mapping[str, str],
        url: str,
        listener: GroupListener,
        *,
        client_id: str = "kconnect",
    ) -> None:
        """`client_props` are an admin client's, of which address and security matter; `url` is where the other workers
        reach this one's REST. Raises ConfigError for `client_props`."""
        self._settings = settings
        self._url = url
        self._listener = listener
        self._link = CoordinatorLink(
            client_props, settings.group_id, client_id=client_id, timeout=_REQUEST_SECONDS, name="group"
        )
        # Cut short in time for another attempt before the session is over.
        heartbeat_s = max(_LEAST_HEARTBEAT_SECONDS, min(_REQUEST_SECONDS, settings.session_timeout_ms / 2000))
        self._heartbeat_link = CoordinatorLink(
            client_props, settings.group_id, client_id=client_id, timeout=heartbeat_s, name="group-heartbeat"
        )
        self._joining = Joining(self._link, settings)
        self._heartbeats = Heartbeats(
            self._heartbeat_link, settings, on_rebalance=self._want_rejoin, on_lost=self._be_lost
        )
        self._leader = Leader(settings.scheduled_rebalance_max_delay_ms)
        self._pause = Backoff(settings)
        self._tasks: list[asyncio.Task[None]] = []
        self._member_id = ""
        self._generation = -1
        self._last_completed_generation = -1
        self._protocol = settings.connect_protocol
        self._held: Assignment | None = None
        self._claim: Assignment | None = None
        """What was held when the membership was lost, as long as the leader may be keeping it for this worker."""
        self._claim_ends_at = 0.0
        self._urls: Mapping[str | TaskId, str] = {}
        self._rejoin_reason: str | None = "the worker has started"
        self._rejoin_at: float | None = None
        self._outage: tuple[float, str] | None = None
        self._lost = asyncio.Event()
        self._wake = asyncio.Event()
        self._trouble: str | None = None
        self._unsettled_since: datetime | None = None

    async def start(self) -> None:
        """Begin to join, and return at once."""
        self._unsettled_since = datetime.now(UTC)
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._heartbeats.run())]

    async def stop(self) -> None:
        """Leave the group, telling the coordinator if it answers soon. The listener is not called: what is held has
        been stopped before. May be called twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._be_lost("the worker has stopped")
        await self._leave("the worker stops")
        await asyncio.gather(self._link.close(), self._heartbeat_link.close())

    def request_rejoin(self) -> None:
        """Have the group rebalance: the leader asks for it when connectors or tasks have changed."""
        self._want_rejoin("connectors or tasks have changed")

    def stay_out(self, seconds: float, reason: str) -> None:
        """Leave the group (`on_lost` is called), and join again after `seconds`: for a worker that cannot catch up
        with the config topic (`worker.unsync.backoff.ms`)."""
        self._outage = seconds, reason
        self._be_lost(reason)

    @property
    def member_id(self) -> str:
        """Given by the coordinator; empty before."""
        return self._member_id

    @property
    def generation(self) -> int:
        """Of the last completed rebalance; -1 while not in the group."""
        return self._generation

    @property
    def protocol(self) -> ConnectProtocol:
        """What the group has agreed on; before it has, what this worker prefers."""
        return self._protocol

    @property
    def is_leader(self) -> bool:
        return self._generation >= 0 and self._held is not None and self._held.leader == self._member_id

    @property
    def leader_url(self) -> str | None:
        """The leader's REST URL; None while not in the group."""
        return None if self._generation < 0 or self._held is None else self._held.leader_url

    def url_of(self, id: str | TaskId) -> str | None:
        """The REST URL of the worker that has been given a connector or a task; None on workers that do not lead,
        during a rebalance, and for what nobody has been given."""
        return self._urls.get(id) if self._unsettled_since is None else None

    @property
    def heartbeat_age_s(self) -> float:
        """Seconds since the last heartbeat was sent that the coordinator answered well; infinite while not in the
        group. Leases are renewed only while it is less than the session timeout."""
        return self._heartbeats.age_s

    @property
    def rebalancing(self) -> str | None:
        """Why there is no assignment to rely on: what the group or this worker waits for, and since when; None while
        it has a valid one."""
        if self._unsettled_since is None:
            return None
        since = self._unsettled_since.isoformat(timespec="seconds")
        reason = self._trouble or self._rejoin_reason or "others are being waited for"
        if self._generation < 0:
            return f"this worker has not been in group {self._settings.group_id} since {since}: {reason}"
        return f"group {self._settings.group_id} rebalances since {since}: {reason}"

    # What happens, in the order in which it does

    async def _run(self) -> None:
        while True:
            try:
                if self._lost.is_set():
                    await self._lose()
                elif self._rejoin_reason is None:
                    await self._wait()
                else:
                    await self._rebalance(self._rejoin_reason)
            except _LostError:
                continue
            except ConnectError as error:
                await self._recover(error)
            except Exception as error:
                _logger.exception("Group %s: this should not happen", self._settings.group_id)
                await self._recover(ConnectError(f"{type(error).__name__}: {error}"))

    async def _wait(self) -> None:
        """Until something happens, or the delay of the assignment is over."""
        delay_s = None if self._rejoin_at is None else max(0.0, self._rejoin_at - time.monotonic())
        try:
            await asyncio.wait_for(self._wake.wait(), delay_s)
        except TimeoutError:
            self._want_rejoin("the delay is over for what another worker had")
        self._wake.clear()

    async def _rebalance(self, reason: str) -> None:
        self._heartbeats.joining = True
        self._rejoin_reason = None  # what asks from now on may not be seen by the leader
        self._urls = {}
        try:
            await self._join(reason)
        except BaseException:
            self._rejoin_reason = self._rejoin_reason or reason
            raise
        finally:
            self._heartbeats.joining = False
        self._pause.reset()
        self._link.disconnect()  # until the next rebalance, which may be long to come
        if self._rejoin_reason is None:
            self._unsettled_since = None

    async def _join(self, reason: str) -> None:
        if self._protocol is ConnectProtocol.EAGER and self._held is not None:
            held, self._held = self._held, None
            await self._tell(self._listener.on_revoked(held.connectors, held.tasks), "on_revoked")
        await self._unless_lost(self._tell(self._listener.before_join(), "before_join"))
        if self._claim is not None and time.monotonic() >= self._claim_ends_at:
            self._claim = None
        state = WorkerState(self._url, self._listener.config_offset(), self._claim or self._held)
        joined = await self._unless_lost(self._joining.join(self._member_id, state, reason))
        self._member_id = joined.member_id
        self._heartbeats.begin(joined.member_id, joined.generation)
        plan_urls, assignments = self._plan(joined)
        sent_at = time.monotonic()
        assignment = await self._unless_lost(self._joining.sync(joined, assignments))
        self._heartbeats.renew(sent_at)
        self._trouble = None
        self._protocol = joined.protocol
        self._generation = self._last_completed_generation = joined.generation
        await self._take(assignment, joined)
        self._urls = plan_urls

    def _plan(self, joined: Joined) -> tuple[Mapping[str | TaskId, str], Mapping[str, Assignment]]:
        if not joined.leads:
            return {}, {}
        plan = self._leader.plan(
            joined.leader,
            joined.states,
            self._listener.config_snapshot(),
            joined.protocol,
            generation=joined.generation,
            last_completed_generation=self._last_completed_generation,
            now_ms=time.monotonic_ns() // 1_000_000,
        )
        return plan.urls, plan.assignments

    async def _take(self, assignment: Assignment, joined: Joined) -> None:
        """Have the listener do what is assigned, and see what has to follow."""
        running, claimed = _work(self._held), _work(self._claim)
        given = ConnectorsAndTasks.of(assignment.connectors, assignment.tasks)
        revoked = ConnectorsAndTasks.of(assignment.revoked_connectors, assignment.revoked_tasks)
        to_rejoin = bool(revoked)
        if joined.protocol is ConnectProtocol.EAGER:
            revoked, claimed = running, NOTHING  # while the group was cooperative still, it was kept
        if assignment.error is AssignmentError.NONE:
            given |= claimed - revoked
            self._claim = None
        holds = given | (running - revoked)
        self._held = dataclasses.replace(
            assignment, connectors=holds.connectors, tasks=holds.tasks, revoked_connectors=(), revoked_tasks=()
        )
        self._rejoin_at = time.monotonic() + assignment.delay_ms / 1000 if assignment.delay_ms else None
        self._log_assignment(assignment, joined)
        if to_stop := revoked & running:
            await self._tell(self._listener.on_revoked(to_stop.connectors, to_stop.tasks), "on_revoked")
            self._raise_if_lost()
        to_run = dataclasses.replace(assignment, connectors=given.connectors, tasks=given.tasks)
        await self._tell(self._listener.on_assigned(to_run, joined.generation), "on_assigned")
        self._raise_if_lost()
        if assignment.error is not AssignmentError.NONE:
            await self._unless_lost(asyncio.sleep(self._pause.next_s()))
            self._want_rejoin("the leader has read less of the config topic than others")
        elif to_rejoin:
            self._want_rejoin("what was revoked can be given to others")

    async def _lose(self) -> None:
        """Be out of the group, until the next join."""
        self._lost.clear()
        outage, self._outage = self._outage, None
        if outage is not None:
            await self._leave(outage[1])
        held, self._held = self._held, None
        self._rejoin_at = None
        self._rejoin_reason = "the worker was out of the group"
        if held is not None:
            self._claim = held
            self._claim_ends_at = time.monotonic() + self._settings.scheduled_rebalance_max_delay_ms / 1000
            _logger.warning("This worker is out of group %s: %s", self._settings.group_id, self._trouble)
            await self._tell(self._listener.on_lost(), "on_lost")
        if outage is not None:
            await asyncio.sleep(outage[0])

    async def _recover(self, error: ConnectError) -> None:
        """Do what helps, and wait a little."""
        remedy = error.remedy if isinstance(error, RefusedError) else Remedy.WAIT
        if remedy is Remedy.WAIT and str(error) != self._trouble:
            _logger.warning("Group %s cannot be joined, and is tried again: %s", self._settings.group_id, error)
        self._trouble = str(error)
        if remedy is Remedy.FIND_COORDINATOR:
            self._link.disconnect()
        elif remedy is Remedy.JOIN_ANEW:
            self._member_id = ""
            if self._held is not None:
                self._be_lost("the coordinator has taken this worker out of the group")
        with contextlib.suppress(_LostError):
            await self._unless_lost(asyncio.sleep(self._pause.next_s()))

    async def _leave(self, reason: str) -> None:
        """Tell the coordinator, so that the others need not wait for the session to expire."""
        member_id, self._member_id = self._member_id, ""
        if not member_id:
            return
        try:
            await asyncio.wait_for(self._joining.leave(member_id, reason), _LEAVE_SECONDS)
        except (ConnectError, TimeoutError) as error:
            _logger.info("Group %s was not told that this worker leaves: %s", self._settings.group_id, error)

    def _want_rejoin(self, reason: str) -> None:
        self._unsettled_since = self._unsettled_since or datetime.now(UTC)
        self._rejoin_reason = self._rejoin_reason or reason
        self._wake.set()

    def _be_lost(self, reason: str) -> None:
        self._heartbeats.end()
        self._generation = -1
        self._urls = {}
        self._unsettled_since = datetime.now(UTC)
        self._trouble = reason
        self._lost.set()
        self._wake.set()

    def _raise_if_lost(self) -> None:
        if self._lost.is_set():
            raise _LostError

    async def _unless_lost(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of `work`, which is cancelled when the membership is lost first; raises _LostError then."""
        task, lost = asyncio.ensure_future(work), asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
            self._raise_if_lost()
            return task.result()
        finally:
            for future in (task, lost):
                future.cancel()
            await asyncio.gather(task, lost, return_exceptions=True)

    async def _tell(self, call: Awaitable[None], name: str) -> None:
        try:
            await call
        except Exception:
            _logger.exception("Group %s: the worker failed in %s", self._settings.group_id, name)

    def _log_assignment(self, assignment: Assignment, joined: Joined) -> None:
        _logger.info(
            "In generation %s of group %s (%s, %s%s) this worker is given %s connectors and %s tasks, and gives up %s "
            "and %s%s.",
            joined.generation,
            self._settings.group_id,
            joined.protocol.value,
            "which it leads" if joined.leads else f"led by {assignment.leader_url}",
            "" if assignment.error is AssignmentError.NONE else f", {assignment.error.name}",
            len(assignment.connectors),
            len(assignment.tasks),
            len(assignment.revoked_connectors),
            len(assignment.revoked_tasks),
            f"; joins again in {assignment.delay_ms} ms" if assignment.delay_ms else "",
        )


class _LostError(Exception):
    """The membership was lost while something else was under way."""


def _work(held: Assignment | None) -> ConnectorsAndTasks:
    return NOTHING if held is None else ConnectorsAndTasks.of(held.connectors, held.tasks)
