"""Fetch, with its long polls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.api.lookup import READ_COMMITTED, check_leader_epoch, find_topic, partition_of
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.loop import Loop
    from kconnect.log.routing import Call
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.topic_store import TopicStore
    from kconnect.log.storage.transaction_index import AbortedTransaction

_LARGEST_ANSWER = 55 << 20


class FetchApi:
    """Reads batches. Fetch sessions are refused: every answer is a full one, which clients take from any broker."""

    def __init__(self, topics: TopicStore, loop: Loop) -> None:
        self._topics = topics
        self._loop = loop

    def apis(self) -> list[Api]:
        return [Api(ApiKey.FETCH, 4, 17, self.fetch)]

    def fetch(self, request: requests.Fetch, call: Call) -> responses.Fetch | None:
        if request.session_id:
            return responses.Fetch(error_code=ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        read = FetchRead(self._topics, request)
        if read.is_enough or request.max_wait_ms <= 0 or not request.topics:
            return read.response()
        LongPoll(self._topics, self._loop, request, call, read.partitions)
        return None


class FetchRead:
    """One pass over the partitions of a request."""

    __slots__ = ("_answers", "_failed", "_isolation_level", "_min_bytes", "_total", "partitions")

    def __init__(self, topics: TopicStore, request: requests.Fetch) -> None:
        self.partitions: list[Partition] = []
        self._answers: list[responses.Fetch.FetchableTopicResponse] = []
        self._failed = False
        self._isolation_level = request.isolation_level
        self._min_bytes = request.min_bytes
        self._total = 0
        left = min(request.max_bytes, _LARGEST_ANSWER)
        for wanted in request.topics:
            answers = []
            for position in wanted.partitions:
                try:
                    partition = partition_of(find_topic(topics, wanted.topic, wanted.topic_id), position.partition)
                    check_leader_epoch(partition, position.current_leader_epoch)
                    answer = self._read(partition, position, left)
                    left -= len(answer.records or b"")
                except RequestError as e:
                    answer = self._refusal(position.partition, e)
                answers.append(answer)
            self._answers.append(
                responses.Fetch.FetchableTopicResponse(topic=wanted.topic, topic_id=wanted.topic_id, partitions=answers)
            )

    def _read(
        self, partition: Partition, position: requests.Fetch.Partition, left: int
    ) -> responses.Fetch.PartitionData:
        self.partitions.append(partition)
        records = b""
        aborted: list[AbortedTransaction] = []
        committed_only = self._isolation_level == READ_COMMITTED
        if left > 0 or not self._total:
            limit = min(left, position.partition_max_bytes)
            if committed_only:
                records, aborted = partition.read_committed(position.fetch_offset, limit, at_least_one=not self._total)
            else:
                records = partition.read(position.fetch_offset, limit, at_least_one=not self._total)
            self._total += len(records)
            partition.fetched_bytes += len(records)
        return responses.Fetch.PartitionData(
            partition_index=position.partition,
            high_watermark=partition.high_watermark,
            last_stable_offset=partition.last_stable_offset,
            log_start_offset=partition.log_start_offset,
            aborted_transactions=[
                responses.Fetch.AbortedTransaction(producer_id=one.producer_id, first_offset=one.first_offset)
                for one in aborted
            ]
            if committed_only
            else None,
            records=records,
        )

    def _refusal(self, index: int, error: RequestError) -> responses.Fetch.PartitionData:
        self._failed = True
        return responses.Fetch.PartitionData(
            partition_index=index,
            error_code=error.code,
            high_watermark=-1,
            last_stable_offset=-1,
            log_start_offset=-1,
            aborted_transactions=None,
            records=b"",
        )

    @property
    def is_enough(self) -> bool:
        """Whether the client wants to hear of it now: enough bytes, or an error."""
        return self._failed or self._total >= self._min_bytes

    def response(self) -> responses.Fetch:
        return responses.Fetch(responses=self._answers)


class LongPoll:
    """A Fetch that waits for records, or for its time to be over."""

    __slots__ = ("_call", "_partitions", "_request", "_timer", "_topics")

    def __init__(
        self, topics: TopicStore, loop: Loop, request: requests.Fetch, call: Call, partitions: list[Partition]
    ) -> None:
        self._topics = topics
        self._request = request
        self._call = call
        self._partitions = partitions
        for partition in partitions:
            partition.watchers.add(self._look)
        self._timer = loop.call_later(request.max_wait_ms / 1000, self._time_is_over)
        call.exchange.on_abandoned = self._end

    def _look(self) -> None:
        read = FetchRead(self._topics, self._request)
        if read.is_enough:
            self._end()
            self._call.answer(read.response())

    def _time_is_over(self) -> None:
        self._end()
        self._call.answer(FetchRead(self._topics, self._request).response())

    def _end(self) -> None:
        self._timer.cancel()
        for partition in self._partitions:
            partition.watchers.discard(self._look)
