"""The topic configs that the log knows: declared once, for validation, storage and DescribeConfigs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NEVER = 0x7FFFFFFFFFFFFFFF
_INT_MAX = 0x7FFFFFFF


class ConfigType(IntEnum):
    """Kafka's numbers for the types of config values."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    LONG = 5
    DOUBLE = 6
    LIST = 7


class InvalidTopicConfigError(Exception):
    """A topic config that does not exist, or a value that it cannot have. The message names both."""


def _key(
    name: str,
    type_: ConfigType,
    default: str,
    doc: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    one_of: tuple[str | bool, ...] = (),
) -> Any:
    declaration = ConfigKey(name, type_, default, doc, at_least, at_most, one_of)
    return field(default=declaration.parse(default), metadata={"key": declaration})


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One topic config: its name, type and default, and what its values may be."""

    name: str
    type: ConfigType
    default: str
    doc: str
    at_least: float | None
    at_most: float | None
    one_of: tuple[str | bool, ...]

    def parse(self, text: str) -> Any:
        """The typed value of `text`. Raises InvalidTopicConfigError."""
        try:
            value = _PARSERS[self.type](text.strip())
        except ValueError:
            raise InvalidTopicConfigError(f"{self.name}={text!r} is not of type {self.type.name.lower()}") from None
        for item in value if isinstance(value, frozenset) else (value,):
            if self.one_of and item not in self.one_of:
                possible = ", ".join(str(choice).lower() if choice is False else str(choice) for choice in self.one_of)
                raise InvalidTopicConfigError(
                    f"{self.name}={text!r} is not served; "
                    f"{possible} {'is' if len(self.one_of) == 1 else 'are'} possible"
                )
        if self.at_least is not None and value < self.at_least:
            raise InvalidTopicConfigError(f"{self.name}={text} is below {self.at_least}, the least possible")
        if self.at_most is not None and value > self.at_most:
            raise InvalidTopicConfigError(f"{self.name}={text} is above {self.at_most}, the most possible")
        return value


def _parse_boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _parse_list(text: str) -> frozenset[str]:
    return frozenset(item.strip() for item in text.split(",") if item.strip())


_PARSERS: dict[ConfigType, Callable[[str], Any]] = {
    ConfigType.BOOLEAN: _parse_boolean,
    ConfigType.STRING: str,
    ConfigType.INT: int,
    ConfigType.LONG: int,
    ConfigType.DOUBLE: float,
    ConfigType.LIST: _parse_list,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicConfig:
    """The configs of one topic, typed. Names, meanings and defaults are Kafka's."""

    cleanup_policy: frozenset[str] = _key(
        "cleanup.policy", ConfigType.LIST, "delete", "What becomes of old segments.", one_of=("compact", "delete")
    )
    compression_type: str = _key(
        "compression.type",
        ConfigType.STRING,
        "producer",
        "How records are compressed; the log keeps them as they came.",
        one_of=("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
    )
    delete_retention_ms: int = _key(
        "delete.retention.ms", ConfigType.LONG, "86400000", "How long tombstones outlive compaction.", at_least=0
    )
    file_delete_delay_ms: int = _key(
        "file.delete.delay.ms", ConfigType.LONG, "60000", "How long deleted files stay.", at_least=0
    )
    flush_messages: int = _key(
        "flush.messages", ConfigType.LONG, str(_NEVER), "Records after which a sync is awaited.", at_least=1
    )
    flush_ms: int = _key("flush.ms", ConfigType.LONG, str(_NEVER), "Time after which a sync happens.", at_least=0)
    index_interval_bytes: int = _key(
        "index.interval.bytes", ConfigType.INT, "4096", "Bytes of log between two index entries.", at_least=0
    )
    max_compaction_lag_ms: int = _key(
        "max.compaction.lag.ms", ConfigType.LONG, str(_NEVER), "How long a record may stay uncompacted.", at_least=1
    )
    max_message_bytes: int = _key(
        "max.message.bytes", ConfigType.INT, "1048588", "The largest record batch.", at_least=0, at_most=_INT_MAX
    )
    message_timestamp_after_max_ms: int = _key(
        "message.timestamp.after.max.ms",
        ConfigType.LONG,
        "3600000",
        "How far ahead of the log's clock a record's time may be.",
        at_least=0,
    )
    message_timestamp_before_max_ms: int = _key(
        "message.timestamp.before.max.ms",
        ConfigType.LONG,
        str(_NEVER),
        "How far behind the log's clock a record's time may be.",
        at_least=0,
    )
    message_timestamp_type: str = _key(
        "message.timestamp.type",
        ConfigType.STRING,
        "CreateTime",
        "Whose clock gives the timestamps.",
        one_of=("CreateTime", "LogAppendTime"),
    )
    min_cleanable_dirty_ratio: float = _key(
        "min.cleanable.dirty.ratio",
        ConfigType.DOUBLE,
        "0.5",
        "The uncompacted part from which compaction pays.",
        at_least=0,
        at_most=1,
    )
    min_compaction_lag_ms: int = _key(
        "min.compaction.lag.ms", ConfigType.LONG, "0", "How long a record stays uncompacted.", at_least=0
    )
    min_insync_replicas: int = _key(
        "min.insync.replicas", ConfigType.INT, "1", "Replicas that must have a record.", at_least=1
    )
    preallocate: bool = _key(
        "preallocate",
        ConfigType.BOOLEAN,
        "false",
        "Whether segments get their size at once; here they grow as they are written.",
        one_of=(False,),
    )
    retention_bytes: int = _key(
        "retention.bytes", ConfigType.LONG, "-1", "How large a partition may get; -1: any size.", at_least=-1
    )
    retention_ms: int = _key(
        "retention.ms", ConfigType.LONG, "604800000", "How old records may get; -1: any age.", at_least=-1
    )
    segment_bytes: int = _key(
        "segment.bytes", ConfigType.INT, "1073741824", "How large a segment may get.", at_least=14, at_most=_INT_MAX
    )
    segment_index_bytes: int = _key(
        "segment.index.bytes", ConfigType.INT, "10485760", "How large an index may get.", at_least=4
    )
    segment_jitter_ms: int = _key(
        "segment.jitter.ms", ConfigType.LONG, "0", "Random part taken off segment.ms.", at_least=0
    )
    segment_ms: int = _key("segment.ms", ConfigType.LONG, "604800000", "How old an active segment may get.", at_least=1)
    unclean_leader_election_enable: bool = _key(
        "unclean.leader.election.enable", ConfigType.BOOLEAN, "false", "Of no meaning on one node."
    )

    @classmethod
    def of(cls, overrides: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> TopicConfig:
        """The configs with `overrides`, over the broker's own `defaults`. Raises InvalidTopicConfigError."""
        values = {}
        for name, text in {**(defaults or {}), **overrides}.items():
            if name not in _ATTRIBUTES:
                raise InvalidTopicConfigError(f"there is no topic config {name}")
            attribute = _ATTRIBUTES[name]
            values[attribute] = KEYS[name].parse(text)
        return cls(**values)


_ATTRIBUTES: dict[str, str] = {f.metadata["key"].name: f.name for f in fields(TopicConfig)}

KEYS: dict[str, ConfigKey] = {f.metadata["key"].name: f.metadata["key"] for f in fields(TopicConfig)}
"""Every topic config by name."""

BROKER_KEYS: dict[str, str] = {
    "compression.type": "compression.type",
    "log.cleaner.delete.retention.ms": "delete.retention.ms",
    "log.cleaner.max.compaction.lag.ms": "max.compaction.lag.ms",
    "log.cleaner.min.cleanable.ratio": "min.cleanable.dirty.ratio",
    "log.cleaner.min.compaction.lag.ms": "min.compaction.lag.ms",
    "log.cleanup.policy": "cleanup.policy",
    "log.flush.interval.messages": "flush.messages",
    "log.flush.interval.ms": "flush.ms",
    "log.index.interval.bytes": "index.interval.bytes",
    "log.index.size.max.bytes": "segment.index.bytes",
    "log.message.timestamp.after.max.ms": "message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms": "message.timestamp.before.max.ms",
    "log.message.timestamp.type": "message.timestamp.type",
    "log.preallocate": "preallocate",
    "log.retention.bytes": "retention.bytes",
    "log.retention.ms": "retention.ms",
    "log.roll.jitter.ms": "segment.jitter.ms",
    "log.roll.ms": "segment.ms",
    "log.segment.bytes": "segment.bytes",
    "log.segment.delete.delay.ms": "file.delete.delay.ms",
    "message.max.bytes": "max.message.bytes",
    "min.insync.replicas": "min.insync.replicas",
    "unclean.leader.election.enable": "unclean.leader.election.enable",
}
"""The topic config for which each broker config gives the default."""
