"""Which log a partition's offsets count in, as the cluster tells a sink task."""

from __future__ import annotations

from collections.abc import Callable

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from kconnect.errors import RetriableError
from kconnect.record import TopicPartition
from kconnect.sink import PartitionLog

_TIMEOUT_S = 10.0


class PartitionLogs:
    """Asks each time: a topic may be made anew while a task runs. Belongs to the task's thread."""

    def __init__(self, consumer: Consumer, make_admin: Callable[[], AdminClient]) -> None:
        self._consumer = consumer
        self._make_admin = make_admin
        self._admin: AdminClient | None = None

    def of(self, partition: TopicPartition) -> PartitionLog:
        """RetriableError when there is no answer within a while."""
        topic = partition.topic
        self._admin = self._admin or self._make_admin()
        try:
            asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=_TIMEOUT_S)
            cluster = self._admin.describe_cluster(request_timeout=_TIMEOUT_S).result(_TIMEOUT_S)
            topic_id = asked[topic].result(_TIMEOUT_S).topic_id
            ends = self._consumer.get_watermark_offsets(
                confluent_kafka.TopicPartition(*partition), timeout=_TIMEOUT_S, cached=False
            )
        except (KafkaException, TimeoutError) as e:
            raise RetriableError(f"{partition}: the cluster does not tell about its log: {e}") from e
        if ends is None:
            raise RetriableError(f"{partition}: the cluster does not tell where its log ends")
        # Clusters before Apache Kafka 2.8 give no topic an id: all of it zero.
        known = topic_id is not None and (topic_id.get_most_significant_bits() or topic_id.get_least_significant_bits())
        return PartitionLog(cluster.cluster_id, str(topic_id) if known else None, *ends)
