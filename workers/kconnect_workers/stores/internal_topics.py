"""The compacted topics that a worker keeps its configs, statuses and offsets in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.cimpl import NewTopic

from kconnect import kafka
from kconnect.errors import ConnectError
from kconnect.kafka.settings import known

_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalTopic:
    name: str
    partitions: int = 1
    replication_factor: int = 1


def create_topics(client_props: Mapping[str, str], topics: Sequence[InternalTopic]) -> None:
    """Create those that do not exist. Blocks; ConnectError naming the topic that cannot be created."""
    admin = kafka.admin(known(client_props, "admin"))
    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=topic.replication_factor,
            config={"cleanup.policy": "compact"},
        )
        for topic in topics
    ]
    for name, outcome in admin.create_topics(new, operation_timeout=_SECONDS, request_timeout=_SECONDS).items():
        try:
            outcome.result()
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ConnectError(f"the internal topic {name} cannot be created: {e.args[0].str()}") from e
