"""What every connector takes: topics, topic creation, inherited converters."""

from __future__ import annotations

from typing import Any

import pytest

from kconnect.errors import ConfigError
from kconnect_workers.config.connector_config import (
    ConnectorConfig,
    RestartConfig,
    SinkConnectorConfig,
    SourceConnectorConfig,
    converter_settings,
    sink_topic_errors,
    unknown_keys,
)
from kconnect_workers.config.topic_creation import TopicCreation, topic_creation_rules

WORKER = {
    "key.converter": "StringConverter",
    "value.converter": "JsonConverter",
    "value.converter.schemas.enable": "false",
    "value.converter.schemas.cache.size": "10",
}


def test_a_connector_that_names_no_converter_inherits_the_workers_with_all_its_settings() -> None:
    settings = converter_settings("value", {"value.converter.schemas.enable": "true"}, WORKER)
    assert settings == ("JsonConverter", {"schemas.enable": "false", "schemas.cache.size": "10"}, False)


def test_a_connector_that_names_its_own_inherits_none_of_the_workers_settings() -> None:
    own = {"value.converter": "JsonConverter", "value.converter.decimal.format": "NUMERIC"}
    assert converter_settings("value", own, WORKER) == ("JsonConverter", {"decimal.format": "NUMERIC"}, True)


def test_headers_are_converted_simply_unless_told_otherwise() -> None:
    simple = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
    assert converter_settings("header", {}, WORKER) == (simple, {}, False)
    assert converter_settings("header", {}, WORKER | {"header.converter": "X"}).class_name == "X"
    assert converter_settings("header", {"header.converter": ""}, WORKER).class_name == simple


@pytest.mark.parametrize(
    ("props", "keys"),
    [
        ({"topics": "a,b"}, []),
        ({"topics.regex": "a.*"}, []),
        ({"topics": "a", "topics.regex": " "}, []),
        ({"topics.regex": "("}, []),
        ({}, ["topics", "topics.regex"]),
        ({"topics": " , "}, ["topics", "topics.regex"]),
        ({"topics": "a", "topics.regex": "b"}, ["topics", "topics.regex"]),
        ({"topics": "a,dlq", "errors.deadletterqueue.topic.name": "dlq"}, ["topics"]),
        ({"topics.regex": "d.*", "errors.deadletterqueue.topic.name": "dlq"}, ["topics.regex"]),
        ({"topics.regex": "d", "errors.deadletterqueue.topic.name": "dlq"}, []),
        ({"topics.regex": "(", "errors.deadletterqueue.topic.name": "dlq"}, []),
    ],
)
def test_a_sink_reads_topics_or_a_pattern_but_not_its_dead_letters(props: dict[str, str], keys: list[str]) -> None:
    assert list(sink_topic_errors(props)) == keys


CREATION = {"topic.creation.default.replication.factor": "-1", "topic.creation.default.partitions": "3"}


def test_without_defaults_topics_are_left_to_the_brokers() -> None:
    assert topic_creation_rules({"topic.creation.groups": "", "tasks.max": "1"}) == []


def test_groups_are_asked_in_order_and_inherit_from_the_default() -> None:
    rules = topic_creation_rules(
        CREATION
        | {
            "topic.creation.groups": "logs, wide",
            "topic.creation.logs.include": r"log\.\w+, trace",
            "topic.creation.logs.exclude": r"log\.private",
            "topic.creation.logs.cleanup.policy": "compact",
            "topic.creation.wide.include": ".*",
            "topic.creation.wide.partitions": "12",
        }
    )
    assert [rule.group for rule in rules] == ["logs", "wide", "default"]
    logs, wide, default = rules
    assert logs.config == {"cleanup.policy": "compact"}
    assert (logs.partitions, wide.partitions, default.partitions) == (3, 12, 3)
    assert [rule.replication_factor for rule in rules] == [-1, -1, -1]
    assert [topic for topic in ("log.a", "log.private", "xlog.a", "trace", "traces") if logs.covers(topic)] == [
        "log.a",
        "trace",
    ]
    assert all(isinstance(rule, TopicCreation) and rule.covers("anything") for rule in (wide, default))


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({"topic.creation.groups": "g"}, r"topic\.creation\.g\.include: is required"),
        (
            {"topic.creation.groups": "g", "topic.creation.g.include": "("},
            r"topic\.creation\.g\.include='\(': .*regular expression",
        ),
        ({"topic.creation.groups": "g,g"}, "names g more than once"),
        ({"topic.creation.default.partitions": "0"}, r"topic\.creation\.default\.partitions=0: must be at least 1"),
        ({"topic.creation.default.partitions": "many"}, r"topic\.creation\.default\.partitions='many'"),
    ],
)
def test_wrong_topic_creation_names_the_whole_key(props: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        topic_creation_rules(CREATION | props)


def test_keys_that_nobody_reads_are_told_with_the_nearest() -> None:
    props: dict[str, Any] = {
        "name": "x",
        "topcs": "a",
        "transforms.a.type": "RegexRouter",
        "transforms.a.regx": ".*",
        "key.converter.of.the.worker": "x",
        "value.converter.schemas.enabel": "true",
        "errors.restart.enable": "false",
    }
    known = ["name", "topics", "transforms.a.type", "transforms.a.regex", "value.converter.schemas.enable"]
    assert unknown_keys(props, known) == [
        "topcs is not a setting that anything here reads (did you mean topics?)",
        (
            "transforms.a.regx is not a setting that anything here reads (did you mean transforms.a.regex"
            " or transforms.a.type?)"
        ),
        (
            "value.converter.schemas.enabel is not a setting that anything here reads"
            " (did you mean value.converter.schemas.enable?)"
        ),
    ]


@pytest.mark.parametrize("config", [SourceConnectorConfig, SinkConnectorConfig, RestartConfig])
def test_every_key_is_documented(config: type[ConnectorConfig]) -> None:
    assert [key.name for key in config.config_def.keys.values() if not key.doc.endswith(".")] == []
