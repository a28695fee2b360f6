"""Creates the topics that a source task writes to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect_workers.config.topic_creation import TopicCreation
from kconnect_workers.tasks.new_topic import ensure_topic

log = logging.getLogger(__name__)


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
        rule = next(rule for rule in self._rules if rule.covers(topic))
        if ensure_topic(self._admin, NewTopic(topic, rule.partitions, rule.replication_factor, config=rule.config)):
            log.info("Topic %s was created by the rules of topic.creation.%s.", topic, rule.group)
        self._there.add(topic)
