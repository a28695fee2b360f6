"""The checker: what arrived against what was to arrive. It shares no code with the product.

It compares multisets of record ids and the order within each key, since counts alone can hide one loss and one double.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

__all__ = [
    "Arrival",
    "LogRecord",
    "Verdict",
    "ViolationError",
    "committed_offsets",
    "compare",
    "read_topic",
    "stored_offsets",
]

_READ_S = 60.0
_SHOWN = 5


class ViolationError(AssertionError):
    """What must hold does not."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record as it arrived; `key` is what order is kept within."""

    key: str
    id: str


class LogRecord(NamedTuple):
    """One record of the log, as an ordinary client reads it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared: how many arrived, and how many of them had arrived before."""

    arrived: int
    duplicates: int


def compare(expected: Mapping[str, Sequence[str]], arrived: Iterable[Arrival], *, restarts: int) -> Verdict:
    """Hold `arrived`, in their order, to the ids that each key was to bring, in theirs.

    Every id must have come, and none that was not sent. Within a key the ids come in order, and go back at most once
    per restart, from where they then come in order again: nothing is jumped over, not even for a while.
    Raises ViolationError.
    """
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for arrival in arrived:
        by_key[arrival.key].append(arrival.id)
    if strangers := by_key.keys() - expected.keys():
        raise ViolationError(f"records of keys that were never sent: {sorted(strangers)[:_SHOWN]}")
    count = duplicates = 0
    for key, ids in expected.items():
        came = by_key[key]
        _compare_ids(key, Counter(ids), Counter(came))
        _check_order(key, {id_: place for place, id_ in enumerate(ids)}, came, restarts)
        count += len(came)
        duplicates += len(came) - len(ids)
    return Verdict(count, duplicates)


def _compare_ids(key: str, expected: Counter[str], came: Counter[str]) -> None:
    lost = [id_ for id_ in expected if id_ not in came]
    if lost:
        raise ViolationError(f"key {key}: {len(lost)} of {len(expected)} records are lost: {lost[:_SHOWN]} …")
    unknown = [id_ for id_ in came if id_ not in expected]
    if unknown:
        raise ViolationError(f"key {key}: {len(unknown)} records came that were not sent: {unknown[:_SHOWN]} …")


def _check_order(key: str, places: Mapping[str, int], came: Sequence[str], restarts: int) -> None:
    previous = -1
    steps_back = 0
    for id_ in came:
        place = places[id_]
        if place > previous + 1:
            raise ViolationError(f"key {key}: {id_} came {place - previous - 1} records too early")
        steps_back += place <= previous
        previous = place
    if steps_back > restarts:
        raise ViolationError(f"key {key}: order broke {steps_back} times in {restarts} restarts")


def read_topic(bootstrap: str, topic: str) -> list[LogRecord]:
    """Everything that is visible in `topic` now, partition by partition, checksums checked. Empty when there is no
    such topic. ViolationError when it cannot be read to its end."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "checker",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "check.crcs": True,
            "allow.auto.create.topics": False,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=_READ_S).topics[topic].partitions
        found = []
        for partition in sorted(partitions):
            found += _read_partition(consumer, topic, partition)
        return found
    except KafkaException as e:
        raise ViolationError(f"{topic} cannot be read: {e.args[0].str()}") from e
    finally:
        consumer.close()


def _read_partition(consumer: Consumer, topic: str, partition: int) -> list[LogRecord]:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_READ_S)
    consumer.assign([TopicPartition(topic, partition, low)])
    found = []
    deadline = time.monotonic() + _READ_S
    position = low
    while position < high:
        if time.monotonic() > deadline:
            raise ViolationError(f"{topic}-{partition} cannot be read beyond {position} of {high}")
        for message in consumer.consume(1000, 0.5):
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._ALL_BROKERS_DOWN or error.retriable():
                    continue
                raise KafkaException(error)
            offset = message.offset()
            assert offset is not None
            key, value = message.key(), message.value()
            found.append(LogRecord(partition, offset, _bytes(key), _bytes(value)))
            position = offset + 1
    return found


def stored_offsets(bootstrap: str, topic: str, connector: str, partition_key: str, offset_key: str) -> dict[str, int]:
    """What is stored for a source connector: for each value of `partition_key`, the last `offset_key`."""
    found: dict[str, int] = {}
    for record in read_topic(bootstrap, topic):
        name, partition = json.loads(record.key or b"null")
        if name == connector:
            where = str(partition[partition_key])
            if record.value is None:
                found.pop(where, None)
            else:
                found[where] = int(json.loads(record.value)[offset_key])
    return found


def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """By partition, what a group has committed, where it has."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=_READ_S).topics[topic].partitions
        found = consumer.committed([TopicPartition(topic, partition) for partition in partitions], timeout=_READ_S)
        return {place.partition: place.offset for place in found if place.offset >= 0}
    finally:
        consumer.close()


def _bytes(data: str | bytes | None) -> bytes | None:
    return data.encode() if isinstance(data, str) else data
