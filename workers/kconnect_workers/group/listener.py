"""What a group member asks of its worker, and tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kconnect_workers.group.assignment import Assignment
from kconnect_workers.group.leader import ConfigSnapshot
from kconnect_workers.states import TaskId


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
        others may be given it. It joins again afterwards, and `on_assigned` names all that it shall run then: what it
        had is kept for it for `scheduled.rebalance.max.delay.ms`."""
        ...
