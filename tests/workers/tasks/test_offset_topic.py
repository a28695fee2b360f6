"""The offsets topic is read to its end, whoever wrote it and how."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.config.worker_config import WorkerConfig
from kconnect_workers.hosts.offset_logs import offset_topic
from kconnect_workers.tasks.offset_storage import OffsetStorage
from kconnect_workers.tasks.offset_topic import OffsetTopic

TOPIC = "connect-offsets-of-transactions"


def opened(bootstrap_servers: str, topic: str) -> OffsetTopic:
    json = "org.apache.kafka.connect.json.JsonConverter"
    worker = {"bootstrap.servers": bootstrap_servers, "key.converter": json, "value.converter": json}
    return offset_topic(WorkerConfig.parse(worker), topic)


def test_every_partition_is_read_and_what_came_while_the_reader_was_idle() -> None:
    with EmbeddedLog() as log:
        admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
        admin.create_topics([NewTopic("many", 5, 1)])["many"].result(30)
        reader, writer = (OffsetStorage("c", opened(log.bootstrap_servers, "many")) for _ in range(2))
        partitions = [{"n": number} for number in range(20)]
        writer.write([(partition, {"at": 0}) for partition in partitions], 30)
        assert reader.offsets([*partitions, {"n": 20}]) == [{"at": 0}] * 20 + [None]
        reader.idle()
        writer.write([({"n": 3}, {"at": 1}), ({"n": 20}, {"at": 1})], 30)
        assert reader.offsets([{"n": 3}, {"n": 4}, {"n": 20}]) == [{"at": 1}, {"at": 0}, {"at": 1}]
        admin.create_partitions([NewPartitions("many", 6)])["many"].result(30)
        producer = Producer({"bootstrap.servers": log.bootstrap_servers})
        producer.produce("many", b'{"at":2}', b'["c",{"n":3}]', partition=5)
        assert producer.flush(30) == 0
        assert reader.offset({"n": 3}) == {"at": 2}
        for storage in (reader, writer):
            storage.close()


def test_a_topic_that_does_not_exist_holds_nothing_and_is_not_made_by_asking() -> None:
    with EmbeddedLog() as log:
        offsets = OffsetStorage("c", opened(log.bootstrap_servers, "none"))
        assert offsets.offset({"n": 1}) is None
        offsets.close()
        assert "none" not in AdminClient({"bootstrap.servers": log.bootstrap_servers}).list_topics(timeout=30).topics


@pytest.mark.interop
def test_a_topic_that_ends_in_a_transactions_marker_is_read_to_its_end(kafka_bootstrap: str) -> None:
    """As Kafka Connect's exactly-once sources leave it. The marker is a record that no consumer is given."""
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(30)
    producer = Producer({"bootstrap.servers": kafka_bootstrap, "transactional.id": TOPIC})
    producer.init_transactions(30)
    for commit in (True, False):
        producer.begin_transaction()
        producer.produce(TOPIC, b"%d" % commit, b"key", partition=0)
        producer.flush(30)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    offsets = opened(kafka_bootstrap, TOPIC)
    found: list[tuple[bytes, bytes | None]] = []
    try:
        offsets.read(lambda key, value: found.append((key, value)))
        offsets.read(lambda key, value: found.append((key, value)))
    finally:
        offsets.close()
    assert found == [(b"key", b"1")]
