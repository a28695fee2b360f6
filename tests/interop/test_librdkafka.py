"""confluent-kafka, the client that kconnect itself uses."""

import time

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    OffsetSpec,
    PartitionMetadata,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from services.processes import poll_until

pytestmark = pytest.mark.interop
SECONDS = 30


def produce(cluster, topic: str, values: list[bytes], **settings: object) -> list[Message]:
    delivered: list[Message] = []

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        delivered.append(message)

    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", **settings})
    for value in values:
        producer.produce(topic, value=value, on_delivery=on_delivery)
    assert producer.flush(SECONDS) == 0
    return delivered


def consume(consumer: Consumer, count: int) -> list[Message]:
    messages: list[Message] = []
    deadline = time.monotonic() + SECONDS
    while len(messages) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        assert message.error() is None, message.error()
        messages.append(message)
    return messages


def partitions_of(cluster, topic: str) -> dict[int, PartitionMetadata]:
    return cluster.admin.list_topics(topic, timeout=SECONDS).topics[topic].partitions


def consumer_of(cluster, group: str, **settings: object) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **settings,
        }
    )


@pytest.mark.parametrize("idempotent", [False, True])
def test_what_is_acknowledged_is_read_in_order(cluster, idempotent: bool) -> None:
    topic = cluster.new_topic()
    values = [b"%d" % number for number in range(5000)]

    delivered = produce(cluster, topic, values, **{"enable.idempotence": idempotent})
    consumer = consumer_of(cluster, f"group-{topic}")
    consumer.subscribe([topic])
    read = consume(consumer, len(values))
    consumer.close()

    assert [message.offset() for message in delivered] == list(range(len(values)))
    assert [(message.offset(), message.value()) for message in read] == list(enumerate(values))


def test_a_group_goes_on_where_it_committed(cluster) -> None:
    topic = cluster.new_topic()
    produce(cluster, topic, [b"a", b"b", b"c", b"d"])

    first = consumer_of(cluster, f"group-{topic}")
    first.subscribe([topic])
    consume(first, 2)
    first.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    first.close()
    second = consumer_of(cluster, f"group-{topic}")
    second.subscribe([topic])
    read = consume(second, 2)
    second.close()

    assert [message.value() for message in read] == [b"c", b"d"]


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_two_members_share_the_partitions_and_the_one_that_stays_gets_all(cluster, strategy: str) -> None:
    topic = cluster.new_topic(partitions=4)
    members = [consumer_of(cluster, f"group-{topic}", **{"partition.assignment.strategy": strategy}) for _ in range(2)]

    def assigned() -> list[int]:
        for member in members:
            member.poll(0.1)
        return [len(member.assignment()) for member in members]

    def wait_for(expected: list[int]) -> None:
        deadline = time.monotonic() + SECONDS
        while assigned() != expected:
            assert time.monotonic() < deadline, assigned()

    for member in members:
        member.subscribe([topic])
    wait_for([2, 2])
    members.pop().close()
    wait_for([4])
    members.pop().close()


def test_offsets_are_found_by_time(cluster) -> None:
    topic = cluster.new_topic()
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "linger.ms": 0})
    base = int(time.time() * 1000) - 10_000
    for step in range(5):
        producer.produce(topic, value=b"x", timestamp=base + 1000 * step)
        assert producer.flush(SECONDS) == 0

    def offset_of(spec: OffsetSpec) -> int:
        partition = TopicPartition(topic, 0)
        return cluster.admin.list_offsets({partition: spec})[partition].result(SECONDS).offset

    assert offset_of(OffsetSpec.earliest()) == 0
    assert offset_of(OffsetSpec.latest()) == 5
    assert offset_of(OffsetSpec.for_timestamp(base + 1500)) == 2
    assert offset_of(OffsetSpec.for_timestamp(base + 60_000)) == -1


def test_topics_are_made_widened_and_deleted(cluster) -> None:
    topic = cluster.new_topic(partitions=2)

    cluster.admin.create_partitions([NewPartitions(topic, 5)])[topic].result(SECONDS)
    # A broker's metadata follows a change, a moment behind the answer to who asked for it.
    assert poll_until(lambda: len(partitions_of(cluster, topic)) == 5, timeout=SECONDS)

    cluster.admin.delete_topics([topic])[topic].result(SECONDS)
    assert poll_until(lambda: topic not in cluster.admin.list_topics(timeout=SECONDS).topics, timeout=SECONDS)


def test_a_topic_that_exists_is_not_made_again(cluster) -> None:
    topic = cluster.new_topic()
    with pytest.raises(KafkaException) as raised:
        cluster.admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SECONDS)

    assert raised.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS


def test_more_replicas_than_brokers_are_refused(cluster) -> None:
    with pytest.raises(KafkaException) as raised:
        cluster.admin.create_topics([NewTopic("three-replicas", 1, 3)])["three-replicas"].result(SECONDS)

    assert raised.value.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR


def test_topic_configs_are_described_and_altered(cluster) -> None:
    topic = cluster.new_topic(**{"cleanup.policy": "compact"})
    resource = ConfigResource(ResourceType.TOPIC, topic)

    def config() -> dict[str, str]:
        entries = cluster.admin.describe_configs([resource])[resource].result(SECONDS)
        return {name: entry.value for name, entry in entries.items()}

    assert config()["cleanup.policy"] == "compact"
    change = ConfigEntry("retention.ms", "60000", incremental_operation=AlterConfigOpType.SET)
    wanted = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])
    cluster.admin.incremental_alter_configs([wanted])[wanted].result(SECONDS)

    assert poll_until(lambda: config()["retention.ms"] == "60000", timeout=SECONDS)
    assert config()["cleanup.policy"] == "compact"


def test_group_offsets_are_listed_by_the_admin_client(cluster) -> None:
    topic, group = cluster.new_topic(), cluster.new_topic()
    consumer = consumer_of(cluster, group)
    consumer.commit(offsets=[TopicPartition(topic, 0, 7)], asynchronous=False)
    consumer.close()

    [listed] = cluster.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()

    offsets = listed.result(SECONDS).topic_partitions
    assert [(partition.topic, partition.partition, partition.offset) for partition in offsets] == [(topic, 0, 7)]


def test_a_reader_waits_for_what_is_not_there_yet(cluster) -> None:
    topic = cluster.new_topic()
    consumer = consumer_of(cluster, f"group-{topic}")
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    assert consumer.poll(0.5) is None

    produce(cluster, topic, [b"late"])

    assert [message.value() for message in consume(consumer, 1)] == [b"late"]
    consumer.close()


def test_records_of_a_megabyte_go_through(cluster) -> None:
    topic = cluster.new_topic()
    values = [bytes([number]) * 900_000 for number in range(5)]

    produce(cluster, topic, values)
    consumer = consumer_of(cluster, f"group-{topic}")
    consumer.subscribe([topic])
    read = consume(consumer, len(values))
    consumer.close()

    assert [message.value() for message in read] == values
