"""Transforms of Jeremy Custenborder's kafka-connect-transform-common, by their Java names."""

from __future__ import annotations

from kconnect.plugin import Plugin

_JAVA = "com.github.jcustenborder.kafka.connect.transform.common."


def _one(module: str, name: str, java: str) -> Plugin:
    return Plugin(f"kconnect_transforms.jcustenborder.{module}:{name}", java=_JAVA + java)


def _two(module: str, name: str) -> list[Plugin]:
    return [_one(module, name + side, f"{name}${side}") for side in ("Key", "Value")]


PLUGINS = [
    *_two("bytes_to_string", "BytesToString"),
    *_two("change_case", "ChangeCase"),
    _one("change_topic_case", "ChangeTopicCase", "ChangeTopicCase"),
    *_two("extract_nested_field", "ExtractNestedField"),
    _one("extract_timestamp", "ExtractTimestampValue", "ExtractTimestamp$Value"),
    *_two("pattern_rename", "PatternRename"),
    *_two("to_json", "ToJSON"),
]
