"""Compacted topics, read from their beginnings to their ends as entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka import admin as admin_module
from confluent_kafka.admin import AdminClient

Place: TypeAlias = tuple[str, int]
"""A topic and the number of a partition."""

READING = {
    "enable.partition.eof": "true",
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
}
"""What the consumer of a `TopicReader` has to be set to."""

_UNTYPED: Any = admin_module  # it exports OffsetSpec, and does not say so
_LATEST = _UNTYPED.OffsetSpec.latest()

_BATCH = 500


class ReadEntry(NamedTuple):
    """A record; a value of None deletes the key."""

    topic: str
    offset: int
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Read:
    """What one poll brought. `positions` say how far partitions have been read with it: an end may lie behind records
    that no consumer is given, markers of transactions and what was aborted."""

    entries: list[ReadEntry] = field(default_factory=list)
    """In the order of each partition. Records without a key are left out."""
    positions: dict[Place, int] = field(default_factory=dict)
    errors: list[KafkaError] = field(default_factory=list)
    """What the consumer reports; reading goes on behind it where that is possible."""


class TopicReader:
    """Reads by a consumer that is set as `READING` says and is no one else's. Belongs to one thread."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def begin(self, positions: Mapping[Place, int]) -> None:
        """Read these partitions too, each from its position on (0 for its beginning)."""
        if positions:
            self._consumer.incremental_assign([TopicPartition(*place, at) for place, at in positions.items()])

    def poll(self, timeout_s: float) -> Read:
        """Wait up to `timeout_s` seconds for one record, and take those that are there with it."""
        read = Read()
        first = self._consumer.poll(timeout_s)
        if first is not None:
            for message in (first, *self._consumer.consume(_BATCH, 0)):
                _take(message, read)
        return read

    def close(self) -> None:
        self._consumer.close()


def ends_of(admin: AdminClient, topic: str, timeout_s: float) -> dict[Place, int]:
    """The ends of a topic's partitions as they are now, by two requests however many there are; none when there is no
    such topic (none is created by this question). KafkaException when they cannot be had within `timeout_s` each.

    By an admin client: on a consumer's connection the answer would wait for that of a fetch.
    """
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s)[topic].result(timeout_s)
    except KafkaException as e:
        if e.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return {}
        raise
    wanted = {TopicPartition(topic, partition.id): _LATEST for partition in described.partitions}
    found = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=timeout_s)
    return {(topic, asked.partition): answer.result(timeout_s).offset for asked, answer in found.items()}


def have_reached(positions: Mapping[Place, int], ends: Mapping[Place, int]) -> bool:
    return all(positions.get(place, 0) >= end for place, end in ends.items())


def _take(message: Message, read: Read) -> None:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        read.errors.append(error)
        return
    if topic is None or partition is None or offset is None:
        return
    if error is not None:
        read.positions[topic, partition] = offset
        return
    key, value = message.key(), message.value()
    if key is not None:
        read.entries.append(ReadEntry(topic, offset, _bytes(key), None if value is None else _bytes(value)))
    read.positions[topic, partition] = offset + 1


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
