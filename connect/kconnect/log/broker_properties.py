"""A broker's settings from Kafka's own keys, as in a `server.properties`."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from kconnect.log.errors import LogError
from kconnect.log.limits import Limits
from kconnect.log.listener import Endpoint
from kconnect.log.listener_properties import LISTENER_KEYS, is_listener_key
from kconnect.log.settings import BrokerSettings
from kconnect.log.topic_config import BROKER_KEYS, KEYS, InvalidTopicConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MS, _MINUTE = 0.001, 60.0

_COUNTS = {
    "num.partitions": "num_partitions",
    "offsets.topic.num.partitions": "offsets_topic_partitions",
    "offsets.topic.segment.bytes": "offsets_topic_segment_bytes",
    "transaction.state.log.num.partitions": "transaction_state_partitions",
    "transaction.state.log.segment.bytes": "transaction_state_segment_bytes",
    "log.cleaner.dedupe.buffer.size": "cleaner_dedupe_buffer_size",
}
_TIMES = {
    "group.initial.rebalance.delay.ms": ("group_initial_rebalance_delay", _MS),
    "group.min.session.timeout.ms": ("group_min_session_timeout", _MS),
    "group.max.session.timeout.ms": ("group_max_session_timeout", _MS),
    "log.cleaner.backoff.ms": ("cleaner_backoff", _MS),
    "log.flush.offset.checkpoint.interval.ms": ("checkpoint_interval", _MS),
    "log.retention.check.interval.ms": ("retention_check_interval", _MS),
    "offsets.retention.minutes": ("offsets_retention", _MINUTE),
    "offsets.retention.check.interval.ms": ("offsets_retention_check_interval", _MS),
    "producer.id.expiration.ms": ("producer_expiration", _MS),
    "transaction.max.timeout.ms": ("transaction_max_timeout", _MS),
    "transactional.id.expiration.ms": ("transactional_id_expiration", _MS),
}
_LIMITS = {
    "socket.request.max.bytes": ("max_request_size", 1),
    "max.connections": ("max_connections", 1),
    "max.connections.per.ip": ("max_connections_per_ip", 1),
    "connections.max.idle.ms": ("max_idle_seconds", _MS),
}
_QUEUED_BYTES = "queued.max.request.bytes"
_IN_MILLISECONDS = {
    "log.retention.hours": ("retention.ms", 3_600_000),
    "log.retention.minutes": ("retention.ms", 60_000),
    "log.roll.hours": ("segment.ms", 3_600_000),
    "log.roll.jitter.hours": ("segment.jitter.ms", 3_600_000),
}
"""Coarser forms of the same; the finer one holds where both are given."""
_AUTO_CREATE = "auto.create.topics.enable"
_METRICS = "metrics.listener"
_METRICS_URL = re.compile(r"http://(?P<host>\[[0-9a-fA-F:]+\]|[^:/\[\]]*):(?P<port>\d{1,5})/?", re.IGNORECASE)


def read_properties(properties: Mapping[str, str]) -> BrokerSettings:
    """The settings that `properties` give, Kafka's defaults for the rest; listeners are `listener_properties`'.

    Raises LogError, with the key.
    """
    settings: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    topic_defaults: dict[str, str] = {}
    for name in _IN_MILLISECONDS:
        if name in properties:
            topic_key, factor = _IN_MILLISECONDS[name]
            number = _number(name, properties[name])
            topic_defaults[topic_key] = str(number * factor if number >= 0 else -1)
    for name, text in properties.items():
        if name in BROKER_KEYS:
            topic_defaults[BROKER_KEYS[name]] = text
        elif name in _COUNTS:
            settings[_COUNTS[name]] = _number(name, text, at_least=1)
        elif name in _TIMES:
            field, seconds = _TIMES[name]
            settings[field] = _number(name, text, at_least=0) * seconds
        elif name in _LIMITS:
            field, unit = _LIMITS[name]
            limits[field] = _number(name, text, at_least=1) * unit
        elif name == _QUEUED_BYTES:
            size = _number(name, text)
            limits["max_queued_request_bytes"] = size if size > 0 else None
        elif name == _AUTO_CREATE:
            settings["auto_create_topics"] = _boolean(name, text)
        elif name == _METRICS:
            settings["metrics_listener"] = _metrics_listener(text)
        elif name not in _IN_MILLISECONDS and not is_listener_key(name):
            raise LogError(_unknown(name))
    _check_topic_defaults(topic_defaults)
    return BrokerSettings(limits=Limits(**limits), topic_defaults=topic_defaults, **settings)


def _number(name: str, text: str, *, at_least: int = -1) -> int:
    try:
        number = int(text)
    except ValueError:
        raise LogError(f"{name}={text!r} is no number") from None
    if number < at_least:
        raise LogError(f"{name}={text} is below {at_least}, the least possible")
    return number


def _boolean(name: str, text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise LogError(f"{name}={text!r}: true and false are possible")
    return text.strip().lower() == "true"


def _metrics_listener(text: str) -> Endpoint | None:
    if not text.strip():
        return None
    match = _METRICS_URL.fullmatch(text.strip())
    if match is None or int(match["port"]) > 65535:
        raise LogError(f"{_METRICS}={text!r} is not understood; write http://HOST:PORT, such as http://127.0.0.1:9404")
    return Endpoint(match["host"].strip("[]"), int(match["port"]))


def _check_topic_defaults(defaults: Mapping[str, str]) -> None:
    for name, text in defaults.items():
        try:
            KEYS[name].parse(text)
        except InvalidTopicConfigError as e:
            raise LogError(f"the broker's default for topics is wrong: {e}") from e


def _unknown(name: str) -> str:
    singles = (_AUTO_CREATE, _QUEUED_BYTES, _METRICS)
    known = [*BROKER_KEYS, *_COUNTS, *_TIMES, *_LIMITS, *_IN_MILLISECONDS, *singles, *LISTENER_KEYS]
    nearest = difflib.get_close_matches(name, known, 1)
    return f"there is no broker setting {name}" + (f"; is {nearest[0]} meant?" if nearest else "")
