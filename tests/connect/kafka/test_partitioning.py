"""Keys land on the partitions where the Java client puts them."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, Message
from confluent_kafka.cimpl import NewTopic

from kconnect.kafka import admin, producer
from kconnect.testing.broker import EmbeddedLog

PARTITION_COUNTS = (2, 3, 7, 12, 50, 97)


@pytest.fixture(scope="module")
def placements() -> list[tuple[bytes, tuple[int, ...]]]:
    """10,000 keys, and where the Java client puts each, for each of PARTITION_COUNTS."""
    with gzip.open(Path(__file__).parent / "vectors" / "java_partitions.txt.gz", "rt") as lines:
        rows = [line.rstrip("\n").split(" ") for line in lines if not line.startswith("#")]
    return [(base64.b64decode(row[0] + "=" * (-len(row[0]) % 4)), tuple(map(int, row[1:]))) for row in rows]


def test_librdkafkas_murmur2_is_javas(placements: list[tuple[bytes, tuple[int, ...]]]) -> None:
    assert len(placements) == 10_000
    for key, expected in placements:
        assert tuple(confluent_kafka.murmur2(key, count) for count in PARTITION_COUNTS) == expected, key


@pytest.mark.parametrize("partitions", [3, 12])
def test_a_producer_sends_keys_where_java_sends_them(
    placements: list[tuple[bytes, tuple[int, ...]]], partitions: int
) -> None:
    column = PARTITION_COUNTS.index(partitions)
    landed: dict[bytes, int] = {}

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        key = message.key()
        assert isinstance(key, bytes)
        landed[key] = message.partition() or 0

    with EmbeddedLog() as log:
        servers = {"bootstrap.servers": log.bootstrap_servers}
        creating = admin(servers)
        creating.create_topics([NewTopic("keyed", partitions, 1)])["keyed"].result(30)
        sending = producer(servers)
        for key, _ in placements:
            sending.produce("keyed", key=key, value=b"", on_delivery=on_delivery)
        assert sending.flush(30) == 0
    assert landed == {key: expected[column] for key, expected in placements}
