"""The topics of a pool: made as its settings say, and refused where they are of no use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewTopic

from kconnect.errors import ConfigError, ConnectError
from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.stores.internal_topics import InternalTopics, prepare_topics


@pytest.fixture(scope="module")
def admin() -> Iterator[AdminClient]:
    with EmbeddedLog() as log:
        yield AdminClient({"bootstrap.servers": log.bootstrap_servers})


def wanted(name: str, **settings: str) -> InternalTopics:
    props = {
        "bootstrap.servers": "unused:9092",
        "group.id": name,
        "key.converter": "JsonConverter",
        "value.converter": "JsonConverter",
        **{f"{store}.storage.topic": f"{name}-{store}" for store in ("config", "offset", "status")},
        **{key.replace("__", "."): value for key, value in settings.items()},
    }
    return InternalTopics.of_pool(DistributedConfig.parse(props))


def partitions(admin: AdminClient, topics: InternalTopics) -> list[int]:
    names = [topic.name for topic in topics]
    found = admin.describe_topics(TopicCollection(names))
    return [len(found[name].result(30).partitions) for name in names]


def configs(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return {name: str(entry.value) for name, entry in admin.describe_configs([resource])[resource].result(30).items()}


def test_topics_are_made_as_the_settings_say_and_left_alone_the_next_time(admin: AdminClient) -> None:
    topics = wanted(
        "made",
        status__storage__partitions="2",
        config__storage__min__insync__replicas="1",
        config__storage__partitions="7",  # which has no effect, as in Kafka Connect
        offset__storage__segment__bytes="1048576",
        offset__storage__cleanup__policy="delete",
    )
    prepare_topics(admin, topics)
    assert partitions(admin, topics) == [1, 2, 25]
    assert [configs(admin, topic.name)["cleanup.policy"] for topic in topics] == ["compact"] * 3
    assert configs(admin, "made-offset")["segment.bytes"] == "1048576"
    prepare_topics(admin, wanted("made", status__storage__partitions="3"))
    assert partitions(admin, topics) == [1, 2, 25]


def test_replicas_are_wanted_as_the_settings_say(admin: AdminClient) -> None:
    topics = wanted("replicated", config__storage__replication__factor="-1")
    assert [topic.replication_factor for topic in topics] == [-1, 3, 3]
    prepare_topics(admin, topics)  # on a single broker: one of each


@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
@pytest.mark.parametrize("store", ["config", "offset", "status"])
def test_a_topic_that_would_lose_what_it_keeps_is_refused(admin: AdminClient, store: str, policy: str) -> None:
    name = f"deleting-{policy[:3]}-{store}"
    new = NewTopic(name, 1, 1, config={"cleanup.policy": policy})
    admin.create_topics([new])[name].result(30)
    with pytest.raises(ConfigError) as caught:
        prepare_topics(admin, wanted("fit", **{f"{store}__storage__topic": name}))
    assert (caught.value.key, caught.value.value) == (f"{store}.storage.topic", name)
    assert f"cleanup.policy is '{policy}'" in caught.value.reason


def test_a_config_topic_of_several_partitions_is_refused(admin: AdminClient) -> None:
    new = NewTopic("several-config", 2, 1, config={"cleanup.policy": "compact"})
    admin.create_topics([new])["several-config"].result(30)
    with pytest.raises(ConfigError, match="has 2 partitions") as caught:
        prepare_topics(admin, wanted("several"))
    assert caught.value.key == "config.storage.topic"


def test_settings_that_no_topic_has_are_told_with_the_topic(admin: AdminClient) -> None:
    with pytest.raises(ConnectError, match=r"internal topic odd-status cannot be created: .*colour"):
        prepare_topics(admin, wanted("odd", status__storage__colour="blue"))
