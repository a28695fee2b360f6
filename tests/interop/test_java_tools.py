"""Apache Kafka's own command line tools, and so its Java clients."""

import json
import re

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

pytestmark = pytest.mark.interop


@pytest.fixture
def tool(kafka_tools, cluster):
    """Run a tool against the cluster."""

    def run(name: str, *arguments: str, stdin: str | None = None) -> str:
        return kafka_tools.run(name, "--bootstrap-server", cluster.bootstrap, *arguments, stdin=stdin)

    return run


def test_the_console_producer_and_consumer_understand_each_other(tool, cluster) -> None:
    topic = cluster.new_topic()
    lines = [f"key{number}:value {number}" for number in range(300)]

    with_keys = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    tool("kafka-console-producer", "--topic", topic, *with_keys, stdin="\n".join(lines) + "\n")
    shown = ("--formatter-property", "print.key=true", "--formatter-property", "key.separator=:")
    read = tool("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", "300", *shown)

    assert read.splitlines() == lines


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_the_java_consumer_reads_what_librdkafka_wrote(tool, cluster, codec: str) -> None:
    topic = cluster.new_topic()
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "compression.type": codec})
    for number in range(500):
        producer.produce(topic, value=f"value {number}")
    assert producer.flush(30) == 0

    arguments = ("--topic", topic, "--from-beginning", "--max-messages", "500")
    read = tool("kafka-console-consumer", *arguments)

    assert read.splitlines() == [f"value {number}" for number in range(500)]


def test_librdkafka_reads_what_the_java_producer_wrote(tool, cluster) -> None:
    topic = cluster.new_topic()
    tool("kafka-console-producer", "--topic", topic, stdin="a\nb\nc\n")

    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    read = consumer.consume(3, 30)
    consumer.close()

    assert [message.value() for message in read] == [b"a", b"b", b"c"]


def test_topics_are_made_described_widened_listed_and_deleted(tool, cluster) -> None:
    topic = f"by-java-{id(tool)}"

    tool("kafka-topics", "--create", "--topic", topic, "--partitions", "2", "--config", "retention.ms=99000")
    described = tool("kafka-topics", "--describe", "--topic", topic)
    tool("kafka-topics", "--alter", "--topic", topic, "--partitions", "3")
    widened = tool("kafka-topics", "--describe", "--topic", topic)
    listed = tool("kafka-topics", "--list").split()
    tool("kafka-topics", "--delete", "--topic", topic)

    assert "PartitionCount: 2" in described
    assert "ReplicationFactor: 1" in described
    assert "retention.ms=99000" in described
    assert "PartitionCount: 3" in widened
    assert topic in listed
    assert topic not in tool("kafka-topics", "--list").split()


def test_topic_configs_are_shown_and_changed(tool, cluster) -> None:
    topic = cluster.new_topic()
    entity = ("--entity-type", "topics", "--entity-name", topic)

    tool("kafka-configs", "--alter", *entity, "--add-config", "cleanup.policy=compact,segment.bytes=1048576")
    described = tool("kafka-configs", "--describe", *entity)
    tool("kafka-configs", "--alter", *entity, "--delete-config", "segment.bytes")
    reset = tool("kafka-configs", "--describe", *entity)

    assert "cleanup.policy=compact" in described
    assert "segment.bytes=1048576" in described
    assert "cleanup.policy=compact" in reset
    assert "segment.bytes" not in reset


def test_offsets_are_told_by_position_and_time(tool, cluster) -> None:
    topic = cluster.new_topic(partitions=2)
    tool("kafka-console-producer", "--topic", topic, stdin="".join(f"{n}\n" for n in range(10)))

    def total(time: str) -> int:
        lines = tool("kafka-get-offsets", "--topic", topic, "--time", time).splitlines()
        return sum(int(line.rpartition(":")[2]) for line in lines)

    assert total("latest") == 10
    assert total("earliest") == 0


def test_a_group_is_described_moved_and_deleted(tool, cluster) -> None:
    topic = cluster.new_topic()
    group = f"group-{topic}"
    tool("kafka-console-producer", "--topic", topic, stdin="a\nb\nc\n")
    reading = ("--topic", topic, "--group", group, "--from-beginning")
    assert tool("kafka-console-consumer", *reading, "--max-messages", "3").split() == ["a", "b", "c"]

    described = tool("kafka-consumer-groups", "--describe", "--group", group)
    moved = tool(
        *("kafka-consumer-groups", "--group", group, "--topic", topic),
        *("--reset-offsets", "--to-offset", "1", "--execute"),
    )
    again = tool("kafka-console-consumer", "--topic", topic, "--group", group, "--max-messages", "2")
    listed = tool("kafka-consumer-groups", "--list").split()
    tool("kafka-consumer-groups", "--delete", "--group", group)

    assert re.search(rf"{group}\s+{topic}\s+0\s+3\s+3\s+0", described), described
    assert re.search(rf"{group}\s+{topic}\s+0\s+1", moved), moved
    assert again.split() == ["b", "c"]
    assert group in listed
    assert group not in tool("kafka-consumer-groups", "--list").split()


def test_the_verifiable_producer_sees_every_record_acknowledged(tool, cluster) -> None:
    topic = cluster.new_topic(partitions=3)

    printed = tool("kafka-verifiable-producer", "--topic", topic, "--max-messages", "2000", "--acks", "-1")

    summary = json.loads(printed.splitlines()[-1])
    assert summary["name"] == "tool_data"
    assert (summary["sent"], summary["acked"]) == (2000, 2000)


def test_the_verifiable_consumer_reads_and_commits_every_record(tool, cluster) -> None:
    topic = cluster.new_topic()
    tool("kafka-verifiable-producer", "--topic", topic, "--max-messages", "500", "--acks", "-1")

    arguments = ("--topic", topic, "--group-id", f"group-{topic}", "--max-messages", "500")
    printed = tool("kafka-verifiable-consumer", *arguments, "--reset-policy", "earliest")

    events = [json.loads(line) for line in printed.splitlines()]
    assert sum(event["count"] for event in events if event["name"] == "records_consumed") == 500
    assert all(event["success"] for event in events if event["name"] == "offsets_committed")
