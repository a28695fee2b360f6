"""ListOffsets, OffsetForLeaderEpoch, DescribeLogDirs: how far logs reach."""

from __future__ import annotations

import shutil
from enum import IntEnum
from typing import TYPE_CHECKING

from kconnect.log.api.lookup import READ_COMMITTED, check_leader_epoch, find_topic, partition_of
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api
from kconnect.log.storage.timestamps import NOTHING, TimedOffset, first_at_or_after, latest_record

if TYPE_CHECKING:
    from pathlib import Path

    from kconnect.log.routing import Call
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.topic_store import TopicStore

_EPOCHS_SINCE = 4


class Wanted(IntEnum):
    """What ListOffsets may ask for in place of a time."""

    LATEST = -1
    EARLIEST = -2
    MAX_TIMESTAMP = -3
    EARLIEST_LOCAL = -4
    LATEST_TIERED = -5


class OffsetsApi:
    """Offsets that partitions have, as against those that groups commit."""

    def __init__(self, topics: TopicStore, data_path: Path) -> None:
        self._topics = topics
        self._data_path = data_path

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.LIST_OFFSETS, 1, 10, self.list_offsets),
            Api(ApiKey.OFFSET_FOR_LEADER_EPOCH, 2, 4, self.offset_for_leader_epoch),
            Api(ApiKey.DESCRIBE_LOG_DIRS, 1, 4, self.describe_log_dirs),
        ]

    def list_offsets(self, request: requests.ListOffsets, call: Call) -> responses.ListOffsets:
        committed_only = request.isolation_level == READ_COMMITTED
        return responses.ListOffsets(
            topics=[
                responses.ListOffsets.TopicResponse(
                    name=topic.name,
                    partitions=[
                        self._list_offset(topic.name, p, call.version, committed_only=committed_only)
                        for p in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    def _list_offset(
        self, topic: str, wanted: requests.ListOffsets.Partition, version: int, *, committed_only: bool
    ) -> responses.ListOffsets.PartitionResponse:
        answer = responses.ListOffsets.PartitionResponse(partition_index=wanted.partition_index)
        try:
            partition = partition_of(find_topic(self._topics, topic), wanted.partition_index)
            check_leader_epoch(partition, wanted.current_leader_epoch)
            found = _find(partition, wanted.timestamp, committed_only=committed_only)
            answer.timestamp, answer.offset = found
            if version >= _EPOCHS_SINCE and found != NOTHING:
                answer.leader_epoch = partition.leader_epoch
        except RequestError as e:
            answer.error_code = e.code
        return answer

    def offset_for_leader_epoch(
        self, request: requests.OffsetForLeaderEpoch, _: Call
    ) -> responses.OffsetForLeaderEpoch:
        answers = []
        for topic in request.topics:
            partitions = []
            for wanted in topic.partitions:
                answer = responses.OffsetForLeaderEpoch.EpochEndOffset(partition=wanted.partition)
                try:
                    partition = partition_of(find_topic(self._topics, topic.topic), wanted.partition)
                    check_leader_epoch(partition, wanted.current_leader_epoch)
                    answer.leader_epoch, answer.end_offset = partition.epochs.end_offset(
                        wanted.leader_epoch, partition.log_end_offset
                    )
                except RequestError as e:
                    answer.error_code = e.code
                partitions.append(answer)
            answers.append(
                responses.OffsetForLeaderEpoch.OffsetForLeaderTopicResult(topic=topic.topic, partitions=partitions)
            )
        return responses.OffsetForLeaderEpoch(topics=answers)

    def describe_log_dirs(self, request: requests.DescribeLogDirs, _: Call) -> responses.DescribeLogDirs:
        wanted = None if request.topics is None else {t.topic: set(t.partitions) for t in request.topics}
        topics = []
        for topic in self._topics.by_name.values():
            partitions = [
                responses.DescribeLogDirs.Partition(
                    partition_index=partition.index, partition_size=sum(s.size for s in partition.segments)
                )
                for partition in topic.partitions
                if wanted is None or partition.index in wanted.get(topic.name, ())
            ]
            if partitions:
                topics.append(responses.DescribeLogDirs.Topic(name=topic.name, partitions=partitions))
        disk = shutil.disk_usage(self._data_path)
        return responses.DescribeLogDirs(
            results=[
                responses.DescribeLogDirs.Result(
                    log_dir=str(self._data_path), topics=topics, total_bytes=disk.total, usable_bytes=disk.free
                )
            ]
        )


def _find(partition: Partition, timestamp: int, *, committed_only: bool) -> TimedOffset:
    """What readers may know: nothing at or behind the end that they see."""
    end = partition.last_stable_offset if committed_only else partition.high_watermark
    if partition.offline is not None:
        raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, partition.offline)
    match timestamp:
        case Wanted.LATEST:
            return TimedOffset(-1, end)
        case Wanted.EARLIEST | Wanted.EARLIEST_LOCAL:
            return TimedOffset(-1, partition.log_start_offset)
        case Wanted.MAX_TIMESTAMP:
            found = latest_record(partition)
        case Wanted.LATEST_TIERED:
            return NOTHING
        case _ if timestamp < 0:
            raise RequestError(ErrorCode.UNSUPPORTED_VERSION, f"there is no offset of kind {timestamp}")
        case _:
            found = first_at_or_after(partition, timestamp)
    return found if found.offset < end else NOTHING
