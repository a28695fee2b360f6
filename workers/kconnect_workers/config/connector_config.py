"""The keys that every connector takes, whatever its plugin: Kafka Connect's, and kconnect's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from kconnect.config import HIGH, LOW, Config, ConfigError, Range, Type, ValidList, Width, key
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect.validators import (
    CaseInsensitiveValidString,
    NonEmptyString,
    NonEmptyStringWithoutControlChars,
    NonNullValidator,
    is_topic_name,
    nearest,
)
from kconnect_workers.config.number_types import Long, Short
from kconnect_workers.config.restart_config import ERRORS, RestartConfig

COMMON = "Common"
TRANSFORMS = "Transforms"
PREDICATES = "Predicates"
TOPIC_CREATION = "Topic Creation"
EXACTLY_ONCE = "Exactly Once Support"
OFFSETS_TOPIC = "offsets.topic"


class UniqueAliases:
    """A list that names no alias twice. `of` says of what, in the plural."""

    def __init__(self, of: str) -> None:
        self.of = of

    def __call__(self, name: str, value: Any) -> None:
        twice = sorted({alias for alias in value or () if value.count(alias) > 1})
        if twice:
            raise ConfigError(f"names {', '.join(twice)} more than once", key=name, value=value)

    def __str__(self) -> str:
        return f"unique {self.of}"


class VersionOf:
    """Whether the version key of a plugin shows: when the plugin is named by the key `owner`."""

    def __init__(self, owner: str, versions: Mapping[str, Sequence[str]] | None = None) -> None:
        self.owner = owner
        self.versions = versions or {}

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[Any]:
        return list(self.versions.get(parsed.get(self.owner) or "", ()))

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return parsed.get(self.owner) is not None


class ConnectorConfig(Config):
    """What source and sink connectors have in common."""

    name: Annotated[str, NonEmptyStringWithoutControlChars()] = key(
        importance=HIGH,
        group=COMMON,
        width=Width.MEDIUM,
        display_name="Connector name",
        doc="Name of the connector, unlike that of any other in the pool.",
    )
    connector_class: str = key(
        importance=HIGH,
        group=COMMON,
        width=Width.LONG,
        display_name="Connector class",
        doc="The connector's class: its Python path, the Java class that it stands in for, or a short alias.",
    )
    connector_plugin_version: str | None = key(
        default=None,
        group=COMMON,
        width=Width.MEDIUM,
        display_name="Connector version",
        recommender=VersionOf("connector.class"),
        doc="The version, or range of versions, of the connector to run.",
    )
    tasks_max: Annotated[int, Range(1)] = key(
        default=1,
        importance=HIGH,
        group=COMMON,
        width=Width.SHORT,
        display_name="Tasks max",
        doc="How many tasks the connector may have at most.",
    )
    tasks_max_enforce: bool = key(
        default=True,
        importance=LOW,
        group=COMMON,
        width=Width.SHORT,
        display_name="Enforce tasks max",
        doc="Whether a connector that makes more tasks than tasks.max fails. Deprecated in Kafka.",
    )
    key_converter: str | None = key(
        default=None,
        type=Type.CLASS,
        importance=LOW,
        group=COMMON,
        width=Width.SHORT,
        display_name="Key converter class",
        doc="Converter between the records' keys and the bytes on the topic; the worker's if not given.",
    )
    key_converter_plugin_version: str | None = key(
        default=None,
        importance=LOW,
        group=COMMON,
        width=Width.SHORT,
        display_name="Key converter version",
        recommender=VersionOf("key.converter"),
        doc="The version, or range of versions, of the key converter.",
    )
    value_converter: str | None = key(
        default=None,
        type=Type.CLASS,
        importance=LOW,
        group=COMMON,
        width=Width.SHORT,
        display_name="Value converter class",
        doc="Converter between the records' values and the bytes on the topic; the worker's if not given.",
    )
    value_converter_plugin_version: str | None = key(
        default=None,
        importance=LOW,
        group=COMMON,
        width=Width.SHORT,
        display_name="Value converter version",
        recommender=VersionOf("value.converter"),
        doc="The version, or range of versions, of the value converter.",
    )
    header_converter: str | None = key(
        default=None,
        type=Type.CLASS,
        importance=LOW,
        group=COMMON,
        width=Width.SHORT,
        display_name="Header converter class",
        doc="Converter between header values and bytes; the worker's if not given.",
    )
    header_converter_plugin_version: str | None = key(
        default=None,
        importance=LOW,
        group=COMMON,
        width=Width.SHORT,
        display_name="Header converter version",
        recommender=VersionOf("header.converter"),
        doc="The version, or range of versions, of the header converter.",
    )
    transforms: Annotated[list[str], NonNullValidator(), UniqueAliases("transformation aliases")] = key(
        default=[],
        importance=LOW,
        group=TRANSFORMS,
        order_in_group=12,
        width=Width.LONG,
        display_name="Transforms",
        doc="Aliases of the transforms that records pass, in this order; each has a transforms.ALIAS.type.",
    )
    predicates: Annotated[list[str], NonNullValidator(), UniqueAliases("predicate aliases")] = key(
        default=[],
        importance=LOW,
        group=PREDICATES,
        order_in_group=13,
        width=Width.LONG,
        display_name="Predicates",
        doc="Aliases of the predicates that transforms may refer to; each has a predicates.ALIAS.type.",
    )
    config_action_reload: Literal["none", "restart"] = key(
        default="restart",
        importance=LOW,
        group=COMMON,
        order_in_group=14,
        width=Width.MEDIUM,
        display_name="Reload Action",
        doc="What happens when a value that a config provider gave has expired: restart the connector, or nothing.",
    )
    errors_retry_timeout: Long = key(
        default=0,
        group=ERRORS,
        width=Width.MEDIUM,
        display_name="Retry Timeout for Errors",
        doc="How long a failed operation is tried again, in milliseconds: 0 for not at all, -1 for ever.",
    )
    errors_retry_delay_max_ms: Long = key(
        default=60000,
        group=ERRORS,
        width=Width.MEDIUM,
        display_name="Maximum Delay Between Retries for Errors",
        doc="The longest wait between two tries, in milliseconds.",
    )
    errors_tolerance: Literal["none", "all"] = key(
        default="none",
        group=ERRORS,
        width=Width.SHORT,
        display_name="Error Tolerance",
        doc="none: a bad record fails the task; all: bad records are skipped, and go to the dead letter queue.",
    )
    errors_log_enable: bool = key(
        default=False,
        group=ERRORS,
        width=Width.SHORT,
        display_name="Log Errors",
        doc="Log every error with the operation that failed, and not only those that fail the task.",
    )
    errors_log_include_messages: bool = key(
        default=False,
        group=ERRORS,
        width=Width.SHORT,
        display_name="Log Error Details",
        doc="Say in the log where the bad record came from: topic, partition, offset and timestamp.",
    )


class SourceConnectorConfig(ConnectorConfig):
    """What every source connector takes."""

    topic_creation_groups: Annotated[list[str], NonNullValidator(), UniqueAliases("topic creation groups")] = key(
        default=[],
        importance=LOW,
        group=TOPIC_CREATION,
        width=Width.LONG,
        display_name="Topic Creation Groups",
        doc="Names of groups of topics that are created alike; each has a topic.creation.GROUP.include.",
    )
    exactly_once_support: Annotated[str, CaseInsensitiveValidString("REQUIRED", "REQUESTED")] = key(
        default="requested",
        group=EXACTLY_ONCE,
        order_in_group=2,
        width=Width.SHORT,
        display_name="Exactly once support",
        doc="required: refuse to run where records could be doubled; requested: run there, too.",
    )
    transaction_boundary: Annotated[str, CaseInsensitiveValidString("INTERVAL", "POLL", "CONNECTOR")] = key(
        default="poll",
        group=EXACTLY_ONCE,
        width=Width.SHORT,
        display_name="Transaction Boundary",
        doc="When a transaction ends: after every poll, after an interval, or when the connector says so.",
    )
    transaction_boundary_interval_ms: Annotated[int, Type.LONG, Range(0)] | None = key(
        default=None,
        importance=LOW,
        group=EXACTLY_ONCE,
        width=Width.SHORT,
        display_name="Transaction boundary interval",
        doc="With transaction.boundary=interval, how long a transaction lasts, in milliseconds.",
    )
    offsets_storage_topic: Annotated[str, NonEmptyString()] | None = key(
        default=None,
        importance=LOW,
        group=OFFSETS_TOPIC,
        width=Width.LONG,
        display_name="Offsets topic",
        doc="A topic for this connector's offsets; the worker's if not given.",
    )


class SinkConnectorConfig(ConnectorConfig):
    """What every sink connector takes."""

    topics: Annotated[list[str], ValidList()] = key(
        default=[],
        importance=HIGH,
        group=COMMON,
        order_in_group=4,
        width=Width.LONG,
        display_name="Topics",
        doc="The topics to read, separated by commas.",
    )
    topics_regex: Annotated[str, valid_regex] = key(
        name="topics.regex",
        default="",
        importance=HIGH,
        group=COMMON,
        order_in_group=4,
        width=Width.LONG,
        display_name="Topics regex",
        doc="A regular expression, in Java's syntax, that the whole name of each topic to read matches.",
    )
    errors_deadletterqueue_topic_name: str = key(
        default="",
        group=ERRORS,
        width=Width.MEDIUM,
        display_name="Dead Letter Queue Topic Name",
        doc="Topic for records that could not be processed; nowhere if empty.",
    )
    errors_deadletterqueue_topic_replication_factor: Short = key(
        default=3,
        group=ERRORS,
        width=Width.MEDIUM,
        display_name="Dead Letter Queue Topic Replication Factor",
        doc="Replication factor of that topic, when it is created.",
    )
    errors_deadletterqueue_context_headers_enable: bool = key(
        default=False,
        group=ERRORS,
        width=Width.MEDIUM,
        display_name="Enable Error Context Headers",
        doc="Tell in headers of the dead letters what failed, where and why.",
    )


class ConverterSettings(NamedTuple):
    """The class of a converter as it is configured, and the converter's own settings, without prefix."""

    class_name: str
    props: dict[str, Any]
    is_own: bool
    """Whether the connector named it, and not the worker."""


