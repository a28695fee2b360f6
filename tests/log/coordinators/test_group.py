"""The group as a state machine: requests and a clock in, answers out."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kconnect.log.coordinators.commit_rules import check_commit
from kconnect.log.coordinators.effects import Effect, JoinAnswer, Keep, SyncAnswer
from kconnect.log.coordinators.group import Group
from kconnect.log.coordinators.group_state import GroupState
from kconnect.log.coordinators.member import Join, Sync
from kconnect.log.protocol.error_code import ErrorCode

_numbers = itertools.count()


def join(member_id: str = "", **changes: Any) -> Join:
    values: dict[str, Any] = {
        "reply_to": next(_numbers),
        "member_id": member_id,
        "fresh_member_id": f"m{next(_numbers)}",
        "group_instance_id": None,
        "protocol_type": "consumer",
        "protocols": {"range": b"topics"},
        "session_timeout": 10.0,
        "rebalance_timeout": 60.0,
        "client_id": "client",
        "client_host": "/127.0.0.1",
        "needs_known_member_id": False,
    }
    return Join(**values | changes)


def sync(member_id: str, generation_id: int, assignments: dict[str, bytes] | None = None, **changes: Any) -> Sync:
    values: dict[str, Any] = {
        "reply_to": next(_numbers),
        "member_id": member_id,
        "group_instance_id": None,
        "generation_id": generation_id,
        "protocol_type": None,
        "protocol_name": None,
        "assignments": assignments or {},
    }
    return Sync(**values | changes)


def joins(effects: list[Effect]) -> list[JoinAnswer]:
    return [effect for effect in effects if isinstance(effect, JoinAnswer)]


def syncs(effects: list[Effect]) -> list[SyncAnswer]:
    return [effect for effect in effects if isinstance(effect, SyncAnswer)]


def only_join(effects: list[Effect]) -> JoinAnswer:
    (answer,) = joins(effects)
    return answer


def stable_group(count: int = 1, now: float = 0.0, **changes: Any) -> tuple[Group, list[str]]:
    """A group with `count` members that all have their assignment; the first one leads."""
    group = Group("g")
    members = [only_join(group.join(join(**changes), now)).member_id]
    for _ in range(count - 1):
        group.join(join(**changes), now)
        for member in members:
            group.join(join(member, **changes), now)
        members = [*members, *(m for m in group.members if m not in members)]
    for member in members:
        assignments = {m: b"of " + m.encode() for m in members} if member == group.leader else {}
        group.sync(sync(member, group.generation_id, assignments), now)
    assert group.state is GroupState.STABLE
    assert list(group.members) == members
    return group, members


def test_the_first_member_leads_and_gets_its_own_assignment_back() -> None:
    group = Group("g")
    answer = only_join(group.join(join(), 0))
    assert (answer.error, answer.generation_id, answer.leader) == (ErrorCode.NONE, 1, answer.member_id)
    assert answer.members == ((answer.member_id, None, b"topics"),)
    effects = group.sync(sync(answer.member_id, 1, {answer.member_id: b"all"}), 0)
    assert [effect.assignment for effect in syncs(effects)] == [b"all"]
    assert Keep() in effects
    assert group.state is GroupState.STABLE


def test_a_member_without_id_is_told_its_id_first_where_it_must_know_it() -> None:
    group = Group("g")
    told = only_join(group.join(join(needs_known_member_id=True), 0))
    assert told.error is ErrorCode.MEMBER_ID_REQUIRED
    assert group.members == {}
    assert not group.is_unused
    answer = only_join(group.join(join(told.member_id, needs_known_member_id=True), 1))
    assert (answer.error, answer.member_id) == (ErrorCode.NONE, told.member_id)


def test_an_id_that_nobody_comes_back_with_holds_up_a_rebalance_for_a_session_only() -> None:
    group, (first,) = stable_group()
    group.join(join(needs_known_member_id=True), 0)
    assert joins(group.join(join(first, protocols={"range": b"more"}), 0)) == []
    assert group.next_deadline == 10
    assert only_join(group.tick(10)).generation_id == 2


def test_a_second_member_makes_all_join_again() -> None:
    group, (first,) = stable_group()
    assert joins(group.join(join(), 1)) == []
    assert group.heartbeat(first, None, 1, 2) is ErrorCode.REBALANCE_IN_PROGRESS
    answers = joins(group.join(join(first), 3))
    assert len(answers) == 2
    assert {answer.generation_id for answer in answers} == {2}
    assert [len(answer.members) for answer in answers if answer.member_id == answer.leader] == [2]
    assert [len(answer.members) for answer in answers if answer.member_id != answer.leader] == [0]


def test_members_wait_for_the_leaders_assignment() -> None:
    group, (first,) = stable_group()
    group.join(join(), 1)
    group.join(join(first), 1)
    second = next(member for member in group.members if member != first)
    assert group.sync(sync(second, 2), 2) == []
    effects = group.sync(sync(first, 2, {first: b"a", second: b"b"}), 3)
    assert sorted(answer.assignment for answer in syncs(effects)) == [b"a", b"b"]


def test_a_member_that_does_not_join_again_is_left_behind() -> None:
    group, (first,) = stable_group(session_timeout=1000.0)
    group.join(join(), 1)
    assert group.next_deadline == 61
    (answer,) = joins(group.tick(61))
    assert answer.generation_id == 2
    assert first not in group.members


def test_a_member_that_never_syncs_is_left_behind() -> None:
    group, (first,) = stable_group(session_timeout=1000.0)
    group.join(join(session_timeout=1000.0), 1)
    group.join(join(first, session_timeout=1000.0), 1)
    second = next(member for member in group.members if member != first)
    group.sync(sync(second, 2), 2)
    effects = group.tick(61)
    assert [answer.error for answer in syncs(effects)] == [ErrorCode.REBALANCE_IN_PROGRESS]
    assert list(group.members) == [second]
    assert group.state is GroupState.PREPARING_REBALANCE


def test_a_session_that_ends_makes_the_others_join_again() -> None:
    group, (first, second) = stable_group(2)
    assert group.heartbeat(second, None, group.generation_id, 9) is ErrorCode.NONE
    group.tick(10)
    assert list(group.members) == [second]
    assert group.heartbeat(second, None, group.generation_id, 11) is ErrorCode.REBALANCE_IN_PROGRESS
    assert group.heartbeat(first, None, group.generation_id, 11) is ErrorCode.UNKNOWN_MEMBER_ID


def test_the_last_one_to_leave_makes_the_group_empty() -> None:
    group, (first,) = stable_group()
    error, effects = group.leave(first, None, 1)
    assert error is ErrorCode.NONE
    assert Keep() in effects
    assert (group.state, group.next_deadline) == (GroupState.EMPTY, None)
    assert group.generation_id == 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"protocols": {}}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": ""}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": "connect"}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocols": {"other": b""}}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"member_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"member_id": "nobody", "group_instance_id": "i"}, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
def test_a_join_that_does_not_fit_is_refused_and_changes_nothing(changes: dict[str, Any], error: ErrorCode) -> None:
    group, members = stable_group()
    assert only_join(group.join(join(**changes), 1)).error is error
    assert (list(group.members), group.state) == (members, GroupState.STABLE)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"generation_id": 7}, ErrorCode.ILLEGAL_GENERATION),
        ({"member_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"protocol_type": "connect"}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_name": "other"}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_name": "range", "protocol_type": "consumer"}, ErrorCode.NONE),
    ],
)
def test_a_sync_is_checked(changes: dict[str, Any], error: ErrorCode) -> None:
    group, (first,) = stable_group()
    request = sync(**{"member_id": first, "generation_id": 1} | changes)
    assert [answer.error for answer in syncs(group.sync(request, 1))] == [error]


def test_the_protocol_is_the_one_that_most_members_prefer() -> None:
    group = Group("g")
    first = only_join(group.join(join(protocols={"a": b"", "b": b"", "c": b""}), 0)).member_id
    group.join(join(protocols={"b": b"", "a": b""}), 0)
    group.join(join(protocols={"b": b"", "a": b""}), 0)
    answers = joins(group.join(join(first, protocols={"a": b"", "b": b"", "c": b""}), 0))
    assert {answer.protocol_name for answer in answers} == {"b"}


def test_a_static_member_comes_back_without_a_rebalance() -> None:
    group = Group("g")
    first = only_join(group.join(join(group_instance_id="i"), 0)).member_id
    group.sync(sync(first, 1, {first: b"all"}, group_instance_id="i"), 0)
    answer = only_join(group.join(join(group_instance_id="i", may_skip_assignment=True), 5))
    assert (answer.error, answer.generation_id, answer.skip_assignment) == (ErrorCode.NONE, 1, True)
    assert answer.member_id != first
    effects = group.sync(sync(answer.member_id, 1, group_instance_id="i"), 5)
    assert [reply.assignment for reply in syncs(effects)] == [b"all"]
    assert group.heartbeat(first, "i", 1, 6) is ErrorCode.FENCED_INSTANCE_ID


def test_an_older_static_leader_that_comes_back_is_not_told_that_it_leads() -> None:
    group = Group("g")
    first = only_join(group.join(join(group_instance_id="i"), 0)).member_id
    group.sync(sync(first, 1, {first: b"all"}, group_instance_id="i"), 0)
    answer = only_join(group.join(join(group_instance_id="i"), 5))
    assert (answer.leader, answer.members) == (first, ())


def test_a_static_member_can_be_removed_by_the_name_of_its_instance() -> None:
    group = Group("g")
    group.join(join(group_instance_id="i"), 0)
    assert group.leave("", "i", 1)[0] is ErrorCode.NONE
    assert group.members == {}


def test_new_groups_wait_for_more_members_where_that_is_set() -> None:
    group = Group("g", initial_rebalance_delay=3.0)
    assert joins(group.join(join(), 0)) == []
    assert joins(group.join(join(), 1)) == []
    assert group.next_deadline == 3
    assert len(joins(group.tick(3))) == 2


@pytest.mark.parametrize(
    ("member", "generation", "error"),
    [
        ("first", 1, None),
        ("first", 0, ErrorCode.ILLEGAL_GENERATION),
        ("nobody", 1, ErrorCode.UNKNOWN_MEMBER_ID),
        ("", -1, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
def test_only_members_of_the_generation_commit(member: str, generation: int, error: ErrorCode | None) -> None:
    group, (first,) = stable_group()
    assert check_commit(group, first if member == "first" else member, None, generation, 1) is error


def test_anyone_may_commit_for_an_empty_group() -> None:
    assert check_commit(Group("g"), "", None, -1, 0) is None


class GroupUnderChaos(RuleBasedStateMachine):
    """Clients that obey the protocol, in any order, with any delays; some just disappear."""

    def __init__(self) -> None:
        super().__init__()
        self.group = Group("g")
        self.now = 0.0
        self.awaited: dict[int, str] = {}
        self.answered: set[int] = set()
        self.members: dict[str, int] = {}
        self.assigned: dict[int, dict[str, bytes]] = {}
        self.generation = 0

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Keep):
                continue
            assert effect.reply_to in self.awaited, "an answer that nobody asked for, or a second one"
            sender = self.awaited.pop(effect.reply_to)
            if isinstance(effect, JoinAnswer):
                self.take_join(sender, effect)
            elif effect.error is ErrorCode.NONE:
                assert effect.assignment == self.assigned[self.group.generation_id][sender]
            elif effect.error is ErrorCode.UNKNOWN_MEMBER_ID:
                self.members.pop(sender, None)

    def take_join(self, sender: str, answer: JoinAnswer) -> None:
        if answer.error is ErrorCode.UNKNOWN_MEMBER_ID:
            self.members.pop(sender, None)
        if answer.error is not ErrorCode.NONE:
            return
        assert answer.generation_id == self.group.generation_id
        self.members[answer.member_id] = answer.generation_id
        if answer.members:
            assert answer.leader == answer.member_id
            assert {member for member, _, _ in answer.members} == set(self.group.members)

    def ask(self, sender: str, request: Join | Sync) -> None:
        self.awaited[request.reply_to] = sender
        effects = (
            self.group.join(request, self.now) if isinstance(request, Join) else self.group.sync(request, self.now)
        )
        self.take(effects)

    def idle(self) -> list[str]:
        return sorted(member for member in self.members if member not in self.awaited.values())

    @rule(metadata=st.sampled_from([b"a", b"b"]))
    def a_client_comes(self, metadata: bytes) -> None:
        request = join(protocols={"range": metadata})
        self.ask(request.fresh_member_id, request)

    @precondition(lambda self: self.idle())
    @rule(data=st.data(), metadata=st.sampled_from([b"a", b"b"]))
    def a_member_joins_again(self, data: st.DataObject, metadata: bytes) -> None:
        member = data.draw(st.sampled_from(self.idle()))
        self.ask(member, join(member, protocols={"range": metadata}))

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def a_member_syncs(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(self.idle()))
        generation = self.members[member]
        assignments = {}
        current = generation == self.group.generation_id and self.group.state is GroupState.COMPLETING_REBALANCE
        if member == self.group.leader and current:
            assignments = {other: f"{generation} {other}".encode() for other in self.group.members}
            self.assigned[generation] = assignments
        self.ask(member, sync(member, generation, assignments))

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def a_member_leaves(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(self.idle()))
        del self.members[member]
        self.take(self.group.leave(member, None, self.now)[1])

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def a_member_is_alive(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(self.idle()))
        error = self.group.heartbeat(member, None, self.members[member], self.now)
        if error is ErrorCode.UNKNOWN_MEMBER_ID:
            del self.members[member]

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(1000):
            deadline = self.group.next_deadline
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.take(self.group.tick(self.now))
        else:
            raise AssertionError("the group asks for ticks without end")
        self.now = end

    @invariant()
    def generations_grow(self) -> None:
        assert self.group.generation_id >= self.generation
        self.generation = self.group.generation_id

    @invariant()
    def the_group_is_sound(self) -> None:
        group = self.group
        assert (group.state is GroupState.EMPTY) == (not group.members)
        assert group.leader is None or group.leader in group.members or not group.members
        if group.state is GroupState.STABLE:
            assert all(member.join is None and member.sync is None for member in group.members.values())
        waiting = {m.join.reply_to for m in group.members.values() if m.join is not None}
        waiting |= {m.sync.reply_to for m in group.members.values() if m.sync is not None}
        assert waiting == set(self.awaited), "a request was forgotten"
        if self.awaited:
            assert group.next_deadline is not None, "a request waits for ever"

    def teardown(self) -> None:
        # Whoever is silent is gone within a rebalance and a session; nobody is left waiting.
        for _ in range(3):
            self.time_passes(200)
        assert self.awaited == {}


GroupUnderChaos.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_groups_keep_their_promises_under_chaos = GroupUnderChaos.TestCase
