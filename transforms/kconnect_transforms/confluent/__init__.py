"""Confluent's connect-transforms, by their Java names."""

from __future__ import annotations

from kconnect.plugin import Plugin

_JAVA = "io.confluent.connect.transforms."


def _one(module: str, name: str, java: str) -> Plugin:
    return Plugin(f"kconnect_transforms.confluent.{module}:{name}", java=_JAVA + java)


def _two(module: str, name: str) -> list[Plugin]:
    return [_one(module, name + side, f"{name}${side}") for side in ("Key", "Value")]


PLUGINS = [
    *_two("drop", "Drop"),
    *_two("extract_topic", "ExtractTopic"),
    _one("extract_topic", "ExtractTopicHeader", "ExtractTopic$Header"),
    *_two("filter", "Filter"),
    _one("tombstone_handler", "TombstoneHandler", "TombstoneHandler"),
]
