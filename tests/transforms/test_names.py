"""Transforms and predicates answer to their Java names and to short ones."""

from __future__ import annotations

from typing import Any

import pytest

from kconnect.errors import ConfigError
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("org.apache.kafka.connect.transforms.InsertField$Value", "insert_field:InsertFieldValue"),
        ("InsertField$Key", "insert_field:InsertFieldKey"),
        ("InsertFieldValue", "insert_field:InsertFieldValue"),
        ("kconnect_transforms.cast.CastValue", "cast:CastValue"),
        ("RegexRouter", "regex_router:RegexRouter"),
        ("io.aiven.kafka.connect.transforms.ExtractTopic$Key", "aiven.extract_topic:ExtractTopicKey"),
        ("io.confluent.connect.transforms.ExtractTopic$Key", "confluent.extract_topic:ExtractTopicKey"),
        (
            "io.aiven.kafka.connect.transforms.ExtractTopicFromValueSchema",
            "aiven.extract_topic_from_schema_name:ExtractTopicFromSchemaNameValue",
        ),
        ("io.debezium.transforms.outbox.EventRouter", "debezium.event_router:EventRouter"),
        ("ExtractNewRecordState", "debezium.extract_new_record_state:ExtractNewRecordState"),
    ],
)
def test_transforms_are_found_by_name(plugins: Plugins, name: str, target: str) -> None:
    assert plugins.resolve(PluginKind.TRANSFORMATION, name).class_name == f"kconnect_transforms.{target}"


@pytest.mark.parametrize(
    "name", ["org.apache.kafka.connect.transforms.predicates.TopicNameMatches", "TopicNameMatches"]
)
def test_predicates_are_found_by_name(plugins: Plugins, name: str) -> None:
    found = plugins.resolve(PluginKind.PREDICATE, name)
    assert found.class_name == "kconnect_transforms.predicates:TopicNameMatches"


def test_a_misspelt_transform_gets_a_suggestion(plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="InsertField"):
        plugins.resolve(PluginKind.TRANSFORMATION, "InsertFeild$Value")


def test_every_class_that_is_registered_can_be_loaded(plugins: Plugins) -> None:
    ours = [info for info in plugins.infos if info.class_name.startswith("kconnect_transforms.")]
    assert ours
    for info in ours:
        assert plugins.load(info).__doc__


def test_every_key_of_every_transform_says_what_it_is_for(plugins: Plugins) -> None:
    for info in plugins.of_kind(PluginKind.TRANSFORMATION, PluginKind.PREDICATE):
        loaded: Any = plugins.load(info)
        for key in loaded.config_def().keys.values():
            assert len(key.doc) > 10, f"{info.name}: {key.name}"