def converter_settings(
    role: Literal["key", "value", "header"], props: Mapping[str, Any], worker_props: Mapping[str, Any]
) -> ConverterSettings:
    """The converter of a connector: its own with its own settings, or the worker's with all of the worker's.

    A connector that names its own inherits none of the worker's settings for it, and settings of a connector that
    names none are not used: they would be for a class that it does not know.
    """
    name = f"{role}.converter"
    is_own = bool(props.get(name))
    source = props if is_own else worker_props
    class_name = source.get(name) or "org.apache.kafka.connect.storage.SimpleHeaderConverter"
    prefix = f"{name}."
    settings = {k.removeprefix(prefix): v for k, v in source.items() if k.startswith(prefix)}
    return ConverterSettings(str(class_name), settings, is_own)


def sink_topic_errors(props: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a sink's choice of topics, by key; empty when nothing is."""
    topics = _list(props.get("topics"))
    regex = (props.get("topics.regex") or "").strip()
    dead_letters = (props.get("errors.deadletterqueue.topic.name") or "").strip()
    if topics and regex:
        return dict.fromkeys(("topics", "topics.regex"), "topics and topics.regex are both given: remove one of them")
    if not topics and not regex:
        return dict.fromkeys(("topics", "topics.regex"), "neither topics nor topics.regex is given: a sink needs one")
    impossible = [topic for topic in topics if not is_topic_name(topic)]
    if impossible:
        return {
            "topics": f"topics: {impossible[0]!r} cannot be a topic: its letters are a–z, A–Z, 0–9, '.', '_' and '-'"
        }
    loop = f"the dead letter queue {dead_letters} would be read by the connector that writes it: name another topic"
    if dead_letters and dead_letters in topics:
        return {"topics": loop}
    if dead_letters and regex and _matches(regex, dead_letters):
        return {"topics.regex": loop}
    return {}


def _list(text: Any) -> list[str]:
    return [item for item in (part.strip() for part in (text or "").split(",")) if item]


def _matches(regex: str, topic: str) -> bool:
    try:
        return JavaPattern(regex).matches(topic)
    except ConfigError:
        return False  # the key's own validator tells


def idle_keys(props: Mapping[str, Any]) -> list[str]:
    """The given keys that are taken, and have no effect here (yet)."""
    return [name for name in _IDLE if name in props]


_IDLE = ("config.action.reload",)


def unknown_keys(props: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """One line for each given key that nothing reads, for the log. `known` are the keys that a validation of `props`
    answered with: the connector's, the framework's, and those of the transforms, predicates, converters and clients
    that `props` name."""
    names = [*known, *RestartConfig.config_def.keys]
    inherited = [prefix for prefix in _CONVERTERS if not any(name.startswith(prefix) for name in names)]
    return [
        f"{name} is not a setting that anything here reads" + (f" ({close})" if close else "")
        for name in props
        if name not in names and not name.startswith(tuple(inherited))
        for close in [nearest(name, names)]
    ]


_CONVERTERS = ("key.converter.", "value.converter.", "header.converter.")
"""Prefixes of keys that are known only where the connector names a converter of its own."""
