"""Messages that were read are had again, byte for byte, as long as the log has them."""

from __future__ import annotations

from collections.abc import Iterator

import confluent_kafka
import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from kconnect.errors import ConnectError
from kconnect.record import TopicPartition
from kconnect_workers.tasks.raw_messages import RawMessages
from services.stage import Kafka


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own, with a thousand records in each of two partitions."""
    name: str = request.node.name
    kafka.create(name, 2)
    for partition in (0, 1):
        kafka.produce(name, [b"%d-%d" % (partition, n) for n in range(1000)], partition)
    return name


@pytest.fixture
def raw(kafka: Kafka) -> Iterator[RawMessages]:
    settings = {"bootstrap.servers": kafka.address, "group.id": "raw", "enable.auto.commit": False}
    messages = RawMessages(
        lambda: Consumer({**settings, "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    )
    yield messages
    messages.close()


def test_messages_are_found_in_any_order(raw: RawMessages, topic: str) -> None:
    for partition, offset in [(0, 3), (0, 5), (0, 4), (1, 990), (0, 999), (0, 0), (1, 999)]:
        found = raw.message(TopicPartition(topic, partition), offset)
        assert found.value() == b"%d-%d" % (partition, offset)


def test_a_message_that_came_after_the_end_had_been_seen_is_found(raw: RawMessages, topic: str, kafka: Kafka) -> None:
    place = TopicPartition(topic, 0)
    assert raw.message(place, 999).value() == b"0-999"
    kafka.produce(topic, [b"late"])
    assert raw.message(place, 1000).value() == b"late"


def test_a_message_that_the_log_has_given_up_is_said_to_be_gone(raw: RawMessages, topic: str, kafka: Kafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.address})
    for future in admin.delete_records([confluent_kafka.TopicPartition(topic, 0, 1000)]).values():
        future.result(30)
    with pytest.raises(ConnectError, match=f"{topic}-0@7 cannot be read again: the log does not have it any more"):
        raw.message(TopicPartition(topic, 0), 7)
