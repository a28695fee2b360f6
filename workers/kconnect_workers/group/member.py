"""A worker's membership in its group: it joins, keeps its place by heartbeats, and is given connectors and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from kconnect_workers.group.assignment import Assignment
from kconnect_workers.group.protocol import ConnectProtocol
from kconnect_workers.group.settings import GroupSettings
from kconnect_workers.states import TaskId


class ConfigSnapshot(Protocol):
    """What the config topic says at one offset; a leader assigns from it."""

    @property
    def offset(self) -> int:
        """The offset after the last record read of the config topic; -1 before the first."""
        ...

    def connectors(self) -> Iterable[str]: ...

    def tasks(self, connector: str) -> Sequence[TaskId]: ...


class GroupListener(Protocol):
    """What a group member calls on the worker's event loop. One call at a time; heartbeats go on meanwhile.

    What a coroutine raises is logged, and taken as if it had returned."""

    def config_offset(self) -> int:
        """How much this worker has read of the config topic (as `ConfigSnapshot.offset`); asked at each join."""
        ...

    def config_snapshot(self) -> ConfigSnapshot:
        """What this worker has read of the config topic; asked when it leads, at each rebalance."""
        ...

    async def before_join(self) -> None:
        """A JoinGroup follows: the time to catch up with the config topic. Not longer than the rebalance timeout.
        It is cancelled when the membership is lost meanwhile."""
        ...

    async def on_revoked(self, connectors: Sequence[str], tasks: Sequence[TaskId]) -> None:
        """Stop these, and return when they have stopped, in less than the rebalance timeout; a re-join follows, by
        which others are given them. In the cooperative protocols `on_assigned` is called between, with the rest."""
        ...

    async def on_assigned(self, assignment: Assignment, generation: int) -> None:
        """Run these too; return soon, and start them in the background. With an `error` nothing is assigned, and a
        re-join follows by itself, before which the config topic is to be read to its end. A `config_offset` beyond
        this worker's own means the same, without the re-join."""
        ...

    async def on_lost(self) -> None:
        """The worker is out of the group without having left it, or leaves it: everything held must stop at once, as
        others may be given it. It joins again afterwards, as one that holds nothing."""
        ...


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
        raise NotImplementedError

    async def start(self) -> None:
        """Begin to join, and return at once."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Leave the group, telling the coordinator if it answers soon. The listener is not called: what is held has
        been stopped before. May be called twice."""
        raise NotImplementedError

    def request_rejoin(self) -> None:
        """Have the group rebalance: the leader asks for it when connectors or tasks have changed."""
        raise NotImplementedError

    def stay_out(self, seconds: float, reason: str) -> None:
        """Leave the group (`on_lost` is called), and join again after `seconds`: for a worker that cannot catch up
        with the config topic (`worker.unsync.backoff.ms`)."""
        raise NotImplementedError

    @property
    def member_id(self) -> str:
        """Given by the coordinator; empty before."""
        raise NotImplementedError

    @property
    def generation(self) -> int:
        """Of the last completed rebalance; -1 while not in the group."""
        raise NotImplementedError

    @property
    def protocol(self) -> ConnectProtocol:
        """What the group has agreed on; before it has, what this worker prefers."""
        raise NotImplementedError

    @property
    def is_leader(self) -> bool:
        raise NotImplementedError

    @property
    def leader_url(self) -> str | None:
        """The leader's REST URL; None while not in the group."""
        raise NotImplementedError

    def url_of(self, id: str | TaskId) -> str | None:
        """The REST URL of the worker that has been given a connector or a task; None on workers that do not lead,
        during a rebalance, and for what nobody has been given."""
        raise NotImplementedError

    @property
    def heartbeat_age_s(self) -> float:
        """Seconds since the last heartbeat was sent that the coordinator answered well; infinite while not in the
        group. Leases are renewed only while it is less than the session timeout."""
        raise NotImplementedError

    @property
    def rebalancing(self) -> str | None:
        """Why there is no assignment to rely on: what the group or this worker waits for, and since when; None while
        it has a valid one."""
        raise NotImplementedError
