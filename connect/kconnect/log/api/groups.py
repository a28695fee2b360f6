"""FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup: membership of groups."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from kconnect.log.coordinators.effects import JoinAnswer, SyncAnswer
from kconnect.log.coordinators.member import Join, Sync
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api
from kconnect.log.topic_admin import NODE_ID

if TYPE_CHECKING:
    from kconnect.log.coordinators.coordinator import GroupCoordinator
    from kconnect.log.routing import Call
    from kconnect.log.settings import BrokerSettings

_GROUP = 0
_ID_REQUIRED_SINCE = 4
_SKIPS_ASSIGNMENT_SINCE = 9
_PROTOCOL_MAY_BE_NULL_SINCE = 7


class GroupsApi:
    """The group protocol, carried to the coordinator's groups and back."""

    def __init__(self, coordinator: GroupCoordinator, settings: BrokerSettings) -> None:
        self._coordinator = coordinator
        self._shortest_session = settings.group_min_session_timeout
        self._longest_session = settings.group_max_session_timeout

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.FIND_COORDINATOR, 0, 6, self.find_coordinator),
            Api(ApiKey.JOIN_GROUP, 0, 9, self.join),
            Api(ApiKey.SYNC_GROUP, 0, 5, self.sync),
            Api(ApiKey.HEARTBEAT, 0, 4, self.heartbeat),
            Api(ApiKey.LEAVE_GROUP, 0, 5, self.leave),
        ]

    def find_coordinator(self, request: requests.FindCoordinator, call: Call) -> responses.FindCoordinator:
        host, port = call.endpoint.host, call.endpoint.port
        if call.version < 4:
            return responses.FindCoordinator(node_id=NODE_ID, host=host, port=port)
        return responses.FindCoordinator(
            coordinators=[
                responses.FindCoordinator.Coordinator(key=key, node_id=NODE_ID, host=host, port=port)
                for key in request.coordinator_keys
            ]
        )

    def join(self, request: requests.JoinGroup, call: Call) -> responses.JoinGroup | None:
        session_timeout = request.session_timeout_ms / 1000
        error = ErrorCode.NONE
        if not request.group_id:
            error = ErrorCode.INVALID_GROUP_ID
        elif not self._shortest_session <= session_timeout <= self._longest_session:
            error = ErrorCode.INVALID_SESSION_TIMEOUT
        elif request.member_id and request.group_id not in self._coordinator.groups:
            error = ErrorCode.UNKNOWN_MEMBER_ID
        if error:
            return _join_response(JoinAnswer(reply_to=None, member_id=request.member_id, error=error), call.version)
        join = Join(
            reply_to=lambda answer: call.answer(_join_response(answer, call.version)),
            member_id=request.member_id,
            fresh_member_id=f"{request.group_instance_id or call.client_id}-{uuid.uuid4()}",
            group_instance_id=request.group_instance_id,
            protocol_type=request.protocol_type,
            protocols={protocol.name: bytes(protocol.metadata) for protocol in request.protocols},
            session_timeout=session_timeout,
            # Version 0 has one timeout for both.
            rebalance_timeout=request.rebalance_timeout_ms / 1000
            if request.rebalance_timeout_ms > 0
            else session_timeout,
            client_id=call.client_id,
            client_host=f"/{call.client_host}",
            needs_known_member_id=call.version >= _ID_REQUIRED_SINCE,
            may_skip_assignment=call.version >= _SKIPS_ASSIGNMENT_SINCE,
        )
        self._coordinator.join(request.group_id, join)
        return None

    def sync(self, request: requests.SyncGroup, call: Call) -> responses.SyncGroup | None:
        group = self._coordinator.groups.get(request.group_id)
        if group is None:
            return responses.SyncGroup(error_code=_unknown_group(request.group_id))
        sync = Sync(
            reply_to=lambda answer: call.answer(_sync_response(answer)),
            member_id=request.member_id,
            group_instance_id=request.group_instance_id,
            generation_id=request.generation_id,
            protocol_type=request.protocol_type,
            protocol_name=request.protocol_name,
            assignments={item.member_id: bytes(item.assignment) for item in request.assignments},
        )
        self._coordinator.apply(group, group.sync(sync, time.monotonic()))
        return None

    def heartbeat(self, request: requests.Heartbeat, _: Call) -> responses.Heartbeat:
        group = self._coordinator.groups.get(request.group_id)
        if group is None:
            return responses.Heartbeat(error_code=_unknown_group(request.group_id))
        return responses.Heartbeat(
            error_code=group.heartbeat(
                request.member_id, request.group_instance_id, request.generation_id, time.monotonic()
            )
        )

    def leave(self, request: requests.LeaveGroup, call: Call) -> responses.LeaveGroup:
        leaving = request.members if call.version >= 3 else [_alone(request.member_id)]
        answers = []
        for member in leaving:
            error = self._leave(request.group_id, member)
            answers.append(
                responses.LeaveGroup.MemberResponse(
                    member_id=member.member_id, group_instance_id=member.group_instance_id, error_code=error
                )
            )
        if call.version < 3:
            return responses.LeaveGroup(error_code=answers[0].error_code)
        return responses.LeaveGroup(members=answers)

    def _leave(self, group_id: str, member: requests.LeaveGroup.MemberIdentity) -> ErrorCode:
        group = self._coordinator.groups.get(group_id)
        if group is None:
            return _unknown_group(group_id)
        error, effects = group.leave(member.member_id, member.group_instance_id, time.monotonic())
        self._coordinator.apply(group, effects)
        return error


def _unknown_group(group_id: str) -> ErrorCode:
    return ErrorCode.UNKNOWN_MEMBER_ID if group_id else ErrorCode.INVALID_GROUP_ID


def _alone(member_id: str) -> requests.LeaveGroup.MemberIdentity:
    return requests.LeaveGroup.MemberIdentity(member_id=member_id)


def _join_response(answer: JoinAnswer, version: int) -> responses.JoinGroup:
    protocol_name = answer.protocol_name
    if protocol_name is None and version < _PROTOCOL_MAY_BE_NULL_SINCE:
        protocol_name = ""
    return responses.JoinGroup(
        error_code=answer.error,
        generation_id=answer.generation_id,
        protocol_type=answer.protocol_type,
        protocol_name=protocol_name,
        leader=answer.leader,
        skip_assignment=answer.skip_assignment,
        member_id=answer.member_id,
        members=[
            responses.JoinGroup.Member(member_id=member_id, group_instance_id=instance_id, metadata=metadata)
            for member_id, instance_id, metadata in answer.members
        ],
    )


def _sync_response(answer: SyncAnswer) -> responses.SyncGroup:
    return responses.SyncGroup(
        error_code=answer.error,
        protocol_type=answer.protocol_type,
        protocol_name=answer.protocol_name,
        assignment=answer.assignment,
    )
