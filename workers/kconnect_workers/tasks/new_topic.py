"""A topic that a task needs: created where it is not."""

from __future__ import annotations

import logging

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect.errors import ConnectError
from kconnect.kafka.topics import replicas

log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0


def ensure_topic(admin: AdminClient, new: NewTopic) -> bool:
    """Returns when the topic exists; whether it had to be created. ConnectError when it cannot be."""
    topic, wanted = new.topic, new.replication_factor
    try:
        metadata = admin.list_topics(timeout=_TIMEOUT_S)
        if topic in metadata.topics:
            return False
        fitting = replicas(wanted, brokers=len(metadata.brokers))
        if fitting != wanted:
            log.info("%s gets %d replica instead of %d, since there is one broker.", topic, fitting, wanted)
        made = NewTopic(topic, new.num_partitions, fitting, config=new.config or {})
        admin.create_topics([made])[topic].result(_TIMEOUT_S)
    except KafkaException as e:
        if e.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise ConnectError(f"topic {topic} cannot be created: {e.args[0].str()}") from e
    return True
