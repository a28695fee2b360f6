"""DescribeTransactions, ListTransactions, DescribeProducers: transactions as administrators see them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kconnect.log.api.lookup import find_topic, partition_of
from kconnect.log.coordinators.transaction import TransactionState
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.clock import SteadyClock
    from kconnect.log.coordinators.transaction import TransactionMetadata
    from kconnect.log.coordinators.transaction_coordinator import TransactionCoordinator
    from kconnect.log.routing import Call
    from kconnect.log.storage.topic_store import TopicStore

_STATES = {state.title: state for state in TransactionState}
_LONGEST_PATTERN = 1000


class TransactionAdminApi:
    """Looking at transactions and at the producers of partitions."""

    def __init__(self, coordinator: TransactionCoordinator, topics: TopicStore, clock: SteadyClock) -> None:
        self._coordinator = coordinator
        self._topics = topics
        self._clock = clock

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.DESCRIBE_PRODUCERS, 0, 0, self.describe_producers),
            Api(ApiKey.DESCRIBE_TRANSACTIONS, 0, 0, self.describe),
            Api(ApiKey.LIST_TRANSACTIONS, 0, 2, self.list_transactions),
        ]

    def describe(self, request: requests.DescribeTransactions, _: Call) -> responses.DescribeTransactions:
        return responses.DescribeTransactions(
            transaction_states=[self._describe(transactional_id) for transactional_id in request.transactional_ids]
        )

    def _describe(self, transactional_id: str) -> responses.DescribeTransactions.TransactionState:
        answer = responses.DescribeTransactions.TransactionState(transactional_id=transactional_id)
        metadata = self._coordinator.transactions.get(transactional_id)
        if metadata is None:
            unknown = ErrorCode.TRANSACTIONAL_ID_NOT_FOUND if transactional_id else ErrorCode.INVALID_REQUEST
            answer.error_code = unknown
            return answer
        answer.transaction_state = metadata.state.title
        answer.transaction_timeout_ms = metadata.timeout_ms
        answer.transaction_start_time_ms = metadata.started_at
        answer.producer_id, answer.producer_epoch = metadata.producer_id, metadata.epoch
        topics: dict[str, list[int]] = {}
        for topic, index in sorted(metadata.partitions):
            topics.setdefault(topic, []).append(index)
        answer.topics = [
            responses.DescribeTransactions.TopicData(topic=topic, partitions=partitions)
            for topic, partitions in topics.items()
        ]
        return answer

    def list_transactions(self, request: requests.ListTransactions, _: Call) -> responses.ListTransactions:
        states = {_STATES[name] for name in request.state_filters if name in _STATES}
        try:
            pattern = _compile(request.transactional_id_pattern)
        except RequestError as e:
            return responses.ListTransactions(error_code=e.code)
        now = self._clock.now()

        def is_wanted(metadata: TransactionMetadata) -> bool:
            return (
                (not request.producer_id_filters or metadata.producer_id in request.producer_id_filters)
                and (not request.state_filters or metadata.state in states)
                and (request.duration_filter < 0 or now - metadata.started_at > request.duration_filter)
                and (pattern is None or pattern.fullmatch(metadata.transactional_id) is not None)
            )

        return responses.ListTransactions(
            unknown_state_filters=[name for name in request.state_filters if name not in _STATES],
            transaction_states=[
                responses.ListTransactions.TransactionState(
                    transactional_id=metadata.transactional_id,
                    producer_id=metadata.producer_id,
                    transaction_state=metadata.state.title,
                )
                for metadata in self._coordinator.transactions.values()
                if is_wanted(metadata)
            ],
        )

    def describe_producers(self, request: requests.DescribeProducers, _: Call) -> responses.DescribeProducers:
        return responses.DescribeProducers(
            topics=[
                responses.DescribeProducers.TopicResponse(
                    name=wanted.name,
                    partitions=[self._describe_producers(wanted.name, index) for index in wanted.partition_indexes],
                )
                for wanted in request.topics
            ]
        )

    def _describe_producers(self, topic: str, index: int) -> responses.DescribeProducers.PartitionResponse:
        answer = responses.DescribeProducers.PartitionResponse(partition_index=index)
        try:
            partition = partition_of(find_topic(self._topics, topic), index)
        except RequestError as e:
            answer.error_code, answer.error_message = e.code, e.message
            return answer
        answer.active_producers = [
            responses.DescribeProducers.ProducerState(
                producer_id=producer.producer_id,
                producer_epoch=producer.epoch,
                last_sequence=producer.last_sequence,
                last_timestamp=producer.timestamp,
                coordinator_epoch=producer.coordinator_epoch,
                current_txn_start_offset=producer.transaction_start,
            )
            for producer in partition.producers
        ]
        return answer


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    """Raises RequestError INVALID_REGULAR_EXPRESSION."""
    if not pattern:
        return None
    try:
        if len(pattern) > _LONGEST_PATTERN:
            raise ValueError
        return re.compile(pattern)
    except (re.error, ValueError) as e:
        raise RequestError(ErrorCode.INVALID_REGULAR_EXPRESSION, f"{pattern!r} is no regular expression") from e
