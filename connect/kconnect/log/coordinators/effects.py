"""What a group decides: answers to requests, and state to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from kconnect.log.coordinators.member import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinAnswer:
    """Goes to whoever sent the `Join` with this `reply_to`; `members` is filled for the leader alone."""

    reply_to: Any
    member_id: str
    error: ErrorCode = ErrorCode.NONE
    generation_id: int = -1
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str = ""
    skip_assignment: bool = False
    members: tuple[tuple[str, str | None, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAnswer:
    """Goes to whoever sent the `Sync` with this `reply_to`."""

    reply_to: Any
    error: ErrorCode = ErrorCode.NONE
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The group is as it should be found after a restart."""


Effect = JoinAnswer | SyncAnswer | Keep


def answer_to_join(member: Member, error: ErrorCode) -> JoinAnswer:
    """A refusal of the join that `member` has waiting."""
    assert member.join is not None
    return JoinAnswer(reply_to=member.join.reply_to, member_id=member.member_id, error=error)
