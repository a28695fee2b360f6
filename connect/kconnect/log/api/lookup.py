"""Finding the partition that a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.errors import RequestError
from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.topic import Topic
    from kconnect.log.storage.topic_store import TopicStore

READ_COMMITTED = 1
"""The isolation level of readers that do not see what a transaction may still abort."""

_NO_ID = bytes(16)


def find_topic(topics: TopicStore, name: str | None, topic_id: bytes = _NO_ID) -> Topic:
    """The topic of that id, or, where the request's version has no ids, of that name.

    Raises RequestError UNKNOWN_TOPIC_ID or UNKNOWN_TOPIC_OR_PARTITION.
    """
    if topic_id != _NO_ID:
        topic = topics.by_id.get(topic_id)
        if topic is None:
            raise RequestError(ErrorCode.UNKNOWN_TOPIC_ID)
        return topic
    topic = topics.by_name.get(name or "")
    if topic is None:
        raise RequestError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name!r}")
    return topic


def partition_of(topic: Topic, index: int) -> Partition:
    """Raises RequestError UNKNOWN_TOPIC_OR_PARTITION."""
    if not 0 <= index < len(topic.partitions):
        raise RequestError(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            f"{topic.name} has {len(topic.partitions)} partitions, not {index + 1}",
        )
    return topic.partitions[index]


def check_leader_epoch(partition: Partition, epoch: int) -> None:
    """Compare the epoch that a client believes in. Raises RequestError for an older and for a newer one."""
    if epoch >= 0 and epoch != partition.leader_epoch:
        if epoch < partition.leader_epoch:
            raise RequestError(ErrorCode.FENCED_LEADER_EPOCH)
        raise RequestError(ErrorCode.UNKNOWN_LEADER_EPOCH)
