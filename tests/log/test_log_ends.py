"""Where a log begins and ends: DeleteRecords, OffsetForLeaderEpoch, DescribeLogDirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.testing.raw_client import RawClient, batch_of, values_of

if TYPE_CHECKING:
    from kconnect.testing.broker import EmbeddedLog


def delete_records(client: RawClient, offset: int, topic: str = "t", index: int = 0) -> tuple[ErrorCode, int]:
    """(error, low watermark)"""
    partition = requests.DeleteRecords.Partition(partition_index=index, offset=offset)
    message = requests.DeleteRecords(
        topics=[requests.DeleteRecords.Topic(name=topic, partitions=[partition])], timeout_ms=1000
    )
    answer = client.call(ApiKey.DELETE_RECORDS, 2, message).topics[0].partitions[0]
    return ErrorCode(answer.error_code), answer.low_watermark


def end_of_epoch(client: RawClient, epoch: int, current: int = -1) -> tuple[ErrorCode, int, int]:
    """(error, epoch, end offset)"""
    wanted = requests.OffsetForLeaderEpoch.OffsetForLeaderPartition(
        partition=0, leader_epoch=epoch, current_leader_epoch=current
    )
    topic = requests.OffsetForLeaderEpoch.OffsetForLeaderTopic(topic="t", partitions=[wanted])
    answer = client.call(ApiKey.OFFSET_FOR_LEADER_EPOCH, 4, requests.OffsetForLeaderEpoch(topics=[topic]))
    partition = answer.topics[0].partitions[0]
    return ErrorCode(partition.error_code), partition.leader_epoch, partition.end_offset


def sizes(client: RawClient) -> dict[tuple[str, int], int]:
    (folder,) = client.call(ApiKey.DESCRIBE_LOG_DIRS, 4, requests.DescribeLogDirs(topics=None)).results
    assert 0 < folder.usable_bytes < folder.total_bytes
    return {(t.name, p.partition_index): p.partition_size for t in folder.topics for p in t.partitions}


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_deleted_records_stay_away(broker: EmbeddedLog, client: RawClient, end: str) -> None:
    client.create_topic(segment_bytes="2000", file_delete_delay_ms="0")
    for i in range(10):
        client.produce(batch_of(b"%d" % i * 900))
    before = sizes(client)["t", 0]
    assert delete_records(client, 5) == (ErrorCode.NONE, 5)
    assert delete_records(client, 3) == (ErrorCode.NONE, 5)
    assert sizes(client)["t", 0] < before
    if end == "kill":
        broker.kill()
    broker.restart()
    with RawClient(broker.bootstrap_servers) as again:
        assert again.fetch(4).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        answer = again.fetch(5)
        assert answer.log_start_offset == 5
        assert b"5" * 900 in values_of(answer)
        assert delete_records(again, -1) == (ErrorCode.NONE, 10)
        assert again.produce(batch_of(b"next")).base_offset == 10


@pytest.mark.parametrize(
    ("offset", "topic", "index", "error"),
    [
        (2, "t", 0, ErrorCode.OFFSET_OUT_OF_RANGE),
        (-2, "t", 0, ErrorCode.OFFSET_OUT_OF_RANGE),
        (0, "t", 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (0, "other", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (0, "compacted", 0, ErrorCode.POLICY_VIOLATION),
        (1, "both", 0, ErrorCode.OFFSET_OUT_OF_RANGE),
        (0, "__consumer_offsets", 0, ErrorCode.INVALID_TOPIC_EXCEPTION),
    ],
)
def test_what_cannot_be_deleted_is_refused(
    broker: EmbeddedLog, client: RawClient, offset: int, topic: str, index: int, error: ErrorCode
) -> None:
    client.create_topic()
    client.create_topic("compacted", cleanup_policy="compact")
    client.create_topic("both", cleanup_policy="compact,delete")
    client.produce(batch_of(b"a"))
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "log_level": 0})
    consumer.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
    consumer.close()
    assert delete_records(client, offset, topic, index) == (error, -1)
    assert values_of(client.fetch(0)) == [b"a"]


def test_epochs_end_where_the_next_begins(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    for count in (2, 3):
        with RawClient(broker.bootstrap_servers) as producing:
            producing.produce(batch_of(*[b"x"] * count))
        broker.kill()
        broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert [end_of_epoch(again, epoch) for epoch in (0, 1, 2, 3, -1)] == [
            (ErrorCode.NONE, 0, 2),
            (ErrorCode.NONE, 1, 5),
            (ErrorCode.NONE, 2, 5),
            (ErrorCode.NONE, -1, -1),
            (ErrorCode.NONE, -1, -1),
        ]
        assert end_of_epoch(again, 0, current=2) == (ErrorCode.NONE, 0, 2)
        assert end_of_epoch(again, 0, current=1)[0] is ErrorCode.FENCED_LEADER_EPOCH
        assert end_of_epoch(again, 0, current=3)[0] is ErrorCode.UNKNOWN_LEADER_EPOCH
    assert (broker.data / "t-0" / "leader-epoch-checkpoint").read_text() == "0\n3\n0 0\n1 2\n2 5\n"


def test_log_dirs_tell_what_partitions_take(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic(partitions=2, segment_bytes="1000")
    for index in (0, 1, 1, 1):
        client.produce(batch_of(b"x" * 800), index=index)
    on_disk = {
        ("t", index): sum(path.stat().st_size for path in (broker.data / f"t-{index}").glob("*.log"))
        for index in (0, 1)
    }
    assert sizes(client) == on_disk
    assert on_disk["t", 1] == 3 * on_disk["t", 0] > 2400
    wanted = requests.DescribeLogDirs.DescribableLogDirTopic(topic="t", partitions=[1])
    answer: Any = client.call(ApiKey.DESCRIBE_LOG_DIRS, 4, requests.DescribeLogDirs(topics=[wanted]))
    assert [p.partition_index for t in answer.results[0].topics for p in t.partitions] == [1]
