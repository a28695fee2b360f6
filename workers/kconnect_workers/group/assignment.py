"""What workers of a group tell one another: what each holds, and what each is given."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from kconnect_workers.states import TaskId


class AssignmentError(enum.IntEnum):
    """Why a leader could not assign."""

    NONE = 0
    CONFIG_MISMATCH = 1
    """The leader has read less of the config topic than another member: all read to its end and join again."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the leader gives to one member in one generation.

    In the cooperative protocols `connectors` and `tasks` come on top of what the member holds, and `revoked_*` are
    to be given up; in the eager one they are all that it shall have. `config_offset` is how much of the config topic
    the leader assigned from. After `delay_ms`, unless 0, the member is to join again. A worker describes what it
    holds in the same form.
    """

    error: AssignmentError
    leader: str
    leader_url: str
    config_offset: int
    connectors: tuple[str, ...] = ()
    tasks: tuple[TaskId, ...] = ()
    revoked_connectors: tuple[str, ...] = ()
    revoked_tasks: tuple[TaskId, ...] = ()
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a member tells when it joins: its REST URL, what it has read of the config topic, what it holds.

    `held` is None where it holds nothing or its protocol does not tell (eager)."""

    url: str
    config_offset: int
    held: Assignment | None = None
