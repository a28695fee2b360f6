"""How the topics that source connectors write to are created: the rules of `topic.creation.*`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kconnect.config import Config, ConfigError, key
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect_workers.config.connector_config import SourceConnectorConfig
from kconnect_workers.config.number_types import Short

DEFAULT_GROUP = "default"


class TopicCreation(NamedTuple):
    """How the topics of one group are created. `config` are settings of the topic (cleanup.policy …)."""

    group: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    replication_factor: int
    partitions: int
    config: dict[str, str]

    def covers(self, topic: str) -> bool:
        def matches(patterns: Sequence[str]) -> bool:
            return any(JavaPattern(pattern).matches(topic) for pattern in patterns)

        return matches(self.include) and not matches(self.exclude)


def topic_creation_rules(props: Mapping[str, Any]) -> list[TopicCreation]:
    """The rules of `topic.creation.*`, to be asked in this order; the last covers every topic. None, if
    `topic.creation.default.*` is not given: then brokers create topics, or do not. ConfigError for what is wrong."""
    if "topic.creation.default.replication.factor" not in props and "topic.creation.default.partitions" not in props:
        return []
    default = _topic_creation(DEFAULT_GROUP, props, fallback=None)
    groups: list[str] = SourceConnectorConfig.config_def.keys["topic.creation.groups"].parse(
        props.get("topic.creation.groups", "")
    )
    return [
        *(_topic_creation(group, props, fallback=default) for group in groups if group != DEFAULT_GROUP),
        default,
    ]


class _TopicGroup(Config):
    include: list[str] = key(default=[".*"], doc="Topics of the group: regular expressions in Java's syntax.")
    exclude: list[str] = key(default=[], doc="Topics that are not of the group all the same.")
    replication_factor: Short = key(default=-1, doc="Replication factor; -1 for the broker's default.")
    partitions: int = key(default=-1, doc="Number of partitions; -1 for the broker's default.")


def _topic_creation(group: str, props: Mapping[str, Any], fallback: TopicCreation | None) -> TopicCreation:
    prefix = f"topic.creation.{group}."
    own = {name.removeprefix(prefix): value for name, value in props.items() if name.startswith(prefix)}
    if fallback is not None:
        if "include" not in own:
            raise ConfigError("is required for a group in topic.creation.groups", key=f"{prefix}include")
        own = {"replication.factor": fallback.replication_factor, "partitions": fallback.partitions} | own
    try:
        parsed = _TopicGroup.parse(own)
        for name, patterns in (("include", parsed.include), ("exclude", parsed.exclude)):
            for pattern in patterns:
                valid_regex(name, pattern)
        for name, number in (("replication.factor", parsed.replication_factor), ("partitions", parsed.partitions)):
            if number < 1 and number != -1:
                raise ConfigError("must be at least 1, or -1 for the broker's default", key=name, value=number)
    except ConfigError as e:
        raise ConfigError(e.reason, key=f"{prefix}{e.key}", value=e.value, suggestion=e.suggestion) from e
    known = _TopicGroup.config_def.keys
    config = {name: str(value) for name, value in own.items() if name not in known}
    return TopicCreation(
        group,
        tuple(parsed.include) if fallback is not None else (".*",),
        tuple(parsed.exclude) if fallback is not None else (),
        parsed.replication_factor,
        parsed.partitions,
        config,
    )
