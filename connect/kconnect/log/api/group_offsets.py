"""OffsetCommit, OffsetFetch: what groups have done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kconnect.log.coordinators.offset_records import CommittedOffset
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kconnect.log.coordinators.coordinator import GroupCoordinator, TopicPartition
    from kconnect.log.routing import Call
    from kconnect.log.storage.topic_store import TopicStore

_LONGEST_METADATA = 4096
_NOTHING = CommittedOffset(-1, -1, "", -1)
_BATCHED_SINCE = 8


class GroupOffsetsApi:
    """Committed offsets. A commit is answered when it, and the data that it speaks of, is synced."""

    def __init__(self, coordinator: GroupCoordinator, topics: TopicStore) -> None:
        self._coordinator = coordinator
        self._topics = topics

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.OFFSET_COMMIT, 2, 9, self.commit),
            Api(ApiKey.OFFSET_FETCH, 1, 9, self.fetch),
        ]

    def commit(self, request: requests.OffsetCommit, call: Call) -> responses.OffsetCommit | None:
        refusal = self._check_member(request)
        if refusal is not None:
            return _commit_response(request, {}, refusal)
        now = time.time_ns() // 1_000_000
        accepted: dict[TopicPartition, CommittedOffset] = {}
        refused: dict[TopicPartition, ErrorCode] = {}
        for topic in request.topics:
            known = self._topics.by_name.get(topic.name)
            for partition in topic.partitions:
                key = topic.name, partition.partition_index
                metadata = partition.committed_metadata or ""
                if known is None or not 0 <= partition.partition_index < len(known.partitions):
                    refused[key] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                elif len(metadata) > _LONGEST_METADATA:
                    refused[key] = ErrorCode.OFFSET_METADATA_TOO_LARGE
                else:
                    accepted[key] = CommittedOffset(
                        partition.committed_offset, partition.committed_leader_epoch, metadata, now
                    )
        if not accepted:
            return _commit_response(request, refused, ErrorCode.NONE)
        try:
            self._coordinator.commit(
                request.group_id, accepted, lambda error: call.answer(_commit_response(request, refused, error))
            )
        except RequestError as e:
            return _commit_response(request, refused, e.code)
        return None

    def _check_member(self, request: requests.OffsetCommit) -> ErrorCode | None:
        group = self._coordinator.groups.get(request.group_id)
        generation_id = request.generation_id_or_member_epoch
        if group is None:
            return ErrorCode.ILLEGAL_GENERATION if generation_id >= 0 else None
        return group.check_commit(request.member_id, request.group_instance_id, generation_id, time.monotonic())

    def fetch(self, request: requests.OffsetFetch, call: Call) -> responses.OffsetFetch:
        if call.version < _BATCHED_SINCE:
            wanted = None if request.topics is None else [(t.name, t.partition_indexes) for t in request.topics]
            return responses.OffsetFetch(
                topics=[
                    responses.OffsetFetch.Topic(
                        name=name,
                        partitions=[
                            responses.OffsetFetch.Partition(
                                partition_index=index,
                                committed_offset=found.offset,
                                committed_leader_epoch=found.leader_epoch,
                                metadata=found.metadata,
                            )
                            for index, found in partitions
                        ],
                    )
                    for name, partitions in self._find(request.group_id, wanted)
                ]
            )
        return responses.OffsetFetch(groups=[self._fetch_group(group) for group in request.groups])

    def _fetch_group(self, group: requests.OffsetFetch.Group) -> responses.OffsetFetch.Group:
        wanted = None if group.topics is None else [(t.name, t.partition_indexes) for t in group.topics]
        return responses.OffsetFetch.Group(
            group_id=group.group_id,
            topics=[
                responses.OffsetFetch.Topics(
                    name=name,
                    partitions=[
                        responses.OffsetFetch.Partitions(
                            partition_index=index,
                            committed_offset=found.offset,
                            committed_leader_epoch=found.leader_epoch,
                            metadata=found.metadata,
                        )
                        for index, found in partitions
                    ],
                )
                for name, partitions in self._find(group.group_id, wanted)
            ],
        )

    def _find(
        self, group_id: str, wanted: Sequence[tuple[str, Sequence[int]]] | None
    ) -> list[tuple[str, list[tuple[int, CommittedOffset]]]]:
        """Offsets by topic: of the wanted partitions, with nothing for those without, or of all that have any."""
        committed = self._coordinator.committed(group_id)
        if wanted is None:
            by_topic: dict[str, list[int]] = {}
            for topic, index in committed:
                by_topic.setdefault(topic, []).append(index)
            wanted = list(by_topic.items())
        return [
            (topic, [(index, committed.get((topic, index), _NOTHING)) for index in indexes])
            for topic, indexes in wanted
        ]


def _commit_response(
    request: requests.OffsetCommit, refused: dict[TopicPartition, ErrorCode], error: ErrorCode
) -> responses.OffsetCommit:
    """Every partition of the request with its own refusal, or with `error`."""
    return responses.OffsetCommit(
        topics=[
            responses.OffsetCommit.Topic(
                name=topic.name,
                partitions=[
                    responses.OffsetCommit.Partition(
                        partition_index=partition.partition_index,
                        error_code=refused.get((topic.name, partition.partition_index), error),
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
