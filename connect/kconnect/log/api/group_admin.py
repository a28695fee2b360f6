"""DescribeGroups, ListGroups, DeleteGroups, OffsetDelete: groups as administrators see them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kconnect.log.coordinators.group import Group
from kconnect.log.coordinators.group_state import GroupState
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.payloads import ConsumerProtocolSubscription
from kconnect.log.protocol.versioned import read_versioned
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.coordinators.coordinator import GroupCoordinator
    from kconnect.log.routing import Call

_GROUP_TYPE = "classic"
_NOT_FOUND_SINCE = 6


class GroupAdminApi:
    """Looking at groups and removing what is not in use."""

    def __init__(self, coordinator: GroupCoordinator) -> None:
        self._coordinator = coordinator

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.DESCRIBE_GROUPS, 0, 6, self.describe),
            Api(ApiKey.LIST_GROUPS, 0, 5, self.list_groups),
            Api(ApiKey.DELETE_GROUPS, 0, 2, self.delete),
            Api(ApiKey.OFFSET_DELETE, 0, 0, self.delete_offsets),
        ]

    def describe(self, request: requests.DescribeGroups, call: Call) -> responses.DescribeGroups:
        return responses.DescribeGroups(groups=[self._describe(group_id, call.version) for group_id in request.groups])

    def _describe(self, group_id: str, version: int) -> responses.DescribeGroups.DescribedGroup:
        group = self._coordinator.groups.get(group_id)
        if group is None:
            answer = responses.DescribeGroups.DescribedGroup(group_id=group_id, group_state="Dead")
            if version >= _NOT_FOUND_SINCE:
                answer.error_code = ErrorCode.GROUP_ID_NOT_FOUND
                answer.error_message = f"there is no group {group_id!r}"
            return answer
        name = group.protocol_name or ""
        return responses.DescribeGroups.DescribedGroup(
            group_id=group_id,
            group_state=group.state.value,
            protocol_type=group.protocol_type or "",
            protocol_data=name if group.state is GroupState.STABLE else "",
            members=[
                responses.DescribeGroups.DescribedGroupMember(
                    member_id=member.member_id,
                    group_instance_id=member.group_instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    member_metadata=member.protocols.get(name, b""),
                    member_assignment=member.assignment,
                )
                for member in group.members.values()
            ],
        )

    def list_groups(self, request: requests.ListGroups, _: Call) -> responses.ListGroups:
        states = {state.lower() for state in request.states_filter}
        types = {type_.lower() for type_ in request.types_filter}
        return responses.ListGroups(
            groups=[
                responses.ListGroups.ListedGroup(
                    group_id=group.group_id,
                    protocol_type=group.protocol_type or "",
                    group_state=group.state.value,
                    group_type=_GROUP_TYPE,
                )
                for group in self._coordinator.groups.values()
                if (not states or group.state.value.lower() in states) and (not types or _GROUP_TYPE in types)
            ]
        )

    def delete(self, request: requests.DeleteGroups, call: Call) -> responses.DeleteGroups | None:
        answers = [responses.DeleteGroups.DeletableGroupResult(group_id=id_) for id_ in request.groups_names]
        awaited = set(range(len(answers)))

        def done(index: int, error: ErrorCode) -> None:
            answers[index].error_code = error
            awaited.discard(index)
            if not awaited:
                call.answer(responses.DeleteGroups(results=answers))

        for index, answer in enumerate(answers):
            try:
                self._coordinator.delete(answer.group_id, partial(done, index))
            except RequestError as e:
                done(index, e.code)
        return None if answers else responses.DeleteGroups()

    def delete_offsets(self, request: requests.OffsetDelete, call: Call) -> responses.OffsetDelete | None:
        group = self._coordinator.groups.get(request.group_id)
        if group is None:
            return responses.OffsetDelete(error_code=ErrorCode.GROUP_ID_NOT_FOUND)
        in_use = _subscribed_topics(group)
        if in_use is None:
            return responses.OffsetDelete(error_code=ErrorCode.NON_EMPTY_GROUP)
        doomed = [
            (topic.name, partition.partition_index)
            for topic in request.topics
            if topic.name not in in_use
            for partition in topic.partitions
        ]

        def answer(error: ErrorCode) -> None:
            call.answer(_offset_delete_response(request, in_use, error))

        try:
            self._coordinator.forget_offsets(request.group_id, doomed, answer)
        except RequestError as e:
            return responses.OffsetDelete(error_code=e.code)
        return None


def _subscribed_topics(group: Group) -> set[str] | None:
    """The topics that members of a group consume; None where its protocol does not tell."""
    if group.members and group.protocol_type != "consumer":
        return None
    topics: set[str] = set()
    for member in group.members.values():
        for metadata in member.protocols.values():
            try:
                subscription = read_versioned(ConsumerProtocolSubscription, metadata, newer_as_latest=True)
            except ProtocolError:
                return None
            topics.update(subscription.topics)
    return topics


def _offset_delete_response(
    request: requests.OffsetDelete, in_use: set[str], error: ErrorCode
) -> responses.OffsetDelete:
    if error:
        return responses.OffsetDelete(error_code=error)
    return responses.OffsetDelete(
        topics=[
            responses.OffsetDelete.Topic(
                name=topic.name,
                partitions=[
                    responses.OffsetDelete.Partition(
                        partition_index=partition.partition_index,
                        error_code=ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if topic.name in in_use else ErrorCode.NONE,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
