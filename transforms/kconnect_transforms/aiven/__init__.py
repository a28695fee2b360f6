"""Aiven's transforms-for-apache-kafka-connect, by their Java names."""

from __future__ import annotations

from kconnect.plugin import Plugin

_JAVA = "io.aiven.kafka.connect.transforms."


def _one(module: str, name: str, *java: str) -> Plugin:
    return Plugin(f"kconnect_transforms.aiven.{module}:{name}", java=tuple(_JAVA + each for each in java))


def _two(module: str, name: str) -> list[Plugin]:
    return [_one(module, name + side, f"{name}${side}") for side in ("Key", "Value")]


PLUGINS = [
    *_two("extract_timestamp", "ExtractTimestamp"),
    *_two("extract_topic", "ExtractTopic"),
    _one(
        "extract_topic_from_schema_name",
        "ExtractTopicFromSchemaNameValue",
        "ExtractTopicFromSchemaName$Value",
        "ExtractTopicFromValueSchema",  # its older name
    ),
    *_two("filter_by_field_value", "FilterByFieldValue"),
    *_two("hash", "Hash"),
    _one("key_to_value", "KeyToValue", "KeyToValue"),
    _one("make_tombstone", "MakeTombstone", "MakeTombstone"),
    _one("tombstone_handler", "TombstoneHandler", "TombstoneHandler"),
]
