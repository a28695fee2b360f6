"""Produce."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.api.lookup import find_topic, partition_of
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.loop import Loop
    from kconnect.log.routing import Call
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore

_VALID_ACKS = (-1, 0, 1)


class ProduceApi:
    """Appends batches; where a topic asks for syncs, the answer waits for one."""

    def __init__(self, topics: TopicStore, syncer: Syncer, loop: Loop) -> None:
        self._topics = topics
        self._syncer = syncer
        self._loop = loop
        self._woken: set[Partition] = set()

    def apis(self) -> list[Api]:
        return [Api(ApiKey.PRODUCE, 3, 13, self.produce)]

    def produce(self, request: requests.Produce, call: Call) -> responses.Produce | None:
        failed = awaits_sync = False
        answers = []
        for topic_data in request.topic_data:
            partition_answers = []
            for data in topic_data.partition_data:
                try:
                    if request.acks not in _VALID_ACKS:
                        raise RequestError(ErrorCode.INVALID_REQUIRED_ACKS)
                    if request.transactional_id is not None:
                        raise RequestError(ErrorCode.INVALID_TXN_STATE, "transactions are not served yet")
                    topic = find_topic(self._topics, topic_data.name, topic_data.topic_id)
                    partition = partition_of(topic, data.index)
                    answer = self._append(partition, data)
                    awaits_sync = awaits_sync or partition.awaits_sync
                except RequestError as e:
                    failed = True
                    answer = responses.Produce.PartitionProduceResponse(
                        index=data.index,
                        error_code=e.code,
                        base_offset=-1,
                        log_start_offset=-1,
                        error_message=e.message,
                    )
                partition_answers.append(answer)
            answers.append(
                responses.Produce.TopicProduceResponse(
                    name=topic_data.name, topic_id=topic_data.topic_id, partition_responses=partition_answers
                )
            )
        response = responses.Produce(responses=answers)
        if request.acks == 0:
            if failed:
                call.hang_up()
            else:
                call.end_silently()
            return None
        if awaits_sync:
            self._syncer.sync(lambda: call.answer(self._after_sync(response)))
            return None
        return response

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

    def _append(
        self, partition: Partition, data: requests.Produce.PartitionProduceData
    ) -> responses.Produce.PartitionProduceResponse:
        records = data.records
        base_offset, append_time = partition.append(records if isinstance(records, memoryview) else memoryview(b""))
        if partition.watchers:
            self._wake_later(partition)
        return responses.Produce.PartitionProduceResponse(
            index=data.index,
            base_offset=base_offset,
            log_append_time_ms=append_time,
            log_start_offset=partition.log_start_offset,
        )

    def _wake_later(self, partition: Partition) -> None:
        # Once per round of the loop: more records in fewer answers.
        if not self._woken:
            self._loop.defer(self._wake)
        self._woken.add(partition)

    def _wake(self) -> None:
        woken, self._woken = self._woken, set()
        for partition in woken:
            partition.wake_watchers()
