"""Who is in a group: members by id, static ones by instance too, ids that were given out, the leader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from kconnect.log.coordinators.member import Join, Member


class Roster:
    """The members of one group in the order in which they came. The first one leads, unless another is made to."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.leader: str | None = None
        self.pending: dict[str, float] = {}
        """Ids that clients were told to come back with, and until when."""
        self._static: dict[str, str] = {}

    def admit(self, member: Member) -> None:
        """Take a member in."""
        self.members[member.member_id] = member
        if member.group_instance_id is not None:
            self._static[member.group_instance_id] = member.member_id
        if self.leader is None:
            self.leader = member.member_id

    def remove(self, member: Member) -> None:
        """Let a member go; the one that is here longest leads then."""
        del self.members[member.member_id]
        if member.group_instance_id is not None:
            self._static.pop(member.group_instance_id, None)
        if self.leader == member.member_id:
            self.leader = next(iter(self.members), None)

    def replace(self, old: Member, new: Member) -> None:
        """Give the place of a static member, leadership included, to its successor."""
        self.members = {
            member.member_id: member
            for member in (new if present is old else present for present in self.members.values())
        }
        if new.group_instance_id is not None:
            self._static[new.group_instance_id] = new.member_id
        if self.leader == old.member_id:
            self.leader = new.member_id

    def static_member(self, group_instance_id: str | None) -> Member | None:
        """The member that has the place of this instance."""
        member_id = None if group_instance_id is None else self._static.get(group_instance_id)
        return None if member_id is None else self.members[member_id]

    def static_id(self, group_instance_id: str | None) -> str:
        """The id of the member that has the place of this instance, empty where none has."""
        member = self.static_member(group_instance_id)
        return "" if member is None else member.member_id

    def check_identity(self, member_id: str, group_instance_id: str | None) -> ErrorCode | None:
        """Why a request is not from the member that it claims to be from, or None."""
        if group_instance_id is not None:
            known = self.static_member(group_instance_id)
            if known is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if known.member_id != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return None if member_id in self.members else ErrorCode.UNKNOWN_MEMBER_ID

    @property
    def all_joined(self) -> bool:
        """Whether every member has a join waiting, and nobody else is expected."""
        return not self.pending and all(member.join is not None for member in self.members.values())

    @property
    def rebalance_timeout(self) -> float:
        """How long the slowest member may take; there must be members."""
        return max(member.rebalance_timeout for member in self.members.values())

    def subscriptions(self, protocol_name: str) -> tuple[tuple[str, str | None, bytes], ...]:
        """(member id, instance id, metadata) of every member, for the leader."""
        return tuple(
            (member.member_id, member.group_instance_id, member.protocols.get(protocol_name, b""))
            for member in self.members.values()
        )

    def check_protocols(self, request: Join, protocol_type: str | None) -> ErrorCode | None:
        """Why who asks to join has no protocol in common with the members of a group of that type, or None."""
        others = [member for member in self.members.values() if member.member_id != request.member_id]
        shared = not others or any(all(name in other.protocols for other in others) for name in request.protocols)
        fits = not self.members or request.protocol_type == protocol_type
        if request.protocols and request.protocol_type and shared and fits:
            return None
        return ErrorCode.INCONSISTENT_GROUP_PROTOCOL

    def elect_protocol(self) -> str:
        """The protocol that most members prefer among those that all of them know; there must be members."""
        members = list(self.members.values())
        votes = {name: 0 for name in members[0].protocols if all(name in member.protocols for member in members)}
        for member in members:
            votes[next(name for name in member.protocols if name in votes)] += 1
        return max(votes, key=votes.__getitem__)
