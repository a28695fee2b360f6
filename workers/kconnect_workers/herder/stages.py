"""What a request is at, for the error that says that it has taken too long."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(slots=True)
class Stage:
    """What was begun last, and when."""

    what: str = "being taken in"
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __str__(self) -> str:
        return f"{self.what} (since {self.since.isoformat(timespec='milliseconds')})"


_current: ContextVar[Stage | None] = ContextVar("stage of a request", default=None)


def begin_request() -> Stage:
    """The stage of the request that the running task serves from now on; `enter` changes it."""
    stage = Stage()
    _current.set(stage)
    return stage


def enter(what: str) -> None:
    """The request that the running task serves, if any, is at this from now on."""
    stage = _current.get()
    if stage is not None:
        stage.what, stage.since = what, datetime.now(UTC)
