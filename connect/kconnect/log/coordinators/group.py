"""A classic consumer group: a state machine of requests and a clock.

Every method takes the time now (seconds, of a monotonic clock) and returns effects; nothing here waits, sends
or stores. `next_deadline` says when `tick` has to be called, if nothing else happens before.

    Empty ──join──▶ PreparingRebalance ──all joined, or time over──▶ CompletingRebalance ──leader's sync──▶ Stable
      ▲                 ▲                                                   │                          │
      └──all gone───────┴──── join, leave, session over ────────────────────┴──────────────────────────┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.coordinators.effects import (
    Effect,
    JoinAnswer,
    Keep,
    SyncAnswer,
    refuse_join,
    refuse_waiting,
)
from kconnect.log.coordinators.group_state import GroupState
from kconnect.log.coordinators.member import Join, Member, Sync
from kconnect.log.coordinators.roster import Roster
from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Group:
    """One group. Committed offsets are not its business."""

    def __init__(self, group_id: str, *, initial_rebalance_delay: float = 0.0) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.generation_id = 0
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self._roster = Roster()
        self._rebalance_deadline: float | None = None
        self._initial_delay = initial_rebalance_delay
        # While a new group waits the initial delay for further members, nothing completes early.
        self._gathers = False

    @classmethod
    def restored(
        cls,
        group_id: str,
        *,
        generation_id: int,
        protocol_type: str,
        protocol_name: str | None,
        leader: str | None,
        members: Iterable[Member],
        now: float,
        initial_rebalance_delay: float = 0.0,
    ) -> Group:
        """A group as it was kept: its members have a session's time to show that they are still there."""
        group = cls(group_id, initial_rebalance_delay=initial_rebalance_delay)
        group.generation_id = generation_id
        group.protocol_type, group.protocol_name = protocol_type or None, protocol_name
        for member in members:
            group._roster.admit(member)
            member.touch(now)
        if leader in group.members:
            group._roster.leader = leader
        group.state = GroupState.STABLE if group.members else GroupState.EMPTY
        return group

    @property
    def members(self) -> Mapping[str, Member]:
        """The members by id."""
        return self._roster.members

    @property
    def leader(self) -> str | None:
        """The member that assigns, None without members."""
        return self._roster.leader

    @property
    def is_unused(self) -> bool:
        """Whether nobody was ever taken in, nor told to come back."""
        return self.generation_id == 0 and not self.members and not self._roster.pending

    @property
    def next_deadline(self) -> float | None:
        """When `tick` is due, or None while there is nothing to wait for."""
        deadlines = [member.deadline for member in self.members.values() if not member.is_waiting]
        deadlines += self._roster.pending.values()
        if self._rebalance_deadline is not None:
            deadlines.append(self._rebalance_deadline)
        return min(deadlines, default=None)

    def tick(self, now: float) -> list[Effect]:
        """Let pass what is over: sessions, ids that nobody used, the wait for members to join."""
        effects: list[Effect] = []
        for member_id in [id_ for id_, deadline in self._roster.pending.items() if deadline <= now]:
            del self._roster.pending[member_id]
        expired = [m for m in self.members.values() if not m.is_waiting and m.deadline <= now]
        for member in expired:
            self._remove(member, effects)
        if expired:
            self._after_removal(now, effects)
        if self._rebalance_deadline is not None and self._rebalance_deadline <= now:
            self._rebalance_time_is_over(now, effects)
        elif self.state is GroupState.PREPARING_REBALANCE:
            self._complete_if_all_joined(now, effects)
        return effects

    # Joining

    def join(self, request: Join, now: float) -> list[Effect]:
        """Take a member in, or let one join again."""
        error = self._roster.check_protocols(request, self.protocol_type)
        if error is not None:
            return [refuse_join(request, error)]
        if not request.member_id:
            return self._join_without_id(request, now)
        effects: list[Effect] = []
        if request.member_id in self._roster.pending:
            del self._roster.pending[request.member_id]
            self._join_new(request, request.member_id, now, effects)
            return effects
        error = self._roster.check_identity(request.member_id, request.group_instance_id)
        if error is not None:
            return [refuse_join(request, error)]
        return self._rejoin(self.members[request.member_id], request, now)

    def _join_without_id(self, request: Join, now: float) -> list[Effect]:
        effects: list[Effect] = []
        replaced = self._roster.static_member(request.group_instance_id)
        if replaced is not None:
            self._replace_static(replaced, request, now, effects)
        elif request.needs_known_member_id and request.group_instance_id is None:
            self._roster.pending[request.fresh_member_id] = now + request.session_timeout
            effects.append(
                JoinAnswer(
                    reply_to=request.reply_to, member_id=request.fresh_member_id, error=ErrorCode.MEMBER_ID_REQUIRED
                )
            )
        else:
            self._join_new(request, request.fresh_member_id, now, effects)
        return effects

    def _join_new(self, request: Join, member_id: str, now: float, effects: list[Effect]) -> None:
        if not self.members:
            self.protocol_type = request.protocol_type
        self._roster.admit(Member.of(request, member_id, join=request))
        self._rebalance(now, effects)

    def _replace_static(self, old: Member, request: Join, now: float, effects: list[Effect]) -> None:
        """A static member is back under a new id: the old one is fenced, and its assignment goes on."""
        refuse_waiting(old, ErrorCode.FENCED_INSTANCE_ID, effects)
        was_leader = self.leader == old.member_id
        member = Member.of(request, request.fresh_member_id, assignment=old.assignment)
        self._roster.replace(old, member)
        unchanged = self.protocol_name is not None and old.protocols.get(self.protocol_name) == request.protocols.get(
            self.protocol_name
        )
        if self.state is GroupState.STABLE and unchanged:
            member.touch(now)
            effects.append(Keep())
            effects.append(self._answer_of_unchanged(member, request, old_leader=old.member_id if was_leader else None))
        else:
            member.join = request
            self._rebalance(now, effects)

    def _answer_of_unchanged(self, member: Member, request: Join, *, old_leader: str | None) -> JoinAnswer:
        """What a static member hears that came back without a rebalance.

        It must not lead again, or it would assign anew: newer clients are told so, older ones hear of a leader
        that is no more.
        """
        leader = self.leader or ""
        leads = old_leader is not None
        if leads and not request.may_skip_assignment:
            leader = old_leader or ""
        return JoinAnswer(
            reply_to=request.reply_to,
            member_id=member.member_id,
            generation_id=self.generation_id,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol_name,
            leader=leader,
            skip_assignment=leads and request.may_skip_assignment,
            members=self._roster.subscriptions(self.protocol_name or "")
            if leads and request.may_skip_assignment
            else (),
        )

    def _rejoin(self, member: Member, request: Join, now: float) -> list[Effect]:
        effects: list[Effect] = []
        changed = member.protocols != request.protocols
        leads = member.member_id == self.leader
        is_settled = self.state is GroupState.STABLE and not leads
        if not changed and (is_settled or self.state is GroupState.COMPLETING_REBALANCE):
            # Its last answer was lost: give it again.
            member.touch(now)
            return [self._join_answer(member, request)]
        refuse_waiting(member, ErrorCode.REBALANCE_IN_PROGRESS, effects)
        member.protocols = request.protocols
        member.session_timeout, member.rebalance_timeout = request.session_timeout, request.rebalance_timeout
        member.client_id, member.client_host = request.client_id, request.client_host
        member.join = request
        self._rebalance(now, effects)
        return effects

    # Rebalancing

    def _rebalance(self, now: float, effects: list[Effect]) -> None:
        """Ask all members to join again, unless that is going on already."""
        if self.state is not GroupState.PREPARING_REBALANCE:
            if self.state is GroupState.COMPLETING_REBALANCE:
                for member in self.members.values():
                    refuse_waiting(member, ErrorCode.REBALANCE_IN_PROGRESS, effects, joins=False)
                    member.touch(now)
            first = self.state is GroupState.EMPTY
            self.state = GroupState.PREPARING_REBALANCE
            patience = self._roster.rebalance_timeout
            self._gathers = first and self._initial_delay > 0
            self._rebalance_deadline = now + (self._initial_delay if self._gathers else patience)
        self._complete_if_all_joined(now, effects)

    def _complete_if_all_joined(self, now: float, effects: list[Effect]) -> None:
        if not self._gathers and self._roster.all_joined:
            self._begin_generation(now, effects)

    def _rebalance_time_is_over(self, now: float, effects: list[Effect]) -> None:
        if self.state is GroupState.COMPLETING_REBALANCE:
            # Those who joined and never asked for their assignment hold everyone up.
            for member in [m for m in self.members.values() if m.sync is None]:
                self._remove(member, effects)
            self._after_removal(now, effects)
            return
        missing = [member for member in self.members.values() if member.join is None]
        for member in missing:
            if not member.is_static:
                self._remove(member, effects)
        if self.members and all(member.join is None for member in self.members.values()):
            # Static members alone are left, none of them back yet: wait on, their sessions bound it.
            self._rebalance_deadline = now + self._roster.rebalance_timeout
            return
        self._begin_generation(now, effects)

    def _begin_generation(self, now: float, effects: list[Effect]) -> None:
        self.generation_id += 1
        self._rebalance_deadline = None
        self._gathers = False
        if not self.members:
            self.state = GroupState.EMPTY
            self.protocol_name = None
            effects.append(Keep())
            return
        joined = [member for member in self.members.values() if member.join is not None]
        if self.leader not in [member.member_id for member in joined]:
            self._roster.leader = joined[0].member_id
        self.protocol_name = self._roster.elect_protocol()
        self.state = GroupState.COMPLETING_REBALANCE
        self._rebalance_deadline = now + self._roster.rebalance_timeout
        for member in joined:
            assert member.join is not None
            effects.append(self._join_answer(member, member.join))
            member.join = None
            member.touch(now)

    def _join_answer(self, member: Member, request: Join) -> JoinAnswer:
        leads = member.member_id == self.leader and self.state is GroupState.COMPLETING_REBALANCE
        return JoinAnswer(
            reply_to=request.reply_to,
            member_id=member.member_id,
            generation_id=self.generation_id,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol_name,
            leader=self.leader or "",
            members=self._roster.subscriptions(self.protocol_name or "") if leads else (),
        )

    # Syncing, heartbeats, leaving

    def sync(self, request: Sync, now: float) -> list[Effect]:
        """Take the leader's assignments, or let a member wait for its own."""
        error = self._check_sync(request)
        if error is not None:
            return [SyncAnswer(reply_to=request.reply_to, error=error)]
        member = self.members[request.member_id]
        member.touch(now)
        if self.state is GroupState.STABLE:
            return [self._sync_answer(member, request)]
        effects: list[Effect] = []
        refuse_waiting(member, ErrorCode.REBALANCE_IN_PROGRESS, effects)
        member.sync = request
        if member.member_id == self.leader:
            self._assign(request.assignments, now, effects)
        return effects

    def _check_sync(self, request: Sync) -> ErrorCode | None:
        error = self._roster.check_identity(request.member_id, request.group_instance_id)
        if error is not None:
            return error
        if request.generation_id != self.generation_id:
            return ErrorCode.ILLEGAL_GENERATION
        if self.state is GroupState.PREPARING_REBALANCE:
            return ErrorCode.REBALANCE_IN_PROGRESS
        if request.protocol_type not in (None, self.protocol_type):
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        if request.protocol_name not in (None, self.protocol_name):
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        return None

    def _assign(self, assignments: dict[str, bytes], now: float, effects: list[Effect]) -> None:
        self.state = GroupState.STABLE
        self._rebalance_deadline = None
        for member in self.members.values():
            member.assignment = assignments.get(member.member_id, b"")
        effects.append(Keep())
        for member in self.members.values():
            if member.sync is not None:
                effects.append(self._sync_answer(member, member.sync))
                member.sync = None
                member.touch(now)

    def _sync_answer(self, member: Member, request: Sync) -> SyncAnswer:
        return SyncAnswer(
            reply_to=request.reply_to,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol_name,
            assignment=member.assignment,
        )

    def heartbeat(self, member_id: str, group_instance_id: str | None, generation_id: int, now: float) -> ErrorCode:
        """A member is alive; the answer tells it when it should join again."""
        error = self.check_generation(member_id, group_instance_id, generation_id)
        if error is not None:
            return error
        self.members[member_id].touch(now)
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state is GroupState.PREPARING_REBALANCE else ErrorCode.NONE

    def check_generation(self, member_id: str, group_instance_id: str | None, generation_id: int) -> ErrorCode | None:
        """Why a request does not come from a member of this generation, or None."""
        error = self._roster.check_identity(member_id, group_instance_id)
        if error is None and generation_id != self.generation_id:
            return ErrorCode.ILLEGAL_GENERATION
        return error

    def leave(self, member_id: str, group_instance_id: str | None, now: float) -> tuple[ErrorCode, list[Effect]]:
        """A member goes, of itself or because an administrator named its instance."""
        member_id = member_id or self._roster.static_id(group_instance_id)
        if member_id in self._roster.pending:
            effects: list[Effect] = []
            del self._roster.pending[member_id]
            if self.state is GroupState.PREPARING_REBALANCE:
                self._complete_if_all_joined(now, effects)
            return ErrorCode.NONE, effects
        error = self._roster.check_identity(member_id, group_instance_id)
        if error is not None:
            return error, []
        effects = []
        self._remove(self.members[member_id], effects)
        self._after_removal(now, effects)
        return ErrorCode.NONE, effects

    def _remove(self, member: Member, effects: list[Effect]) -> None:
        refuse_waiting(member, ErrorCode.UNKNOWN_MEMBER_ID, effects)
        self._roster.remove(member)

    def _after_removal(self, now: float, effects: list[Effect]) -> None:
        if not self.members:
            self._begin_generation(now, effects)
        elif self.state in (GroupState.STABLE, GroupState.COMPLETING_REBALANCE):
            self._rebalance(now, effects)
        else:
            self._complete_if_all_joined(now, effects)
