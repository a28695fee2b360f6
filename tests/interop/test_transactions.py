"""Transactions, by librdkafka and by the Java clients, on the embedded log and on the real Apache Kafka."""

import re

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from kconnect.testing.deadline import Deadline
from services.processes import poll_until

pytestmark = pytest.mark.interop
SECONDS = 30


def transactional(cluster, transactional_id: str, **settings: object) -> Producer:
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "transactional.id": transactional_id, **settings})
    producer.init_transactions(SECONDS)
    return producer


def write(producer: Producer, topic: str, *values: bytes) -> None:
    """Let the values be in the log, whatever becomes of their transaction."""
    for value in values:
        producer.produce(topic, value=value, partition=0)
    assert producer.flush(SECONDS) == 0


def values_in(cluster, topic: str, isolation: str = "read_committed") -> list[bytes]:
    """All that a reader sees of partition 0, until its end."""
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": f"reader-{topic}",
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    deadline = Deadline(SECONDS)
    values = []
    while True:
        deadline.check(f"the end of {topic} does not come")
        message = consumer.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return values
        assert error is None, error
        values.append(message.value())


def end_offset(cluster, topic: str, isolation: IsolationLevel) -> int:
    partition = TopicPartition(topic, 0)
    future = cluster.admin.list_offsets({partition: OffsetSpec.latest()}, isolation_level=isolation)[partition]
    return future.result(SECONDS).offset


def committed(cluster, group: str, topic: str) -> int:
    [listed] = cluster.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    offsets = {(p.topic, p.partition): p.offset for p in listed.result(SECONDS).topic_partitions}
    return offsets.get((topic, 0), -1)


def test_what_is_committed_is_read_and_what_is_aborted_is_not(cluster) -> None:
    topic = cluster.new_topic()
    producer = transactional(cluster, f"tx-{topic}")

    for number in range(6):
        producer.begin_transaction()
        write(producer, topic, b"%d" % number)
        if number % 2:
            producer.abort_transaction(SECONDS)
        else:
            producer.commit_transaction(SECONDS)

    assert values_in(cluster, topic) == [b"0", b"2", b"4"]
    assert values_in(cluster, topic, "read_uncommitted") == [b"%d" % number for number in range(6)]
    assert end_offset(cluster, topic, IsolationLevel.READ_COMMITTED) == 12


def test_readers_of_what_is_committed_wait_for_the_oldest_open_transaction(cluster) -> None:
    topic = cluster.new_topic()
    slow, quick = transactional(cluster, f"slow-{topic}"), transactional(cluster, f"quick-{topic}")

    slow.begin_transaction()
    write(slow, topic, b"slow")
    quick.begin_transaction()
    write(quick, topic, b"quick")
    quick.commit_transaction(SECONDS)
    before = values_in(cluster, topic)
    ends = [end_offset(cluster, topic, level) for level in IsolationLevel]
    slow.commit_transaction(SECONDS)

    assert before == []
    assert ends == [3, 0]
    assert values_in(cluster, topic) == [b"slow", b"quick"]


def test_a_transaction_over_partitions_and_group_offsets_is_whole(cluster) -> None:
    source, topic = cluster.new_topic(), cluster.new_topic(partitions=3)
    group = f"group-{topic}"
    producer = transactional(cluster, f"tx-{topic}")
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group, "enable.auto.commit": False})

    for offset, end in [(5, producer.commit_transaction), (9, producer.abort_transaction)]:
        producer.begin_transaction()
        for partition in range(3):
            producer.produce(topic, value=b"%d" % offset, partition=partition)
        producer.send_offsets_to_transaction(
            [TopicPartition(source, 0, offset)], consumer.consumer_group_metadata(), SECONDS
        )
        end(SECONDS)
    consumer.close()

    assert committed(cluster, group, source) == 5
    assert values_in(cluster, topic) == [b"5"]


def test_offsets_of_an_open_transaction_are_unstable(cluster) -> None:
    source = cluster.new_topic()
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": f"group-{source}"})
    producer = transactional(cluster, f"tx-{source}")

    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(source, 0, 7)], consumer.consumer_group_metadata(), SECONDS)
    with pytest.raises(KafkaException) as raised:
        consumer.committed([TopicPartition(source, 0)], 2)
    producer.commit_transaction(SECONDS)

    assert raised.value.args[0].code() == KafkaError._TIMED_OUT
    assert consumer.committed([TopicPartition(source, 0)], SECONDS)[0].offset == 7
    consumer.close()


