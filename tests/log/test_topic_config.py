"""Topic configs: defaults, parsing, refusals."""

from __future__ import annotations

import pytest

from kconnect.log.topic_config import KEYS, InvalidTopicConfigError, TopicConfig


def test_every_default_is_a_value_of_its_own_key() -> None:
    assert TopicConfig.of({name: key.default for name, key in KEYS.items()}) == TopicConfig()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no.such.config", "1"),
        ("retention.ms", "a week"),
        ("retention.ms", "-2"),
        ("cleanup.policy", "shred"),
        ("cleanup.policy", "delete,shred"),
        ("preallocate", "perhaps"),
        ("preallocate", "true"),
        ("segment.bytes", "99999999999"),
        ("min.cleanable.dirty.ratio", "1.5"),
        ("message.timestamp.type", "createtime"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InvalidTopicConfigError, match=name.replace(".", r"\.")):
        TopicConfig.of({name: text})


def test_values_are_typed() -> None:
    config = TopicConfig.of({"cleanup.policy": "compact, delete", "retention.ms": " 5 ", "preallocate": "FALSE"})
    assert config.cleanup_policy == {"compact", "delete"}
    assert (config.retention_ms, config.preallocate) == (5, False)
