"""Members of a worker group, with workers that keep what they are given and note what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from kconnect.testing.deadline import Deadline
from kconnect_workers.group.assignment import Assignment, AssignmentError
from kconnect_workers.group.member import ConfigSnapshot, GroupMember
from kconnect_workers.group.settings import GroupSettings
from kconnect_workers.states import TaskId

__all__ = ["Configs", "GroupWorker", "Pool", "until"]


async def until(condition: Callable[[], bool], what: str | Callable[[], str], seconds: float = 30) -> None:
    """Wait for `condition`. Raises TimeoutError, saying `what` did not happen."""
    deadline = Deadline(seconds)
    while not condition():
        deadline.check(what if isinstance(what, str) else what())
        await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Configs:
    """Connectors with so many tasks each, as the config topic has them up to `offset`."""

    counts: Mapping[str, int] = field(default_factory=dict)
    offset: int = 0

    def connectors(self) -> list[str]:
        return list(self.counts)

    def tasks(self, connector: str) -> list[TaskId]:
        return [TaskId(connector, number) for number in range(self.counts[connector])]

    def all(self) -> list[str]:
        return sorted([*self.counts, *(str(task) for name in self.counts for task in self.tasks(name))])


class GroupWorker:
    """A group member's listener. `events` are what it was told, in order; `held` is what runs."""

    def __init__(self, name: str, configs: Configs) -> None:
        self.name = name
        self.configs = configs
        self.events: list[str] = []
        self.held: set[str] = set()
        self.latest: Configs | None = None
        """What it will have read of the config topic once it joins again after an error."""
        self.may_join = asyncio.Event()
        self.may_join.set()
        self.failing: set[str] = set()
        self.read: Callable[[], Configs] | None = None
        """How it reads the config topic before each join, in a thread."""
        self.member: GroupMember

    def config_offset(self) -> int:
        return self.configs.offset

    def config_snapshot(self) -> ConfigSnapshot:
        return self.configs

    async def before_join(self) -> None:
        self._note("before_join")
        await self.may_join.wait()
        if self.read is not None:
            self.configs = await asyncio.to_thread(self.read)
        elif self.latest is not None and "CONFIG_MISMATCH" in self.events:
            self.configs = self.latest

    async def on_revoked(self, connectors: Sequence[str], tasks: Sequence[TaskId]) -> None:
        self.held -= {*connectors, *map(str, tasks)}
        self._note("on_revoked")

    async def on_assigned(self, assignment: Assignment, generation: int) -> None:
        assert self.member.generation == generation
        if assignment.error is not AssignmentError.NONE:
            self.events.append(assignment.error.name)
            return
        self.held |= {*assignment.connectors, *map(str, assignment.tasks)}
        self._note("on_assigned")

    async def on_lost(self) -> None:
        self.held.clear()
        self._note("on_lost")

    @property
    def settled(self) -> bool:
        return self.member.rebalancing is None

    async def beats(self, count: int) -> None:
        """Wait for so many heartbeats that went well. Raises TimeoutError when they do not."""
        deadline = Deadline(30)
        for number in range(count):
            age = self.member.heartbeat_age_s
            while self.member.heartbeat_age_s >= age:
                deadline.check(f"{number} of {count} heartbeats went well: {self.member.rebalancing}")
                age = self.member.heartbeat_age_s
                await asyncio.sleep(0.01)

    def _note(self, event: str) -> None:
        self.events.append(event)
        if event in self.failing:
            raise RuntimeError(f"the worker fails in {event}, as it was told to")


class Pool:
    """Workers in one group, on one loop; those that are still in it at the end leave. `times_ms` are GroupSettings'."""

    def __init__(self, bootstrap: str, group_id: str, configs: Configs, **times_ms: int) -> None:
        self._props = {"bootstrap.servers": bootstrap}
        defaults = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 200, "rebalance_timeout_ms": 20_000}
        times: Any = {**defaults, **times_ms}
        self.settings = GroupSettings(group_id=group_id, **times)
        self.configs = configs
        self.workers: list[GroupWorker] = []

    @classmethod
    @asynccontextmanager
    async def of(cls, bootstrap: str, group_id: str, configs: Configs, **times_ms: int) -> AsyncIterator[Self]:
        pool = cls(bootstrap, group_id, configs, **times_ms)
        try:
            yield pool
        finally:
            await asyncio.gather(*(worker.member.stop() for worker in pool.workers))

    async def add(
        self,
        *,
        configs: Configs | None = None,
        settings: GroupSettings | None = None,
        props: Mapping[str, str] | None = None,
        read: Callable[[], Configs] | None = None,
    ) -> GroupWorker:
        """One more worker, which begins to join."""
        worker = GroupWorker(f"w{len(self.workers) + 1}", configs or self.configs)
        worker.read = read
        url = f"http://{worker.name}:8083/"
        worker.member = GroupMember(settings or self.settings, {**self._props, **(props or {})}, url, worker)
        self.workers.append(worker)
        await worker.member.start()
        return worker

    async def balanced(self, *workers: GroupWorker, configs: Configs | None = None) -> None:
        """Wait until these run everything, each at one place, and nothing is about to change."""
        wanted = (configs or self.configs).all()

        def is_so() -> bool:
            return all(w.settled for w in workers) and sorted(h for w in workers for h in w.held) == wanted

        await until(is_so, lambda: f"{[(w.name, sorted(w.held), w.member.rebalancing) for w in workers]}, not {wanted}")

    @property
    def leader(self) -> GroupWorker:
        [leader] = [worker for worker in self.workers if worker.member.is_leader]
        return leader

    @property
    def follower(self) -> GroupWorker:
        """One that does not lead."""
        return next(worker for worker in self.workers if not worker.member.is_leader)

    async def shared(self, *workers: GroupWorker) -> None:
        """Wait until each of these runs something, and together they run everything."""
        await until(lambda: all(worker.held for worker in workers), "the workers do not share")
        await self.balanced(*workers)
