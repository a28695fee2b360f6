"""The requests by which a member joins a group, is told its assignment, and leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kconnect.errors import ConnectError
from kconnect.log.protocol import ErrorCode, ProtocolError, requests, responses
from kconnect_workers.group.assignment import Assignment, WorkerState
from kconnect_workers.group.coordinator_link import CoordinatorLink
from kconnect_workers.group.protocol import (
    ConnectProtocol,
    read_assignment,
    read_metadata,
    write_assignment,
    write_metadata,
)
from kconnect_workers.group.refusals import RefusedError
from kconnect_workers.group.settings import GroupSettings

_TYPE = "connect"
_LATE_SECONDS = 5.0
"""How much longer than the group may wait for its members a member waits for the group."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A rebalance in which the member takes part. Its leader alone is told the `states` of all."""

    member_id: str
    generation: int
    leader: str
    protocol: ConnectProtocol
    states: Mapping[str, WorkerState]

    @property
    def leads(self) -> bool:
        return self.leader == self.member_id


class Joining:
    """Asks the coordinator. Raises RefusedError for an error code, RetriableError when no broker answers, and
    ConnectError when a broker refuses the client or others in the group do not speak Connect's protocol."""

    def __init__(self, link: CoordinatorLink, settings: GroupSettings) -> None:
        self._link = link
        self._settings = settings
        self._wait_s = max(settings.request_timeout_ms / 1000, settings.rebalance_timeout_ms / 1000 + _LATE_SECONDS)

    async def join(self, member_id: str, state: WorkerState, reason: str) -> Joined:
        """Take part in a rebalance; waits until every member does, or their time is over."""
        settings = self._settings
        request = requests.JoinGroup(
            group_id=settings.group_id,
            session_timeout_ms=settings.session_timeout_ms,
            rebalance_timeout_ms=settings.rebalance_timeout_ms,
            member_id=member_id,
            protocol_type=_TYPE,
            protocols=[
                requests.JoinGroup.Protocol(name=protocol.value, metadata=write_metadata(state, protocol))
                for protocol in settings.connect_protocol.offered
            ],
            reason=reason,
        )
        answer = await self._link.ask(request, responses.JoinGroup, timeout=self._wait_s)
        if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED and not member_id:
            return await self.join(answer.member_id, state, reason)  # KIP-394
        self._expect_success(answer.error_code, "joining")
        try:
            return Joined(
                member_id=answer.member_id,
                generation=answer.generation_id,
                leader=answer.leader,
                protocol=ConnectProtocol(answer.protocol_name),
                states={member.member_id: read_metadata(member.metadata) for member in answer.members},
            )
        except (ProtocolError, ValueError) as error:
            raise ConnectError(
                f"the members of group {settings.group_id} do not speak as workers do: {error}"
            ) from error

    async def sync(self, joined: Joined, assignments: Mapping[str, Assignment]) -> Assignment:
        """This member's assignment; `assignments` are the leader's for all, and of others empty."""
        request = requests.SyncGroup(
            group_id=self._settings.group_id,
            generation_id=joined.generation,
            member_id=joined.member_id,
            protocol_type=_TYPE,
            protocol_name=joined.protocol.value,
            assignments=[
                requests.SyncGroup.Assignment(
                    member_id=member, assignment=write_assignment(assignment, joined.protocol)
                )
                for member, assignment in assignments.items()
            ],
        )
        answer = await self._link.ask(request, responses.SyncGroup, timeout=self._wait_s)
        self._expect_success(answer.error_code, "syncing with")
        try:
            return read_assignment(answer.assignment)
        except ProtocolError as error:
            raise ConnectError(f"the leader {joined.leader} does not speak as workers do: {error}") from error

    async def leave(self, member_id: str, reason: str) -> None:
        identity = requests.LeaveGroup.MemberIdentity(member_id=member_id, reason=reason)
        request = requests.LeaveGroup(group_id=self._settings.group_id, members=[identity])
        answer = await self._link.ask(request, responses.LeaveGroup)
        for code in (answer.error_code, *(member.error_code for member in answer.members)):
            if code != ErrorCode.UNKNOWN_MEMBER_ID:
                self._expect_success(code, "leaving")

    def _expect_success(self, code: int, doing: str) -> None:
        if code != ErrorCode.NONE:
            raise RefusedError(f"{doing} group {self._settings.group_id}", code)
