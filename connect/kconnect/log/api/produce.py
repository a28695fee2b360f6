"""Produce."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.api.lookup import find_topic, partition_of
from kconnect.log.coordinators.transaction import ProducerIdentity
from kconnect.log.errors import RecordsRefusedError, RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.batch import HEADER, MAGIC, BatchHeader
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.coordinators.transaction_coordinator import TransactionCoordinator
    from kconnect.log.loop import Loop
    from kconnect.log.routing import Call
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore

_VALID_ACKS = (-1, 0, 1)
_ABORTABLE_SINCE = 11
_CODES_FOR_PRODUCERS = {
    # These are what producers of all versions try again on.
    ErrorCode.CONCURRENT_TRANSACTIONS: ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE: ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.PRODUCER_FENCED: ErrorCode.INVALID_PRODUCER_EPOCH,
}


class ProduceApi:
    """Appends batches; where a topic asks for syncs, the answer waits for one."""

    def __init__(self, topics: TopicStore, transactions: TransactionCoordinator, syncer: Syncer, loop: Loop) -> None:
        self._topics = topics
        self._transactions = transactions
        self._syncer = syncer
        self._loop = loop
        self._woken: set[Partition] = set()

    def apis(self) -> list[Api]:
        return [Api(ApiKey.PRODUCE, 3, 13, self.produce)]

    def produce(self, request: requests.Produce, call: Call) -> None:
        topics: list[responses.Produce.TopicProduceResponse] = []
        response = responses.Produce(responses=topics)
        appended: list[Partition] = []
        held: list[Append] = []
        for wanted in request.topic_data:
            answers = []
            for data in wanted.partition_data:
                append = Append(data.index, request.transactional_id, call.version)
                answers.append(append.answer)
                try:
                    append.partition = self._find(request, wanted, data.index)
                except RequestError as e:
                    append.refuse(e)
                    continue
                append.records = data.records if isinstance(data.records, memoryview) else memoryview(b"")
                append.find_producer()
                if append.partition.follows_data and append.producer is None:
                    append.records = memoryview(bytearray(append.records))  # the frame does not last
                    held.append(append)
                else:
                    self._append(append, appended)
            topics.append(
                responses.Produce.TopicProduceResponse(
                    name=wanted.name, topic_id=wanted.topic_id, partition_responses=answers
                )
            )
        if not held:
            self._finish(request, call, response, appended)
            return

        def write(older_is_safe: bool) -> None:
            for append in held:
                if older_is_safe:
                    self._append(append, appended)
                else:
                    append.refuse(RequestError(ErrorCode.KAFKA_STORAGE_ERROR, "older data could not be synced"))
            self._finish(request, call, response, appended)

        self._syncer.write_behind(write)

    def _find(self, request: requests.Produce, wanted: requests.Produce.TopicProduceData, index: int) -> Partition:
        _check_request(request)
        topic = find_topic(self._topics, wanted.name, wanted.topic_id)
        if topic.is_internal:
            raise RequestError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"{topic.name} belongs to the log itself")
        return partition_of(topic, index)

    def _append(self, append: Append, appended: list[Partition]) -> None:
        partition, answer = append.partition, append.answer
        assert partition is not None
        try:
            if append.producer is not None:
                self._check_transaction(append, partition, append.producer)
            answer.base_offset, answer.log_append_time_ms = partition.append(
                append.records, in_transaction=append.producer is not None
            )
        except RequestError as e:
            append.refuse(e)
            return
        answer.log_start_offset = partition.log_start_offset
        if append.producer is None:  # a transaction is synced when it is committed
            appended.append(partition)
        if partition.watchers:
            self.wake_later(partition)

    def _check_transaction(self, append: Append, partition: Partition, producer: ProducerIdentity) -> None:
        """Raises RequestError with what a producer understands unless `partition` is in its transaction."""
        if append.transactional_id is None:
            raise RequestError(
                ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "a batch of a transaction comes without its id"
            )
        try:
            self._transactions.check_partition(append.transactional_id, producer, (partition.topic, partition.index))
        except RequestError as e:
            code = _CODES_FOR_PRODUCERS.get(e.code, e.code)
            if code is ErrorCode.INVALID_TXN_STATE and append.version >= _ABORTABLE_SINCE:
                code = ErrorCode.TRANSACTION_ABORTABLE
            raise RequestError(code, e.message) from e

    def _finish(
        self, request: requests.Produce, call: Call, response: responses.Produce, appended: list[Partition]
    ) -> None:
        if request.acks == 0:
            if all(a.error_code == ErrorCode.NONE for topic in response.responses for a in topic.partition_responses):
                call.end_silently()
            else:
                call.hang_up()
        elif any(partition.awaits_sync for partition in appended):
            self._syncer.sync(lambda: call.answer(self._after_sync(response)))
        else:
            call.answer(response)

    def _after_sync(self, response: responses.Produce) -> responses.Produce:
        """The response, with what could not be synced refused after all."""
        for topic_answer in response.responses:
            for answer in topic_answer.partition_responses:
                try:
                    topic = find_topic(self._topics, topic_answer.name, topic_answer.topic_id)
                    partition = partition_of(topic, answer.index)
                    if answer.error_code == ErrorCode.NONE and partition.high_watermark <= answer.base_offset:
                        raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, "the records could not be synced")
                except RequestError as e:
                    answer.error_code, answer.error_message = e.code, e.message
        return response

    def wake_later(self, partition: Partition) -> None:
        """Tell, at the end of this round of the loop, those who wait for records of `partition`."""
        # Once per round of the loop: more records in fewer answers.
        if not self._woken:
            self._loop.defer(self._wake)
        self._woken.add(partition)

    def _wake(self) -> None:
        woken, self._woken = self._woken, set()
        for partition in woken:
            partition.wake_watchers()


class Append:
    """What a request wants to be appended to one partition, and the answer to it.

    `producer` is there where it is part of a transaction.
    """

    __slots__ = ("answer", "partition", "producer", "records", "transactional_id", "version")

    def __init__(self, index: int, transactional_id: str | None, version: int) -> None:
        self.transactional_id = transactional_id
        self.version = version
        self.partition: Partition | None = None
        self.producer: ProducerIdentity | None = None
        self.records = memoryview(b"")
        self.answer = responses.Produce.PartitionProduceResponse(index=index, base_offset=-1, log_start_offset=-1)

    def find_producer(self) -> None:
        """See whether the records are part of a transaction."""
        if len(self.records) >= HEADER.size:
            header = BatchHeader._make(HEADER.unpack_from(self.records))
            if header.magic == MAGIC and header.is_transactional:
                self.producer = ProducerIdentity(header.producer_id, header.producer_epoch)

    def refuse(self, error: RequestError) -> None:
        self.answer.error_code, self.answer.error_message = error.code, error.message
        if isinstance(error, RecordsRefusedError):
            self.answer.record_errors = [
                responses.Produce.BatchIndexAndErrorMessage(batch_index=i, batch_index_error_message=error.message)
                for i in error.records
            ]


def _check_request(request: requests.Produce) -> None:
    if request.acks not in _VALID_ACKS:
        raise RequestError(ErrorCode.INVALID_REQUIRED_ACKS, f"acks={request.acks}: 0, 1 and -1 are possible")
