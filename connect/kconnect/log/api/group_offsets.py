"""OffsetCommit, TxnOffsetCommit, OffsetFetch: what groups have done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from kconnect.log.api.transactions import error_for
from kconnect.log.coordinators.commit_rules import check_commit, check_transactional_commit
from kconnect.log.coordinators.offset_records import CommittedOffset
from kconnect.log.coordinators.transaction import ProducerIdentity
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api
from kconnect.log.storage.topic import OFFSETS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kconnect.log.coordinators.committed_offsets import TopicPartition
    from kconnect.log.coordinators.coordinator import GroupCoordinator
    from kconnect.log.coordinators.transaction_coordinator import TransactionCoordinator
    from kconnect.log.routing import Call
    from kconnect.log.storage.topic_store import TopicStore

_LONGEST_METADATA = 4096
_NOTHING = CommittedOffset(-1, -1, "", -1)
_BATCHED_SINCE = 8
_ABORTABLE_SINCE = 4

_Topic = TypeVar("_Topic")
_FetchedTopics = list[tuple[str, list[tuple[int, CommittedOffset, ErrorCode]]]]


class GroupOffsetsApi:
    """Committed offsets. A commit is answered when it, and the data that it speaks of, is synced.

    One in a transaction is answered at once: it counts when the transaction is committed, and is synced by then.
    """

    def __init__(self, coordinator: GroupCoordinator, transactions: TransactionCoordinator, topics: TopicStore) -> None:
        self._coordinator = coordinator
        self._transactions = transactions
        self._topics = topics

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.OFFSET_COMMIT, 2, 9, self.commit),
            Api(ApiKey.OFFSET_FETCH, 1, 9, self.fetch),
            Api(ApiKey.TXN_OFFSET_COMMIT, 0, 4, self.commit_in_transaction),
        ]

    def commit(self, request: requests.OffsetCommit, call: Call) -> responses.OffsetCommit | None:
        group = self._coordinator.groups.get(request.group_id)
        generation_id = request.generation_id_or_member_epoch
        if group is not None:
            refusal = check_commit(group, request.member_id, request.group_instance_id, generation_id, time.monotonic())
        else:
            refusal = ErrorCode.ILLEGAL_GENERATION if generation_id >= 0 else None
        if refusal is not None:
            return _commit_response(request, {}, refusal)
        accepted, refused = self._sift(request.topics)
        if not accepted:
            return _commit_response(request, refused, ErrorCode.NONE)
        try:
            self._coordinator.commit(
                request.group_id, accepted, lambda error: call.answer(_commit_response(request, refused, error))
            )
        except RequestError as e:
            return _commit_response(request, refused, e.code)
        return None

    def commit_in_transaction(self, request: requests.TxnOffsetCommit, call: Call) -> responses.TxnOffsetCommit:
        accepted, refused = self._sift(request.topics)
        error = ErrorCode.NONE
        try:
            self._commit_in_transaction(request, accepted)
        except RequestError as e:
            error = error_for(e.code, fenced=False)
            if error is ErrorCode.INVALID_TXN_STATE and call.version >= _ABORTABLE_SINCE:
                error = ErrorCode.TRANSACTION_ABORTABLE
        return responses.TxnOffsetCommit(
            topics=[
                responses.TxnOffsetCommit.Topic(
                    name=topic.name,
                    partitions=[
                        responses.TxnOffsetCommit.Partition(
                            partition_index=partition.partition_index,
                            error_code=refused.get((topic.name, partition.partition_index), error),
                        )
                        for partition in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    def _commit_in_transaction(
        self, request: requests.TxnOffsetCommit, offsets: Mapping[TopicPartition, CommittedOffset]
    ) -> None:
        """Raises RequestError."""
        if not request.group_id:
            raise RequestError(ErrorCode.INVALID_GROUP_ID)
        group = self._coordinator.groups.get(request.group_id)
        refusal = None
        if group is not None:
            refusal = check_transactional_commit(
                group, request.member_id, request.group_instance_id, request.generation_id, time.monotonic()
            )
        elif request.generation_id >= 0:
            refusal = ErrorCode.ILLEGAL_GENERATION
        if refusal is not None:
            raise RequestError(refusal)
        producer = ProducerIdentity(request.producer_id, request.producer_epoch)
        log_partition = OFFSETS_TOPIC, self._coordinator.log_partition(request.group_id)
        self._transactions.check_partition(request.transactional_id, producer, log_partition)
        if offsets:
            self._coordinator.commit_in_transaction(request.group_id, producer, offsets)

    def _sift(
        self, topics: Sequence[requests.OffsetCommit.Topic] | Sequence[requests.TxnOffsetCommit.Topic]
    ) -> tuple[dict[TopicPartition, CommittedOffset], dict[TopicPartition, ErrorCode]]:
        """(what may be committed, why the rest may not)."""
        now = time.time_ns() // 1_000_000
        accepted: dict[TopicPartition, CommittedOffset] = {}
        refused: dict[TopicPartition, ErrorCode] = {}
        for topic in topics:
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
        return accepted, refused

    def fetch(self, request: requests.OffsetFetch, call: Call) -> responses.OffsetFetch:
        stable_only = request.require_stable
        if call.version < _BATCHED_SINCE:
            wanted = None if request.topics is None else [(t.name, t.partition_indexes) for t in request.topics]
            found = self._find(request.group_id, wanted, stable_only=stable_only)
            topic_type, partition_type = responses.OffsetFetch.Topic, responses.OffsetFetch.Partition
            return responses.OffsetFetch(topics=_fetched(found, topic_type, partition_type))
        groups = []
        for group in request.groups:
            wanted = None if group.topics is None else [(t.name, t.partition_indexes) for t in group.topics]
            found = self._find(group.group_id, wanted, stable_only=stable_only)
            topics = _fetched(found, responses.OffsetFetch.Topics, responses.OffsetFetch.Partitions)
            groups.append(responses.OffsetFetch.Group(group_id=group.group_id, topics=topics))
        return responses.OffsetFetch(groups=groups)

    def _find(
        self, group_id: str, wanted: Sequence[tuple[str, Sequence[int]]] | None, *, stable_only: bool
    ) -> _FetchedTopics:
        """Offsets by topic: of the wanted partitions, with nothing for those without, or of all that have any."""
        committed = self._coordinator.committed(group_id)
        if wanted is None:
            by_topic: dict[str, list[int]] = {}
            for topic, index in committed:
                by_topic.setdefault(topic, []).append(index)
            wanted = list(by_topic.items())

        def find(partition: TopicPartition) -> tuple[int, CommittedOffset, ErrorCode]:
            if stable_only and self._coordinator.is_unstable(group_id, partition):
                return partition[1], _NOTHING, ErrorCode.UNSTABLE_OFFSET_COMMIT
            return partition[1], committed.get(partition, _NOTHING), ErrorCode.NONE

        return [(topic, [find((topic, index)) for index in indexes]) for topic, indexes in wanted]


def _fetched(
    found: _FetchedTopics, topic_type: Callable[..., _Topic], partition_type: Callable[..., object]
) -> list[_Topic]:
    """What was found in the structs of the version at hand, which differ by name alone."""
    return [
        topic_type(
            name=name,
            partitions=[
                partition_type(
                    partition_index=index,
                    committed_offset=committed.offset,
                    committed_leader_epoch=committed.leader_epoch,
                    metadata=committed.metadata,
                    error_code=error,
                )
                for index, committed, error in partitions
            ],
        )
        for name, partitions in found
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
