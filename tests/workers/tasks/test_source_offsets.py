"""The offsets topic is read to its end, whoever wrote it and how."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect_workers.hosts.task_assembly import offset_topic
from kconnect_workers.worker_config import WorkerConfig

TOPIC = "connect-offsets-of-transactions"


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
    json = "org.apache.kafka.connect.json.JsonConverter"
    worker = {"bootstrap.servers": kafka_bootstrap, "key.converter": json, "value.converter": json}
    offsets = offset_topic(WorkerConfig.parse(worker), TOPIC)
    found: list[tuple[bytes, bytes | None]] = []
    try:
        offsets.read(lambda key, value: found.append((key, value)))
        offsets.read(lambda key, value: found.append((key, value)))
    finally:
        offsets.close()
    assert found == [(b"key", b"1")]
