"""How subjects of a schema registry are named: after the topic, the record, or both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from kconnect.errors import ConfigError, DataError

SubjectName: TypeAlias = Callable[[str, bool, str | None], str]
"""The subject for a topic, of keys or not, and a record's full name (None: it is no record)."""


def _topic_name(topic: str, is_key: bool, record: str | None) -> str:
    return f"{topic}-{'key' if is_key else 'value'}"


def _record_name(topic: str, is_key: bool, record: str | None) -> str:
    if record is None:
        side = "key" if is_key else "value"
        raise DataError(
            f"the {side} is no record, so its subject cannot be named after one: "
            f"set {side}.subject.name.strategy=TopicNameStrategy"
        )
    return record


def _topic_record_name(topic: str, is_key: bool, record: str | None) -> str:
    return f"{topic}-{_record_name(topic, is_key, record)}"


STRATEGIES: Final[dict[str, SubjectName]] = {
    "TopicNameStrategy": _topic_name,
    "RecordNameStrategy": _record_name,
    "TopicRecordNameStrategy": _topic_record_name,
}
_PACKAGES: Final = ("io.confluent.kafka.serializers.subject.", "io.confluent.kafka.serializers.")


def strategy_of(name: str) -> SubjectName | None:
    """By the strategy's own name or that of Confluent's class."""
    for package in _PACKAGES:
        name = name.removeprefix(package)
    return STRATEGIES.get(name)


def subject_strategy(key: str, value: Any) -> None:
    """A validator. ConfigError for a name that is no strategy's."""
    if strategy_of(str(value)) is None:
        raise ConfigError("is no strategy", key=key, value=value, suggestion=", ".join(STRATEGIES))
