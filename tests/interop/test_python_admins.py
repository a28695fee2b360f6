"""The admin clients of kafka-python and aiokafka, which ask in other versions than librdkafka and Java do."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition as AioTopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin import NewPartitions as AioNewPartitions
from aiokafka.admin import NewTopic as AioNewTopic
from aiokafka.admin.config_resource import ConfigResource as AioConfigResource
from aiokafka.admin.config_resource import ConfigResourceType as AioConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from interop.conftest import Cluster, unique
from services.processes import poll_until

with warnings.catch_warnings():
    # kafka-python reads its own files by a function that Python is going to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic, OffsetSpec

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),
]


def fill(cluster: Cluster, topic: str, group: str) -> None:
    """Ten records in each of two partitions, of which the group has four and six."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for number in range(20):
        producer.produce(topic, b"%d" % number, partition=number % 2)
    assert producer.flush(30) == 0
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group})
    offsets = [TopicPartition(topic, 0, 4), TopicPartition(topic, 1, 6)]

    def is_committed() -> bool:
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:  # Apache Kafka makes the groups' topic when it is first needed
            if error.args[0].code() not in (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS):
                raise
            return False
        return True

    assert poll_until(is_committed, timeout=30)
    consumer.close()


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[Any]:
    client = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    yield client
    client.close()


def test_kafka_python_administers_topics(cluster: Cluster, admin: Any) -> None:
    topic = unique("topic")
    resource = [ConfigResource(ConfigResourceType.TOPIC, topic)]

    def retention() -> str | None:
        found = admin.describe_configs(resource)["topic"][topic].get("retention.ms")
        return None if found is None else str(found["value"])

    admin.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": "12345"})])
    assert poll_until(lambda: topic in admin.list_topics(), timeout=30)
    assert retention() == "12345"
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "54321"})])
    assert poll_until(lambda: retention() == "54321", timeout=30)
    admin.reset_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": ""})])
    assert poll_until(lambda: retention() is None, timeout=30)
    admin.create_partitions({topic: NewPartitions(3)})
    assert poll_until(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 3, timeout=30)
    (described,) = admin.describe_topic_partitions([topic])["topics"]
    assert [partition["leader_id"] for partition in described["partitions"]] == [1, 1, 1]
    fill(cluster, topic, unique("group"))
    first, second = (kafka.TopicPartition(topic, number) for number in range(2))
    assert admin.delete_records({first: 4})[first]["low_watermark"] == 4
    found = admin.list_partition_offsets({first: OffsetSpec.EARLIEST, second: OffsetSpec.LATEST})
    assert (found[first].offset, found[second].offset) == (4, 10)
    (log_dir,) = admin.describe_log_dirs()[0]["log_dirs"]
    sizes = {t["name"]: [p["partition_size"] for p in t["partitions"]] for t in log_dir["topics"]}
    assert sorted(size > 0 for size in sizes[topic]) == [False, True, True]
    (producer,) = admin.describe_producers([first])[first].active_producers or [None]
    assert producer is None or producer.last_sequence == 9
    admin.delete_topics([topic])
    assert poll_until(lambda: topic not in admin.list_topics(), timeout=30)


def test_kafka_python_administers_groups(cluster: Cluster, admin: Any) -> None:
    topic, group = cluster.new_topic(2), unique("group")
    fill(cluster, topic, group)
    first, second = (kafka.TopicPartition(topic, number) for number in range(2))

    def committed() -> dict[Any, int]:
        return {partition: offset.offset for partition, offset in admin.list_group_offsets([group])[group].items()}

    (listed,) = [found for found in admin.list_groups() if found["group_id"] == group]
    assert listed["group_state"] == "Empty"
    described = admin.describe_groups([group])[group]
    assert (described["group_state"], described["members"]) == ("Empty", [])
    assert committed() == {first: 4, second: 6}
    admin.alter_group_offsets(group, {first: kafka.structs.OffsetAndMetadata(3, "by hand", -1)})
    assert committed() == {first: 3, second: 6}
    admin.delete_group_offsets(group, [second])
    assert committed() == {first: 3}
    assert admin.delete_groups([group]) == {group: "OK"}
    assert group not in [found["group_id"] for found in admin.list_groups()]


def test_aiokafka_administers(cluster: Cluster) -> None:
    topic, group = unique("topic"), unique("group")

    async def administer() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([AioNewTopic(topic, 2, 1, topic_configs={"retention.ms": "77"})])
            while topic not in await admin.list_topics():
                await asyncio.sleep(0.05)
            await asyncio.to_thread(fill, cluster, topic, group)
            resource = AioConfigResource(AioConfigResourceType.TOPIC, topic)
            (answer,) = await admin.describe_configs([resource])
            values = {entry[0]: entry[1] for entry in answer.resources[0][4]}
            assert values["retention.ms"] == "77"
            await admin.alter_configs(
                [AioConfigResource(AioConfigResourceType.TOPIC, topic, {"retention.ms": "78", "segment.ms": "100000"})]
            )
            await admin.create_partitions({topic: AioNewPartitions(3)})
            while len((await admin.describe_topics([topic]))[0]["partitions"]) < 3:
                await asyncio.sleep(0.05)
            deleted = await admin.delete_records({AioTopicPartition(topic, 0): RecordsToDelete(before_offset=2)})
            assert list(deleted.values()) == [2]
            assert group in [name for name, _ in await admin.list_consumer_groups()]
            (described,) = await admin.describe_consumer_groups([group])
            assert described.groups[0][2] == "Empty"
            offsets = await admin.list_consumer_group_offsets(group)
            assert {p.partition: offset.offset for p, offset in offsets.items()} == {0: 4, 1: 6}
            assert (await admin.describe_cluster())["controller_id"] == 1
            await admin.delete_topics([topic])
            while topic in await admin.list_topics():
                await asyncio.sleep(0.05)
        finally:
            await admin.close()

    asyncio.run(asyncio.wait_for(administer(), 60))
