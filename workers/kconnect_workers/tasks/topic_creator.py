"""Creates the topics that a source task writes to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect.errors import ConnectError
from kconnect_workers.config.topic_creation import TopicCreation

log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0


class TopicCreator:
    """Creates what is missing by `rules`, of which the last covers every topic. Belongs to the task's thread."""

    def __init__(self, rules: Sequence[TopicCreation], make_admin: Callable[[], AdminClient]) -> None:
        self._rules = rules
        self._make_admin = make_admin
        self._admin: AdminClient | None = None
        self._there: set[str] = set()

    def ensure(self, topic: str) -> None:
        """Returns when `topic` exists. ConnectError when it cannot be created. A single broker keeps one replica,
        whatever the rule says."""
        if topic in self._there:
            return
        self._admin = self._admin or self._make_admin()
        try:
            metadata = self._admin.list_topics(timeout=_TIMEOUT_S)
            if topic not in metadata.topics:
                self._create(self._admin, topic, brokers=len(metadata.brokers))
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ConnectError(f"topic {topic} cannot be created: {e.args[0].str()}") from e
        self._there.add(topic)

    def _create(self, admin: AdminClient, topic: str, *, brokers: int) -> None:
        rule = next(rule for rule in self._rules if rule.covers(topic))
        replication = 1 if brokers == 1 else rule.replication_factor
        new = NewTopic(topic, rule.partitions, replication, config=rule.config)
        admin.create_topics([new])[topic].result(_TIMEOUT_S)
        log.info("Topic %s was created by the rules of topic.creation.%s.", topic, rule.group)
