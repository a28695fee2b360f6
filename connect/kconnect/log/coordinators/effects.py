"""What a group decides: answers to requests, and state to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from kconnect.log.coordinators.member import Join, Member


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


def refuse_join(request: Join, error: ErrorCode) -> JoinAnswer:
    """A refusal of a join that no member has waiting."""
    return JoinAnswer(reply_to=request.reply_to, member_id=request.member_id, error=error)


def refuse_waiting(member: Member, error: ErrorCode, effects: list[Effect], *, joins: bool = True) -> None:
    """Answer with `error` what `member` waits for."""
    if joins and member.join is not None:
        effects.append(JoinAnswer(reply_to=member.join.reply_to, member_id=member.member_id, error=error))
        member.join = None
    if member.sync is not None:
        effects.append(SyncAnswer(reply_to=member.sync.reply_to, error=error))
        member.sync = None
