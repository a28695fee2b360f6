"""Topic configs as the protocol shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol import responses
from kconnect.log.topic_config import BROKER_KEYS, KEYS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DYNAMIC_TOPIC_CONFIG = 1
STATIC_BROKER_CONFIG = 4
DEFAULT_CONFIG = 5

_BROKER_NAMES = {topic_key: broker_key for broker_key, topic_key in BROKER_KEYS.items()}


def described_entries(
    overrides: Mapping[str, str],
    defaults: Mapping[str, str],
    *,
    only: Collection[str] | None,
    synonyms: bool,
    documentation: bool,
) -> list[responses.DescribeConfigs.ResourceResult]:
    """Every config of a topic, or those of `only`, for DescribeConfigs; `defaults` are those of the broker."""
    entries = []
    for name, key in KEYS.items():
        if only is not None and name not in only:
            continue
        value, source = _value(name, overrides, defaults)
        entry = responses.DescribeConfigs.ResourceResult(
            name=name, value=value, config_source=source, config_type=key.type
        )
        if synonyms:
            entry.synonyms = _synonyms(name, overrides, defaults)
        if documentation:
            entry.documentation = key.doc
        entries.append(entry)
    return entries


def created_entries(
    overrides: Mapping[str, str], defaults: Mapping[str, str]
) -> list[responses.CreateTopics.CreatableTopicConfigs]:
    """Every config of a new topic, for CreateTopics."""
    entries = []
    for name in KEYS:
        value, source = _value(name, overrides, defaults)
        entries.append(responses.CreateTopics.CreatableTopicConfigs(name=name, value=value, config_source=source))
    return entries


def _value(name: str, overrides: Mapping[str, str], defaults: Mapping[str, str]) -> tuple[str, int]:
    """(the value that holds, where it is from)"""
    if name in overrides:
        return overrides[name], DYNAMIC_TOPIC_CONFIG
    if name in defaults:
        return defaults[name], STATIC_BROKER_CONFIG
    return KEYS[name].default, DEFAULT_CONFIG


def _synonyms(
    name: str, overrides: Mapping[str, str], defaults: Mapping[str, str]
) -> list[responses.DescribeConfigs.Synonym]:
    """What would hold one after the other, the broker's configs under their own names."""
    found = []
    if name in overrides:
        found.append((name, overrides[name], DYNAMIC_TOPIC_CONFIG))
    if name in defaults:
        found.append((_BROKER_NAMES[name], defaults[name], STATIC_BROKER_CONFIG))
    found.append((_BROKER_NAMES[name], KEYS[name].default, DEFAULT_CONFIG))
    return [responses.DescribeConfigs.Synonym(name=n, value=v, source=s) for n, v, s in found]
