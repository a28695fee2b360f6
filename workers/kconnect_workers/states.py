"""The words in which a worker speaks of connectors and tasks: ids, states, target states, statuses."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from kconnect.errors import ConnectError


class TaskId(NamedTuple):
    """One task of a connector; prints as Kafka Connect prints it, `orders-0`."""

    connector: str
    task: int

    def __str__(self) -> str:
        return f"{self.connector}-{self.task}"


def connector_of(id: str | TaskId) -> str:
    """The name of the connector that `id` is, or is a task of."""
    return id.connector if isinstance(id, TaskId) else id


class TargetState(enum.Enum):
    """What a user wants a connector to be."""

    STARTED = "STARTED"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"


class State(enum.Enum):
    """What a connector or task is."""

    UNASSIGNED = "UNASSIGNED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FAILED = "FAILED"
    DESTROYED = "DESTROYED"
    RESTARTING = "RESTARTING"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a connector (`id` is its name) or of a task. `trace` explains FAILED, as text for a person."""

    id: str | TaskId
    state: State
    worker_id: str
    generation: int = 0
    trace: str | None = None
    version: str | None = None

    def restarting(self) -> Status:
        return replace(self, state=State.RESTARTING)


class ReportedError(ConnectError):
    """The connector has FAILED, and the StatusListener has been told of it."""


class StatusListener(Protocol):
    """Told by the runtime what becomes of connectors and tasks. Called on the worker's event loop."""

    def on_status(
        self, id: str | TaskId, state: State, trace: str | None = None, *, misconfigured: bool = False
    ) -> None:
        """`misconfigured`: it has FAILED of its config, and would again."""
        ...

    def on_reconfiguration_requested(self, connector: str) -> None: ...

    def on_topic_used(self, id: TaskId, topic: str) -> None:
        """The task uses a topic for the first time since it started, or was told to forget topics."""
        ...
