"""The pool: the workers that share connectors and tasks among themselves, as one of them sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kconnect.errors import ConnectError, RetriableError
from kconnect_workers.states import TaskId
from kconnect_workers.stores.config_store import ConfigStore

if TYPE_CHECKING:
    from kconnect_workers.herder.fencing import Fencing


class ElsewhereError(ConnectError):
    """Another worker of the pool has to do this: `url` is its REST API's."""

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


class UnstoredError(RetriableError):
    """What only a leader may store is not stored, since there is none at the moment; before long there will be."""


class ForbiddenError(ConnectError):
    """Whoever asks is not a worker of the pool."""


class NotReadyError(ConnectError):
    """This worker cannot do it yet, and will be able to soon."""


class Pool(Protocol):
    """Belongs to the worker's event loop."""

    @property
    def worker_id(self) -> str:
        """This worker's, as statuses name it."""
        ...

    @property
    def generation(self) -> int:
        """Grows with every rebalance: of two statuses the one of the older generation is out of date."""
        ...

    @property
    def leads(self) -> bool:
        """Whether this worker writes the configs of the pool."""
        ...

    def runs(self, id: str | TaskId) -> bool:
        """Whether the connector of this name, or this task, is this worker's to run."""
        ...

    def waits_for(self) -> str | None:
        """Why this worker is not in its pool, and since when; None while it is."""
        ...

    def on_work_changed(self) -> None:
        """What there is to run has, or may have: connectors came or went, or have another number of tasks."""
        ...

    async def expect_leader(self) -> None:
        """Returns when this worker leads. ElsewhereError naming the worker that does, RebalanceInProgressError when
        there is none for a while."""
        ...

    async def expect_owner(self, id: str | TaskId) -> None:
        """Returns when `id` is this worker's to run. ElsewhereError naming the worker whose it is, or one that knows;
        RebalanceInProgressError when it is nobody's for a while."""
        ...

    def task_config(self, connector: Mapping[str, str], task: Mapping[str, str]) -> dict[str, str]:
        """The config of a task, which its `connector` has made, as whichever worker it is given to can run it."""
        ...

    async def put_tasks(self, name: str, configs: Sequence[Mapping[str, str]]) -> None:
        """Have the configs of a connector's tasks stored, by whoever may. UnstoredError when there is nobody at the
        moment, ConnectError when that fails."""
        ...

    async def fence(self, name: str) -> None:
        """Returns when no earlier task of a source can finish a transaction that its new tasks do not know of.
        UnstoredError when nobody can see to it at the moment."""
        ...

    def check_signature(self, headers: Mapping[str, str], body: bytes) -> None:
        """Return when a request for the pool's workers alone comes from one of them. ForbiddenError when it does not,
        ConfigError when it does not even claim to, NotReadyError while that cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class Alone:
    """A standalone worker: everything is its own. `fencing` is given where sources are exactly-once."""

    worker_id: str
    configs: ConfigStore
    fencing: Fencing | None = None
    generation: int = 0
    leads: bool = True

    def runs(self, id: str | TaskId) -> bool:
        return True

    def waits_for(self) -> str | None:
        return None

    def on_work_changed(self) -> None:
        pass

    async def expect_leader(self) -> None:
        pass

    async def expect_owner(self, id: str | TaskId) -> None:
        pass

    def task_config(self, connector: Mapping[str, str], task: Mapping[str, str]) -> dict[str, str]:
        return dict(task)

    async def put_tasks(self, name: str, configs: Sequence[Mapping[str, str]]) -> None:
        await self.configs.put_tasks(name, configs)

    async def fence(self, name: str) -> None:
        """Earlier tasks were this worker's own, and have ended; a transaction that one has left open, and that no task
        of its number is there to end, would keep readers waiting."""
        if self.fencing is not None:
            await self.fencing.fence(name)

    def check_signature(self, headers: Mapping[str, str], body: bytes) -> None:
        raise ForbiddenError("a standalone worker has no others that could ask it for this")
