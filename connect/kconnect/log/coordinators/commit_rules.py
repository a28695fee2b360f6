"""Who may commit offsets for a group. A commit that may be shows that its member is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.coordinators.group_state import GroupState
from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from kconnect.log.coordinators.group import Group


def check_commit(
    group: Group, member_id: str, group_instance_id: str | None, generation_id: int, now: float
) -> ErrorCode | None:
    """Why an offset commit has to be refused at `now` (seconds, of the group's clock), or None."""
    if generation_id < 0:
        # From outside of the group protocol: allowed while no members could be surprised by it.
        return ErrorCode.UNKNOWN_MEMBER_ID if group.members else None
    error = group.check_generation(member_id, group_instance_id, generation_id)
    if error is not None:
        return error
    if group.state is GroupState.COMPLETING_REBALANCE:
        return ErrorCode.REBALANCE_IN_PROGRESS
    group.members[member_id].touch(now)
    return None


def check_transactional_commit(
    group: Group, member_id: str, group_instance_id: str | None, generation_id: int, now: float
) -> ErrorCode | None:
    """As `check_commit` for offsets in a transaction; clients of early versions do not say who they are."""
    if generation_id < 0 and (not group.members or (not member_id and group_instance_id is None)):
        return None
    error = group.check_generation(member_id, group_instance_id, generation_id)
    if error is None:
        group.members[member_id].touch(now)
    return error
