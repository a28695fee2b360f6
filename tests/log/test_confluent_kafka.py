"""The log as confluent-kafka (librdkafka) sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from kconnect.testing.deadline import Deadline

if TYPE_CHECKING:
    from kconnect.testing.broker import EmbeddedLog


def produce(log: EmbeddedLog, topic: str, values: list[bytes], **settings: object) -> None:
    producer = Producer({"bootstrap.servers": log.bootstrap_servers, **settings})
    failures: list[KafkaError] = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error) if error else None)
    assert producer.flush(30) == 0
    assert failures == []


def consumer(log: EmbeddedLog, group: str, **settings: object) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": log.bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **settings,
        }
    )


def consume(source: Consumer, count: int) -> list[Message]:
    deadline = Deadline(30)
    messages: list[Message] = []
    while len(messages) < count:
        deadline.check(f"{len(messages)} of {count} messages came")
        for message in source.consume(count - len(messages), 0.2):
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise KafkaException(error)
    return messages


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_come_back_as_they_went_in(broker: EmbeddedLog, compression: str) -> None:
    values = [b"value %d" % i * 20 for i in range(500)]
    produce(broker, "t", values, **{"compression.type": compression, "enable.idempotence": True})
    source = consumer(broker, "g")
    source.subscribe(["t"])
    messages = consume(source, len(values))
    assert [message.value() for message in messages] == values
    assert [message.offset() for message in messages] == list(range(len(values)))
    source.close()


def test_committed_offsets_survive_a_kill(broker: EmbeddedLog) -> None:
    produce(broker, "t", [b"%d" % i for i in range(10)])
    first = consumer(broker, "g")
    first.subscribe(["t"])
    consume(first, 4)
    first.commit(offsets=[TopicPartition("t", 0, 4)], asynchronous=False)
    first.close()
    broker.kill()
    broker.restart()
    second = consumer(broker, "g")
    second.subscribe(["t"])
    assert consume(second, 1)[0].value() == b"4"
    second.close()


def test_two_members_share_the_partitions_and_take_over_from_each_other(broker: EmbeddedLog) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic("t", 4, 1)])["t"].result(10)
    members = [consumer(broker, "g", **{"session.timeout.ms": 6000}) for _ in range(2)]
    for member in members:
        member.subscribe(["t"])
    deadline = Deadline(30)
    while [len(member.assignment()) for member in members] != [2, 2]:
        deadline.check("the members have not shared the partitions")
        for member in members:
            member.poll(0.05)
    assert {p.partition for member in members for p in member.assignment()} == {0, 1, 2, 3}
    members[0].close()
    while len(members[1].assignment()) != 4:
        deadline.check("the member that stayed has not taken over")
        members[1].poll(0.05)
    members[1].close()


def test_a_member_goes_on_over_a_restart_of_the_broker(broker: EmbeddedLog) -> None:
    produce(broker, "t", [b"before"])
    source = consumer(broker, "g")
    source.subscribe(["t"])
    consume(source, 1)
    broker.kill()
    broker.restart()
    produce(broker, "t", [b"after"])
    assert consume(source, 1)[0].value() == b"after"
    source.commit(asynchronous=False)
    source.close()


def test_topics_are_made_changed_and_removed(broker: EmbeddedLog) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic("t", 2, 1, config={"cleanup.policy": "compact"})])["t"].result(10)
    admin.create_partitions([NewPartitions("t", 3)])["t"].result(10)
    assert len(admin.list_topics("t", timeout=10).topics["t"].partitions) == 3
    resource = ConfigResource(
        ResourceType.TOPIC,
        "t",
        incremental_configs=[
            ConfigEntry("retention.ms", "1234", incremental_operation=AlterConfigOpType.SET),
            ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.APPEND),
        ],
    )
    admin.incremental_alter_configs([resource])[resource].result(10)
    broker.restart()
    described = ConfigResource(ResourceType.TOPIC, "t")
    configs = admin.describe_configs([described])[described].result(10)
    assert configs["retention.ms"].value == "1234"
    assert configs["cleanup.policy"].value == "compact,delete"
    assert configs["segment.bytes"].value == "1073741824"
    admin.delete_topics(["t"])["t"].result(10)
    assert "t" not in admin.list_topics(timeout=10).topics
    assert not list(broker.data.glob("t-*")) or all(p.name.endswith("-delete") for p in broker.data.glob("t-*"))


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        (NewTopic("rf", 1, 3), KafkaError.INVALID_REPLICATION_FACTOR),
        (NewTopic("none", 0, 1), KafkaError.INVALID_PARTITIONS),
        (NewTopic("a/b", 1, 1), KafkaError.TOPIC_EXCEPTION),
        (NewTopic("..", 1, 1), KafkaError.TOPIC_EXCEPTION),
        (NewTopic("conf", 1, 1, config={"no.such": "1"}), KafkaError.INVALID_CONFIG),
        (NewTopic("conf", 1, 1, config={"retention.ms": "soon"}), KafkaError.INVALID_CONFIG),
        (NewTopic("exists", 1, 1), KafkaError.TOPIC_ALREADY_EXISTS),
        (NewTopic("ex_ists.x", 1, 1), KafkaError.TOPIC_EXCEPTION),
    ],
)
def test_impossible_topics_are_refused_as_kafka_refuses_them(broker: EmbeddedLog, topic: NewTopic, code: int) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    for name in ("exists", "ex.ists.x"):
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
    with pytest.raises(KafkaException) as refused:
        admin.create_topics([topic])[topic.topic].result(10)
    assert refused.value.args[0].code() == code


def test_offsets_are_found_by_time(broker: EmbeddedLog) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for i in range(100):
        producer.produce("t", b"%d" % i, timestamp=1_000_000 + 10 * i)
    assert producer.flush(10) == 0
    source = consumer(broker, "g")
    wanted = [TopicPartition("t", 0, time) for time in (0, 1_000_500, 1_000_501, 9_999_999)]
    found = [source.offsets_for_times([partition], 10)[0].offset for partition in wanted]
    assert found == [0, 50, 51, -1]
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    partition = TopicPartition("t", 0)
    latest = admin.list_offsets({partition: OffsetSpec.max_timestamp()})[partition].result(10)
    assert (latest.offset, latest.timestamp) == (99, 1_000_990)
    source.close()


def test_deleted_records_are_gone_and_stay_gone(broker: EmbeddedLog) -> None:
    produce(broker, "t", [b"%d" % i for i in range(10)], **{"batch.num.messages": 1})
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    partition = TopicPartition("t", 0, 6)
    assert admin.delete_records([partition])[partition].result(10).low_watermark == 6
    broker.kill()
    broker.restart()
    source = consumer(broker, "g")
    source.subscribe(["t"])
    assert [m.value() for m in consume(source, 4)] == [b"6", b"7", b"8", b"9"]
    source.close()


def test_offsets_go_with_their_topic(broker: EmbeddedLog) -> None:
    produce(broker, "t", [b"x"])
    source = consumer(broker, "g")
    source.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.delete_topics(["t"])["t"].result(10)
    produce(broker, "t", [b"another"])
    assert source.committed([TopicPartition("t", 0)], 10)[0].offset == OFFSET_INVALID
    broker.kill()
    broker.restart()
    assert source.committed([TopicPartition("t", 0)], 10)[0].offset == OFFSET_INVALID
    source.close()


def test_groups_are_listed_described_and_deleted(broker: EmbeddedLog) -> None:
    produce(broker, "t", [b"x"])
    source = consumer(broker, "g")
    source.subscribe(["t"])
    consume(source, 1)
    source.commit(asynchronous=False)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    assert [group.group_id for group in admin.list_consumer_groups().result(10).valid] == ["g"]
    described = admin.describe_consumer_groups(["g"])["g"].result(10)
    assert described.state.name == "STABLE"
    assert [p.topic for m in described.members for p in m.assignment.topic_partitions] == ["t"]
    with pytest.raises(KafkaException) as refused:
        admin.delete_consumer_groups(["g"])["g"].result(10)
    assert refused.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    source.close()
    admin.delete_consumer_groups(["g"])["g"].result(10)
    broker.kill()
    broker.restart()
    assert admin.list_consumer_groups().result(10).valid == []
