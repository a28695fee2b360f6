"""Our own small client, for what librdkafka cannot do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition

from kconnect.errors import ConnectError
from kconnect.kafka import admin, consumer, producer
from kconnect.kafka.client import Client
from services.processes import poll_until

pytestmark = pytest.mark.interop


@pytest.fixture
def client(cluster) -> Iterator[Client]:
    with Client({"bootstrap.servers": cluster.bootstrap}) as client:
        yield client


def test_the_cluster_describes_itself(client: Client, cluster) -> None:
    description = client.describe_cluster()
    metadata = admin({"bootstrap.servers": cluster.bootstrap}).list_topics(timeout=10)
    assert description.cluster_id == metadata.cluster_id
    assert set(description.brokers) == set(metadata.brokers)


def test_topics_have_the_ids_that_kafkas_tools_show(client: Client, cluster) -> None:
    topic, missing = cluster.new_topic(), f"missing-{uuid.uuid4().hex[:8]}"
    described = cluster.admin.describe_topics(TopicCollection([topic]))[topic].result(30)
    shown = str(described.topic_id).translate(str.maketrans("+/", "-_"))  # librdkafka's alphabet is another
    assert client.topic_ids([topic, missing]) == {topic: shown}
    assert missing not in cluster.admin.list_topics(timeout=10).topics


def test_a_member_that_was_made_to_leave_is_gone(client: Client, cluster) -> None:
    group = topic = f"left-{uuid.uuid4().hex[:8]}"
    servers = {"bootstrap.servers": cluster.bootstrap}
    sending = producer(servers)
    sending.produce(topic, b"x")
    assert sending.flush(10) == 0
    member = consumer({**servers, "group.id": group, "session.timeout.ms": "45000"})
    try:
        member.subscribe([topic])
        assert poll_until(lambda: (member.poll(0.1), bool(member.assignment()))[1], timeout=30, interval=0)
        assert client.members(group) == {member.memberid(): "rdkafka"}
        client.leave_group(group, [member.memberid()])
        asking = admin(servers)
        described = asking.describe_consumer_groups([group])[group].result(30)
        assert described.members == []
        assert client.members(group) == client.members(f"{group}-that-never-was") == {}
        client.leave_group(group, ["long-gone"])
    finally:
        member.close()


def test_a_group_that_cannot_be_is_refused(client: Client) -> None:
    with pytest.raises(ConnectError, match="group"):
        client.leave_group("", ["nobody"])


def test_fenced_producers_fail_and_what_they_left_open_is_aborted(client: Client, cluster) -> None:
    topic, name = cluster.new_topic(), f"fenced-{uuid.uuid4().hex[:8]}"
    servers = {"bootstrap.servers": cluster.bootstrap}
    zombie = producer({**servers, "transactional.id": f"{name}-0"})
    zombie.init_transactions(30)
    zombie.begin_transaction()
    zombie.produce(topic, b"of the zombie")
    assert zombie.flush(30) == 0
    client.fence_producers([f"{name}-0", f"{name}-that-never-was"])
    with pytest.raises(KafkaException):
        zombie.commit_transaction(30)
    reading = consumer(
        {**servers, "group.id": name, "isolation.level": "read_committed", "enable.partition.eof": "true"}
    )
    try:
        reading.assign([TopicPartition(topic, 0, 0)])
        message = reading.poll(30)
        assert message is not None
        assert message.error() is not None, message.value()
        assert message.error().code() == KafkaError._PARTITION_EOF
        assert message.offset() == 2  # the zombie's record, and what aborts it
    finally:
        reading.close()