def test_a_successor_aborts_what_is_open_and_fences_its_predecessor(cluster) -> None:
    topic = cluster.new_topic()
    zombie = transactional(cluster, f"tx-{topic}")
    zombie.begin_transaction()
    write(zombie, topic, b"of the zombie")

    successor = transactional(cluster, f"tx-{topic}")
    assert values_in(cluster, topic) == []
    assert end_offset(cluster, topic, IsolationLevel.READ_COMMITTED) == 2
    successor.begin_transaction()
    write(successor, topic, b"of the successor")
    with pytest.raises(KafkaException) as raised:
        zombie.commit_transaction(SECONDS)
    successor.commit_transaction(SECONDS)

    assert raised.value.args[0].code() == KafkaError._FENCED
    assert raised.value.args[0].fatal()
    assert values_in(cluster, topic) == [b"of the successor"]


def test_a_transaction_whose_time_is_over_is_aborted(cluster) -> None:
    topic = cluster.new_topic()
    producer = transactional(cluster, f"tx-{topic}", **{"transaction.timeout.ms": 1000, "log_level": 0})

    producer.begin_transaction()
    write(producer, topic, b"too late")
    assert poll_until(lambda: end_offset(cluster, topic, IsolationLevel.READ_COMMITTED) > 0, timeout=60, interval=0.2)

    with pytest.raises(KafkaException) as raised:
        producer.commit_transaction(SECONDS)
    assert raised.value.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
    assert values_in(cluster, topic) == []


def test_more_time_than_the_broker_gives_is_refused(cluster) -> None:
    producer = Producer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "transactional.id": "patient",
            "transaction.timeout.ms": 900_001,
            "log_level": 0,
        }
    )
    with pytest.raises(KafkaException) as raised:
        producer.init_transactions(SECONDS)
    assert raised.value.args[0].code() == KafkaError.INVALID_TRANSACTION_TIMEOUT


@pytest.fixture
def tool(kafka_tools, cluster):
    """Run a tool against the cluster."""

    def run(name: str, *arguments: str, stdin: str | None = None) -> str:
        return kafka_tools.run(name, "--bootstrap-server", cluster.bootstrap, *arguments, stdin=stdin)

    return run


def test_the_java_producers_transactions_are_read_by_the_java_consumer(tool, cluster, kafka_tools) -> None:
    topic = cluster.new_topic(partitions=2)

    kafka_tools.run(
        "kafka-producer-perf-test",
        *("--topic", topic, "--num-records", "3000", "--record-size", "100", "--throughput", "3000"),
        *("--transactional-id", f"perf-{topic}", "--transaction-duration-ms", "100"),
        *("--bootstrap-server", cluster.bootstrap, "--command-property", "acks=all"),
    )
    committed_only = ("--command-property", "isolation.level=read_committed")
    read = tool(
        "kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", "3000", *committed_only
    )

    assert len(read.splitlines()) == 3000


def test_transactions_are_listed_and_described(tool, cluster) -> None:
    topic = cluster.new_topic()
    transactional_id = f"tx-{topic}"
    producer = transactional(cluster, transactional_id)
    producer.begin_transaction()
    write(producer, topic, b"open")

    listed = tool("kafka-transactions", "list")
    described = tool("kafka-transactions", "describe", "--transactional-id", transactional_id)
    producers = tool("kafka-transactions", "describe-producers", "--topic", topic, "--partition", "0")
    producer.commit_transaction(SECONDS)

    assert re.search(rf"{transactional_id}\s+\d+\s+\d+\s+Ongoing", listed), listed
    assert re.search(rf"{transactional_id}\s+\d+\s+0\s+Ongoing\s+60000\s+.*{topic}-0", described), described
    # producer id, epoch, latest coordinator epoch, last sequence, last timestamp, start offset
    assert re.search(r"^\d+\s+0\s+-1\s+0\s+\d+\s+0\s*$", producers, re.MULTILINE), producers


def test_an_administrator_aborts_a_transaction_by_its_first_offset(tool, cluster) -> None:
    topic = cluster.new_topic()
    producer = transactional(cluster, f"tx-{topic}")
    producer.begin_transaction()
    write(producer, topic, b"hangs")

    tool("kafka-transactions", "abort", "--topic", topic, "--partition", "0", "--start-offset", "0")

    assert end_offset(cluster, topic, IsolationLevel.READ_COMMITTED) == 2
    assert values_in(cluster, topic) == []


def test_an_administrator_fences_a_producer(tool, cluster) -> None:
    topic = cluster.new_topic()
    producer = transactional(cluster, f"tx-{topic}")
    producer.begin_transaction()
    write(producer, topic, b"to be fenced")

    tool("kafka-transactions", "forceTerminateTransaction", "--transactionalId", f"tx-{topic}")

    assert values_in(cluster, topic) == []
    with pytest.raises(KafkaException) as raised:
        producer.commit_transaction(SECONDS)
    assert raised.value.args[0].code() == KafkaError._FENCED
