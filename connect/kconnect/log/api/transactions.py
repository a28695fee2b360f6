"""AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, WriteTxnMarkers: transactions as producers ask for them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kconnect.log.coordinators.transaction import ProducerIdentity, TopicPartition
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api
from kconnect.log.storage.topic import INTERNAL_TOPICS, OFFSETS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.coordinators.coordinator import GroupCoordinator
    from kconnect.log.coordinators.end_markers import EndMarkers
    from kconnect.log.coordinators.transaction_coordinator import TransactionCoordinator
    from kconnect.log.routing import Call
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore

_BATCHED_SINCE = 4
_FENCED_SINCE = 2
"""Clients of earlier versions know INVALID_PRODUCER_EPOCH in place of PRODUCER_FENCED (KIP-588)."""


class TransactionsApi:
    """Carries to the transaction coordinator what producers ask for.

    EndTxn 5, which gives a producer a new epoch with every transaction (transaction.version 2), is not offered:
    clients use the protocol before it, with partitions verified as they are written to (KIP-890).
    """

    def __init__(
        self,
        coordinator: TransactionCoordinator,
        groups: GroupCoordinator,
        markers: EndMarkers,
        topics: TopicStore,
        syncer: Syncer,
    ) -> None:
        self._coordinator = coordinator
        self._groups = groups
        self._markers = markers
        self._topics = topics
        self._syncer = syncer

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.ADD_PARTITIONS_TO_TXN, 0, 5, self.add_partitions),
            Api(ApiKey.ADD_OFFSETS_TO_TXN, 0, 4, self.add_offsets),
            Api(ApiKey.END_TXN, 0, 4, self.end),
            Api(ApiKey.WRITE_TXN_MARKERS, 1, 2, self.write_markers),
        ]

    def add_partitions(self, request: requests.AddPartitionsToTxn, call: Call) -> None:
        if call.version < _BATCHED_SINCE:
            transaction = requests.AddPartitionsToTxn.Transaction(
                transactional_id=request.v3_and_below_transactional_id,
                producer_id=request.v3_and_below_producer_id,
                producer_epoch=request.v3_and_below_producer_epoch,
                topics=request.v3_and_below_topics,
            )

            def answer_one(topics: list[responses.AddPartitionsToTxn.TopicResult]) -> None:
                call.answer(responses.AddPartitionsToTxn(results_by_topic_v3_and_below=topics))

            self._add_partitions(transaction, call.version, answer_one)
            return
        results = [
            responses.AddPartitionsToTxn.Result(transactional_id=transaction.transactional_id)
            for transaction in request.transactions
        ]
        awaited = set(range(len(results)))

        def done(number: int, topics: list[responses.AddPartitionsToTxn.TopicResult]) -> None:
            results[number].topic_results = topics
            awaited.discard(number)
            if not awaited:
                call.answer(responses.AddPartitionsToTxn(results_by_transaction=results))

        for number, transaction in enumerate(request.transactions):
            self._add_partitions(transaction, call.version, partial(done, number))
        if not results:
            call.answer(responses.AddPartitionsToTxn())

    def _add_partitions(
        self,
        transaction: requests.AddPartitionsToTxn.Transaction,
        version: int,
        done: Callable[[list[responses.AddPartitionsToTxn.TopicResult]], None],
    ) -> None:
        """Add all of a transaction's partitions, or none where one of them cannot be."""
        producer = ProducerIdentity(transaction.producer_id, transaction.producer_epoch)
        partitions = [(topic.name, index) for topic in transaction.topics for index in topic.partitions]
        if transaction.verify_only:
            errors = {
                partition: self._verify(transaction.transactional_id, producer, partition, version)
                for partition in partitions
            }
            done(_topic_results(errors))
            return
        refused = {partition: error for partition in partitions if (error := self._check_writable(partition))}
        if refused:
            done(_topic_results({p: refused.get(p, ErrorCode.OPERATION_NOT_ATTEMPTED) for p in partitions}))
            return

        def reply(error: ErrorCode) -> None:
            shown = error_for(error, fenced=version >= _FENCED_SINCE)
            done(_topic_results(dict.fromkeys(partitions, shown)))

        self._coordinator.add_partitions(transaction.transactional_id, producer, frozenset(partitions), reply)

    def _check_writable(self, partition: TopicPartition) -> ErrorCode:
        topic = self._topics.by_name.get(partition[0])
        if topic is None or not 0 <= partition[1] < len(topic.partitions):
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED if partition[0] in INTERNAL_TOPICS else ErrorCode.NONE

    def _verify(
        self, transactional_id: str, producer: ProducerIdentity, partition: TopicPartition, version: int
    ) -> ErrorCode:
        try:
            self._coordinator.check_partition(transactional_id, producer, partition)
        except RequestError as e:
            abortable = e.code is ErrorCode.INVALID_TXN_STATE and version > _BATCHED_SINCE
            return ErrorCode.TRANSACTION_ABORTABLE if abortable else e.code
        return ErrorCode.NONE

    def add_offsets(self, request: requests.AddOffsetsToTxn, call: Call) -> responses.AddOffsetsToTxn | None:
        try:
            partition = OFFSETS_TOPIC, self._groups.log_partition(request.group_id)
        except RequestError:
            return responses.AddOffsetsToTxn(error_code=ErrorCode.COORDINATOR_NOT_AVAILABLE)
        self._coordinator.add_partitions(
            request.transactional_id,
            ProducerIdentity(request.producer_id, request.producer_epoch),
            frozenset({partition}),
            lambda error: call.answer(
                responses.AddOffsetsToTxn(error_code=error_for(error, fenced=call.version >= _FENCED_SINCE))
            ),
        )
        return None

    def end(self, request: requests.EndTxn, call: Call) -> None:
        self._coordinator.end(
            request.transactional_id,
            ProducerIdentity(request.producer_id, request.producer_epoch),
            commit=request.committed,
            reply=lambda error: call.answer(
                responses.EndTxn(error_code=error_for(error, fenced=call.version >= _FENCED_SINCE))
            ),
        )

    def write_markers(self, request: requests.WriteTxnMarkers, call: Call) -> None:
        """End transactions past their coordinator, as administrators do with one that hangs."""
        response = responses.WriteTxnMarkers(markers=[self._write_marker(marker) for marker in request.markers])
        self._syncer.sync(lambda: call.answer(response))

    def _write_marker(
        self, marker: requests.WriteTxnMarkers.WritableTxnMarker
    ) -> responses.WriteTxnMarkers.WritableTxnMarkerResult:
        producer = ProducerIdentity(marker.producer_id, marker.producer_epoch)
        topics = []
        for topic in marker.topics:
            results = []
            for index in topic.partition_indexes:
                error = ErrorCode.NONE
                try:
                    self._markers.write(
                        (topic.name, index),
                        producer,
                        commit=marker.transaction_result,
                        coordinator_epoch=marker.coordinator_epoch,
                    )
                except RequestError as e:
                    error = e.code
                results.append(
                    responses.WriteTxnMarkers.WritableTxnMarkerPartitionResult(partition_index=index, error_code=error)
                )
            topics.append(responses.WriteTxnMarkers.WritableTxnMarkerTopicResult(name=topic.name, partitions=results))
        return responses.WriteTxnMarkers.WritableTxnMarkerResult(producer_id=marker.producer_id, topics=topics)


def error_for(error: ErrorCode, *, fenced: bool) -> ErrorCode:
    """`error` for a client that knows PRODUCER_FENCED, or for one that does not."""
    return ErrorCode.INVALID_PRODUCER_EPOCH if error is ErrorCode.PRODUCER_FENCED and not fenced else error


def _topic_results(
    errors: dict[TopicPartition, ErrorCode],
) -> list[responses.AddPartitionsToTxn.TopicResult]:
    topics: dict[str, list[responses.AddPartitionsToTxn.PartitionResult]] = {}
    for (topic, index), error in errors.items():
        result = responses.AddPartitionsToTxn.PartitionResult(partition_index=index, partition_error_code=error)
        topics.setdefault(topic, []).append(result)
    return [
        responses.AddPartitionsToTxn.TopicResult(name=name, results_by_partition=results)
        for name, results in topics.items()
    ]
