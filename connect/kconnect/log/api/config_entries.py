"""Topic configs as the protocol shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol import responses
from kconnect.log.topic_config import KEYS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DYNAMIC_TOPIC_CONFIG = 1
STATIC_BROKER_CONFIG = 4
DEFAULT_CONFIG = 5


def described_entries(
    overrides: Mapping[str, str], *, only: Collection[str] | None, synonyms: bool, documentation: bool
) -> list[responses.DescribeConfigs.ResourceResult]:
    """Every config of a topic, or those of `only`, for DescribeConfigs."""
    entries = []
    for name, key in KEYS.items():
        if only is not None and name not in only:
            continue
        source = DYNAMIC_TOPIC_CONFIG if name in overrides else DEFAULT_CONFIG
        entry = responses.DescribeConfigs.ResourceResult(
            name=name, value=overrides.get(name, key.default), config_source=source, config_type=key.type
        )
        if synonyms and name in overrides:
            entry.synonyms = [
                responses.DescribeConfigs.Synonym(name=name, value=overrides[name], source=DYNAMIC_TOPIC_CONFIG)
            ]
        if documentation:
            entry.documentation = key.doc
        entries.append(entry)
    return entries


def created_entries(overrides: Mapping[str, str]) -> list[responses.CreateTopics.CreatableTopicConfigs]:
    """Every config of a new topic, for CreateTopics."""
    return [
        responses.CreateTopics.CreatableTopicConfigs(
            name=name,
            value=overrides.get(name, key.default),
            config_source=DYNAMIC_TOPIC_CONFIG if name in overrides else DEFAULT_CONFIG,
        )
        for name, key in KEYS.items()
    ]
