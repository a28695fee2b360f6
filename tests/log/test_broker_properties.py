"""A broker's settings by Kafka's keys, and what topics make of them."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, ResourceType

from kconnect.log.broker_properties import read_properties
from kconnect.log.errors import LogError
from kconnect.log.limits import Limits
from kconnect.log.settings import BrokerSettings
from kconnect.log.topic_config import BROKER_KEYS, KEYS, TopicConfig
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.raw_client import RawClient


def test_nothing_gives_the_defaults() -> None:
    assert read_properties({}) == BrokerSettings()


def test_every_topic_config_has_a_default_on_the_broker() -> None:
    assert sorted(BROKER_KEYS.values()) == sorted(KEYS)


def test_units_are_those_of_the_keys() -> None:
    settings = read_properties(
        {
            "group.initial.rebalance.delay.ms": "3000",
            "offsets.retention.minutes": "60",
            "num.partitions": "4",
            "auto.create.topics.enable": "FALSE",
            "connections.max.idle.ms": "1500",
        }
    )
    assert settings == BrokerSettings(
        group_initial_rebalance_delay=3.0,
        offsets_retention=3600.0,
        num_partitions=4,
        auto_create_topics=False,
        limits=Limits(max_idle_seconds=1.5),
    )


@pytest.mark.parametrize(
    ("properties", "retention_ms"),
    [
        ({"log.retention.hours": "1"}, 3_600_000),
        ({"log.retention.hours": "1", "log.retention.minutes": "2"}, 120_000),
        ({"log.retention.minutes": "2", "log.retention.ms": "5", "log.retention.hours": "1"}, 5),
        ({"log.retention.hours": "-1"}, -1),
    ],
)
def test_the_finest_form_of_a_time_holds(properties: dict[str, str], retention_ms: int) -> None:
    assert TopicConfig.of({}, read_properties(properties).topic_defaults).retention_ms == retention_ms


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("log.retention.msec", "1", "is log.retention.ms meant?"),
        ("log.retention.ms", "soon", "retention.ms='soon'"),
        ("num.partitions", "0", "num.partitions=0"),
        ("log.cleaner.backoff.ms", "x", "log.cleaner.backoff.ms='x'"),
        ("auto.create.topics.enable", "perhaps", "auto.create.topics.enable='perhaps'"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(key: str, value: str, said: str) -> None:
    with pytest.raises(LogError) as refused:
        read_properties({key: value})
    assert said in str(refused.value)


def test_topics_show_what_they_have_from_the_broker() -> None:
    options = ["--override", "log.retention.hours=1", "--override", "log.segment.bytes=1000"]
    with EmbeddedLog(options=options) as log:
        with RawClient(log.bootstrap_servers) as client:
            client.create_topic(segment_bytes="2000")
        admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
        resource = ConfigResource(ResourceType.TOPIC, "t")
        configs = admin.describe_configs([resource])[resource].result(10)
        shown = {name: (entry.value, ConfigSource(entry.source)) for name, entry in configs.items()}
    assert shown["retention.ms"] == ("3600000", ConfigSource.STATIC_BROKER_CONFIG)
    assert shown["segment.bytes"] == ("2000", ConfigSource.DYNAMIC_TOPIC_CONFIG)
    assert shown["segment.ms"] == ("604800000", ConfigSource.DEFAULT_CONFIG)
    assert list(configs["segment.bytes"].synonyms) == ["segment.bytes", "log.segment.bytes"]
