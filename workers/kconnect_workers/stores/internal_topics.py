"""The compacted topics that a worker keeps its configs, statuses and offsets in."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect.errors import ConnectError

QUIET = {"log_level": "0", "log.connection.close": "false"}
"""For a worker's own clients: what fails is told by the call that fails, and not on stderr besides."""

_SECONDS = 10.0


def create_topics(admin: AdminClient, topics: Mapping[str, Mapping[str, str]]) -> None:
    """Create those that do not exist, with one partition on one broker, which is what the embedded log is. `topics`
    are their names with settings of their own. Blocks; ConnectError naming the topic that cannot be created."""
    new = [
        NewTopic(name, num_partitions=1, replication_factor=1, config={"cleanup.policy": "compact", **config})
        for name, config in topics.items()
    ]
    for name, outcome in admin.create_topics(new, operation_timeout=_SECONDS, request_timeout=_SECONDS).items():
        try:
            outcome.result()
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ConnectError(f"the internal topic {name} cannot be created: {e.args[0].str()}") from e
