"""A worker whose user may not do all that the internal topics need, on a Kafka with an authorizer."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from kconnect import kafka
from kconnect.errors import ConfigError
from kconnect_workers.stores.internal_topics import InternalTopics, prepare_topics
from services.kafka.broker import running_kafka
from services.processes import poll_until

pytestmark = [pytest.mark.interop, pytest.mark.needs("kafka")]

_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A Kafka, seen by its administrator and by a user who has no rights but those given."""

    administrator: AdminClient
    user: AdminClient

    def allow(self, topic: str, *operations: AclOperation) -> None:
        for operation in operations:
            rule = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:bob", "*")
            binding = AclBinding(*rule, operation, AclPermissionType.ALLOW)
            self.administrator.create_acls([binding])[binding].result(30)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f'{_LOGIN} user_bob="of bob";',
    }
    folder = tmp_path_factory.mktemp("guarded")
    with running_kafka(folder, listeners=("SASL_PLAINTEXT",), settings=settings) as running:
        user = {
            "bootstrap.servers": running.listeners["SASL_PLAINTEXT"],
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": f'{_LOGIN} username="bob" password="of bob";',
        }
        yield Guarded(kafka.admin({"bootstrap.servers": running.bootstrap}), kafka.admin(user))


@pytest.fixture
def topics() -> InternalTopics:
    name = uuid.uuid4().hex[:8]
    return InternalTopics.of_one_broker(configs=f"{name}-configs", statuses=f"{name}-status", offsets=f"{name}-offsets")


def test_topics_that_may_be_neither_created_nor_seen_are_named_with_their_setting(
    guarded: Guarded, topics: InternalTopics
) -> None:
    with pytest.raises(ConfigError, match="this worker is not allowed to see it") as caught:
        prepare_topics(guarded.user, topics)
    assert (caught.value.key, caught.value.value) == ("config.storage.topic", topics.configs.name)


def test_a_topic_that_is_missing_and_may_not_be_created_is_named(guarded: Guarded, topics: InternalTopics) -> None:
    guarded.allow(topics.configs.name, AclOperation.DESCRIBE)
    with pytest.raises(ConfigError, match="does not exist, and this worker is not allowed to create it"):
        prepare_topics(guarded.user, topics)


def test_topics_that_an_administrator_has_created_are_taken_with_a_warning_where_their_policy_is_hidden(
    guarded: Guarded, topics: InternalTopics, caplog: pytest.LogCaptureFixture
) -> None:
    compact = {"cleanup.policy": "compact"}
    new = [NewTopic(topic.name, num_partitions=1, replication_factor=1, config=compact) for topic in topics]
    for created in guarded.administrator.create_topics(new).values():
        created.result(30)
    for topic in topics:
        guarded.allow(topic.name, AclOperation.DESCRIBE)
    names = {topic.name for topic in topics}
    assert poll_until(lambda: names <= guarded.user.list_topics(timeout=30).topics.keys(), timeout=30)
    with caplog.at_level(logging.WARNING, "kconnect_workers"):
        prepare_topics(guarded.user, topics)
    assert [topic.name for topic in topics if f"topic {topic.name} is taken to be compacted" not in caplog.text] == []
