"""A member of a group, and what members ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A JoinGroup request. Times are seconds; `protocols` maps names to metadata, the preferred first.

    `fresh_member_id` is what the member is called if it brings no id of its own. `reply_to` is opaque: it comes
    back in the answer.
    """

    reply_to: Any
    member_id: str
    fresh_member_id: str
    group_instance_id: str | None
    protocol_type: str
    protocols: dict[str, bytes]
    session_timeout: float
    rebalance_timeout: float
    client_id: str
    client_host: str
    needs_known_member_id: bool
    may_skip_assignment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A SyncGroup request; `assignments` maps member ids, and only the leader's has any."""

    reply_to: Any
    member_id: str
    group_instance_id: str | None
    generation_id: int
    protocol_type: str | None
    protocol_name: str | None
    assignments: dict[str, bytes]


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """A member as its group knows it. `join` and `sync` are its requests that await an answer."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    session_timeout: float
    rebalance_timeout: float
    protocols: dict[str, bytes]
    assignment: bytes = b""
    deadline: float = field(default=0.0)
    join: Join | None = None
    sync: Sync | None = None

    @classmethod
    def of(cls, request: Join, member_id: str, *, assignment: bytes = b"", join: Join | None = None) -> Member:
        """A member as `request` describes it."""
        return cls(
            member_id=member_id,
            group_instance_id=request.group_instance_id,
            client_id=request.client_id,
            client_host=request.client_host,
            session_timeout=request.session_timeout,
            rebalance_timeout=request.rebalance_timeout,
            protocols=request.protocols,
            assignment=assignment,
            join=join,
        )

    def touch(self, now: float) -> None:
        """It has shown that it is alive: its session begins anew."""
        self.deadline = now + self.session_timeout

    @property
    def is_static(self) -> bool:
        """Whether it keeps its place over restarts (KIP-345)."""
        return self.group_instance_id is not None

    @property
    def is_waiting(self) -> bool:
        """Whether it awaits an answer: while it does it sends no heartbeats, and is alive."""
        return self.join is not None or self.sync is not None
