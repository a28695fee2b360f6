"""What a coordinator's error codes mean for a member of a group."""

from __future__ import annotations

import enum

from kconnect.errors import RetriableError
from kconnect.log.protocol import ErrorCode

_HINTS = {
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "the worker's user may not read this group: grant it, or see group.id",
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL: (
        "its members share no protocol with this worker: another kind of client uses the name (group.id), or "
        "connect.protocol differs"
    ),
    ErrorCode.INVALID_SESSION_TIMEOUT: (
        "session.timeout.ms is not within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms"
    ),
    ErrorCode.GROUP_MAX_SIZE_REACHED: "it has as many members as the broker's group.max.size allows",
    ErrorCode.INVALID_GROUP_ID: "see group.id",
}


class Remedy(enum.Enum):
    """What to do about a request that was refused, before it is tried again."""

    WAIT = enum.auto()
    FIND_COORDINATOR = enum.auto()
    JOIN_ANEW = enum.auto()
    """As one that the coordinator does not know."""
    JOIN_AGAIN = enum.auto()


_REMEDIES = {
    ErrorCode.NOT_COORDINATOR: Remedy.FIND_COORDINATOR,
    ErrorCode.COORDINATOR_NOT_AVAILABLE: Remedy.FIND_COORDINATOR,
    ErrorCode.UNKNOWN_MEMBER_ID: Remedy.JOIN_ANEW,
    ErrorCode.FENCED_INSTANCE_ID: Remedy.JOIN_ANEW,
    ErrorCode.ILLEGAL_GENERATION: Remedy.JOIN_AGAIN,
    ErrorCode.REBALANCE_IN_PROGRESS: Remedy.JOIN_AGAIN,
}


class RefusedError(RetriableError):
    """The coordinator does not do as it was asked, for the time being; `remedy` comes before the next attempt."""

    def __init__(self, doing: str, code: int) -> None:
        known = ErrorCode(code) if code in set(ErrorCode) else None
        self.remedy = _REMEDIES.get(known, Remedy.WAIT) if known else Remedy.WAIT
        hint = _HINTS.get(known) if known else None
        super().__init__(f"{doing} failed: {known.name if known else f'error {code}'}" + (f": {hint}" if hint else ""))
