"""Factories for confluent-kafka's clients, from Java client properties and with Kafka Connect's defaults.

Nothing here talks to a broker: a client connects in the background, and a wrong address shows when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from kconnect.errors import ConfigError
from kconnect.kafka.settings import ClientKind, translate

T = TypeVar("T")


def producer(props: Mapping[str, str], **callbacks: Any) -> Producer:
    """An idempotent producer whose deliveries never expire, and which partitions keys as the Java client does.

    `callbacks` are confluent-kafka's (`error_cb`, `stats_cb`, `logger` …). Raises ConfigError."""
    return _create(Producer, "producer", props, callbacks)


def consumer(props: Mapping[str, str], **callbacks: Any) -> Consumer:
    """A consumer that commits nothing by itself and begins at the earliest offset. Needs `group.id`.

    `callbacks` are confluent-kafka's (`error_cb`, `on_commit`, `logger` …). Raises ConfigError."""
    if not props.get("group.id"):
        raise ConfigError(
            "a consumer needs a group", key="group.id", suggestion="name one, also when assigning by hand"
        )
    return _create(Consumer, "consumer", props, callbacks)


def admin(props: Mapping[str, str], **callbacks: Any) -> AdminClient:
    """An admin client. `callbacks` are confluent-kafka's (`error_cb`, `logger` …). Raises ConfigError."""
    return _create(AdminClient, "admin", props, callbacks)


def _create(
    client: Callable[[dict[str, Any]], T], kind: ClientKind, props: Mapping[str, str], callbacks: Mapping[str, Any]
) -> T:
    if not (props.get("bootstrap.servers") or props.get("metadata.broker.list")):
        raise ConfigError(f"the {kind} is not told where Kafka is", key="bootstrap.servers", suggestion="host:port[,…]")
    try:
        return client({**translate(props, kind), **callbacks})
    except KafkaException as error:
        raise ConfigError(f"the {kind} refuses its settings: {error.args[0].str()}") from error
