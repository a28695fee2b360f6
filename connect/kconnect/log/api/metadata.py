"""Metadata, DescribeTopicPartitions, DescribeCluster: which topics there are, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.api.lookup import find_topic
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api
from kconnect.log.storage.topic import check_topic_name
from kconnect.log.topic_admin import NODE_ID

if TYPE_CHECKING:
    from kconnect.log.routing import Call
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.topic import Topic
    from kconnect.log.storage.topic_store import TopicStore
    from kconnect.log.topic_admin import TopicAdmin

_NO_ID = bytes(16)
_MOST_PARTITIONS = 2000


class MetadataApi:
    """Answers for a cluster of one broker, which is wherever the client found it."""

    def __init__(self, topics: TopicStore, admin: TopicAdmin, cluster_id: str) -> None:
        self._topics = topics
        self._admin = admin
        self._cluster_id = cluster_id

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.METADATA, 0, 13, self.metadata),
            Api(ApiKey.DESCRIBE_CLUSTER, 0, 2, self.describe_cluster),
            Api(ApiKey.DESCRIBE_TOPIC_PARTITIONS, 0, 0, self.describe_topic_partitions),
        ]

    def metadata(self, request: requests.Metadata, call: Call) -> responses.Metadata:
        every_topic = request.topics is None or (call.version == 0 and not request.topics)
        if every_topic:
            answers = [_describe(topic) for topic in self._topics.by_name.values()]
        else:
            may_create = call.version < 4 or request.allow_auto_topic_creation
            answers = [self._look_up(wanted, may_create=may_create) for wanted in request.topics or ()]
        endpoint = call.endpoint
        return responses.Metadata(
            brokers=[responses.Metadata.Broker(node_id=NODE_ID, host=endpoint.host, port=endpoint.port)],
            cluster_id=self._cluster_id,
            controller_id=NODE_ID,
            topics=answers,
        )

    def _look_up(self, wanted: requests.Metadata.Topic, *, may_create: bool) -> responses.Metadata.Topic:
        try:
            if may_create and wanted.name is not None and wanted.topic_id == _NO_ID:
                return _describe(self._admin.find_or_create(wanted.name))
            return _describe(find_topic(self._topics, wanted.name, wanted.topic_id))
        except RequestError as e:
            return responses.Metadata.Topic(error_code=e.code, name=wanted.name, topic_id=wanted.topic_id)

    def describe_topic_partitions(
        self, request: requests.DescribeTopicPartitions, _: Call
    ) -> responses.DescribeTopicPartitions:
        """Topics by name, of which the next request takes up the rest where they are many."""
        names = sorted({topic.name for topic in request.topics} or self._topics.by_name)
        start = request.cursor
        room = max(1, min(request.response_partition_limit, _MOST_PARTITIONS))
        topics: list[responses.DescribeTopicPartitions.Topic] = []
        next_cursor: responses.DescribeTopicPartitions.Cursor | None = None
        for name in names:
            if start is not None and name < start.topic_name:
                continue
            first = start.partition_index if start is not None and name == start.topic_name else 0
            topic = self._topics.by_name.get(name)
            if topic is None:
                error = _code_of_unknown(name)
                topics.append(responses.DescribeTopicPartitions.Topic(name=name, error_code=error))
                continue
            shown = topic.partitions[first : first + room]
            room -= len(shown)
            if shown:
                topics.append(_describe_replicas(topic, shown))
            if first + len(shown) < len(topic.partitions):
                next_cursor = responses.DescribeTopicPartitions.Cursor(
                    topic_name=name, partition_index=first + len(shown)
                )
                break
        return responses.DescribeTopicPartitions(topics=topics, next_cursor=next_cursor)

    def describe_cluster(self, request: requests.DescribeCluster, call: Call) -> responses.DescribeCluster:
        if request.endpoint_type != 1:
            return responses.DescribeCluster(
                error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
                error_message="brokers answer here, controllers do not",
                cluster_id="",
            )
        endpoint = call.endpoint
        return responses.DescribeCluster(
            cluster_id=self._cluster_id,
            controller_id=NODE_ID,
            brokers=[responses.DescribeCluster.Broker(broker_id=NODE_ID, host=endpoint.host, port=endpoint.port)],
        )


def _describe(topic: Topic) -> responses.Metadata.Topic:
    return responses.Metadata.Topic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=[_describe_partition(partition) for partition in topic.partitions],
    )


def _describe_partition(partition: Partition) -> responses.Metadata.Partition:
    if partition.offline is not None:
        return responses.Metadata.Partition(
            error_code=ErrorCode.LEADER_NOT_AVAILABLE,
            partition_index=partition.index,
            leader_id=-1,
            leader_epoch=partition.leader_epoch,
            replica_nodes=[NODE_ID],
            offline_replicas=[NODE_ID],
        )
    return responses.Metadata.Partition(
        partition_index=partition.index,
        leader_id=NODE_ID,
        leader_epoch=partition.leader_epoch,
        replica_nodes=[NODE_ID],
        isr_nodes=[NODE_ID],
    )


def _describe_replicas(topic: Topic, shown: list[Partition]) -> responses.DescribeTopicPartitions.Topic:
    return responses.DescribeTopicPartitions.Topic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=[
            responses.DescribeTopicPartitions.Partition(
                error_code=known.error_code,
                partition_index=known.partition_index,
                leader_id=known.leader_id,
                leader_epoch=known.leader_epoch,
                replica_nodes=known.replica_nodes,
                isr_nodes=known.isr_nodes,
                eligible_leader_replicas=[],
                last_known_elr=[],
                offline_replicas=known.offline_replicas,
            )
            for known in map(_describe_partition, shown)
        ],
    )


def _code_of_unknown(name: str) -> ErrorCode:
    try:
        check_topic_name(name, ())
    except RequestError as e:
        return e.code
    return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
