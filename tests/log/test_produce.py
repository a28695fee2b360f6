"""Produce, byte by byte: what is taken, and what is refused with which of Kafka's errors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.batch import Attribute, batches
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import Record, build_batch, read_records
from kconnect.testing.raw_client import RawClient, batch_of, produce_request, values_of

if TYPE_CHECKING:
    from kconnect.testing.broker import EmbeddedLog


@pytest.mark.parametrize("version", range(3, 13))
def test_every_version_appends(client: RawClient, version: int) -> None:
    client.create_topic()
    assert client.produce(batch_of(b"a", b"b"), version=version).base_offset == 0
    answer = client.produce(batch_of(b"c"), version=version)
    assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, 2)
    assert values_of(client.fetch(0)) == [b"a", b"b", b"c"]


def test_topics_are_named_by_id_in_the_newest_versions(client: RawClient) -> None:
    topic_id = client.create_topic()
    data = requests.Produce.PartitionProduceData(index=0, records=batch_of(b"a"))
    for id_, code in ((topic_id, ErrorCode.NONE), (b"x" * 16, ErrorCode.UNKNOWN_TOPIC_ID)):
        topic = requests.Produce.TopicProduceData(topic_id=id_, partition_data=[data])
        answer = client.call(ApiKey.PRODUCE, 13, requests.Produce(acks=1, topic_data=[topic])).responses[0]
        assert answer.partition_responses[0].error_code == code
        wanted = requests.Fetch.Partition(partition=0, fetch_offset=0, partition_max_bytes=1000)
        message = requests.Fetch(max_bytes=1000, topics=[requests.Fetch.Topic(topic_id=id_, partitions=[wanted])])
        assert client.call(ApiKey.FETCH, 17, message).responses[0].partitions[0].error_code == code


def broken_crc() -> bytearray:
    batch = batch_of(b"value")
    batch[-1] ^= 1
    return batch


def old_magic() -> bytearray:
    batch = batch_of(b"value")
    batch[16] = 1
    return batch


def cut_short() -> bytearray:
    return batch_of(b"value")[:-1]


def two_batches() -> bytearray:
    return batch_of(b"a") + batch_of(b"b")


def gap_in_offsets() -> bytearray:
    return build_batch([Record(0, -1, None, b"a"), Record(2, -1, None, b"b")])


def from_the_future() -> bytearray:
    return build_batch([Record(0, int(time.time() * 1000) + 7_200_000, None, b"a")])


@pytest.mark.parametrize(
    ("records", "code"),
    [
        (broken_crc(), ErrorCode.CORRUPT_MESSAGE),
        (old_magic(), ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT),
        (cut_short(), ErrorCode.CORRUPT_MESSAGE),
        (b"", ErrorCode.CORRUPT_MESSAGE),
        (two_batches(), ErrorCode.INVALID_RECORD),
        (gap_in_offsets(), ErrorCode.INVALID_RECORD),
        (batch_of(b"x" * 2000), ErrorCode.MESSAGE_TOO_LARGE),
        (batch_of(b"c", attributes=Attribute.CONTROL), ErrorCode.INVALID_RECORD),
        (from_the_future(), ErrorCode.INVALID_TIMESTAMP),
    ],
    ids=["crc", "magic", "short", "empty", "two", "gap", "large", "control", "future"],
)
def test_a_bad_batch_is_refused_and_leaves_nothing(client: RawClient, records: bytes, code: ErrorCode) -> None:
    client.create_topic(max_message_bytes="1000")
    assert client.produce(records).error_code == code
    assert client.produce(batch_of(b"good")).base_offset == 0
    assert values_of(client.fetch(0)) == [b"good"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"topic": "other"}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"index": 1}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"index": -1}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"acks": 2}, ErrorCode.INVALID_REQUIRED_ACKS),
    ],
)
def test_a_wrong_destination_is_refused(client: RawClient, changes: dict[str, Any], code: ErrorCode) -> None:
    client.create_topic()
    assert client.produce(batch_of(b"a"), **changes).error_code == code


def sequenced(sequence: int, *values: bytes, epoch: int = 0) -> bytearray:
    return batch_of(*values, producer_id=7, producer_epoch=epoch, base_sequence=sequence)


def test_the_last_five_batches_may_be_repeated(client: RawClient) -> None:
    client.create_topic()
    for sequence in range(6):
        assert client.produce(sequenced(sequence, b"%d" % sequence)).base_offset == sequence
    for sequence in range(1, 6):
        answer = client.produce(sequenced(sequence, b"%d" % sequence))
        assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, sequence)
    assert client.produce(sequenced(0, b"0")).error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert len(values_of(client.fetch(0))) == 6


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "stop"])
def test_producers_are_known_after_a_restart(broker: EmbeddedLog, client: RawClient, kill: bool) -> None:
    client.create_topic()
    client.produce(sequenced(0, b"a", b"b"))
    client.produce(sequenced(2, b"c", epoch=0))
    if kill:
        broker.kill()
    broker.restart()
    again = RawClient(broker.bootstrap_servers)
    answer = again.produce(sequenced(2, b"c"))
    assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, 2)
    assert again.produce(sequenced(9, b"gap")).error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert again.produce(sequenced(3, b"d")).base_offset == 3
    again.close()


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        (sequenced(3, b"gap", epoch=1), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
        (sequenced(0, b"other size", b"x", epoch=1), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
        (sequenced(2, b"old epoch", epoch=0), ErrorCode.INVALID_PRODUCER_EPOCH),
        (sequenced(5, b"new epoch", epoch=2), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
        (sequenced(0, b"new epoch", epoch=2), ErrorCode.NONE),
        (sequenced(1, b"next", epoch=1), ErrorCode.NONE),
    ],
)
def test_sequences_and_epochs_are_checked(client: RawClient, batch: bytearray, code: ErrorCode) -> None:
    client.create_topic()
    assert client.produce(sequenced(0, b"first", epoch=1)).error_code == ErrorCode.NONE
    assert client.produce(batch).error_code == code


def test_nothing_is_answered_without_acks_and_an_error_hangs_up(client: RawClient) -> None:
    client.create_topic()

    client.send(ApiKey.PRODUCE, 9, produce_request(batch_of(b"a"), acks=0))
    assert values_of(client.fetch(0)) == [b"a"]
    client.send(ApiKey.PRODUCE, 9, produce_request(broken_crc(), acks=0))
    assert client.receive_bytes(1) == b""


def test_the_log_gives_its_own_time_where_the_topic_asks_for_it(client: RawClient) -> None:
    client.create_topic(message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    answer = client.produce(build_batch([Record(0, 1, None, b"a")]))
    assert before <= answer.log_append_time_ms <= int(time.time() * 1000)
    ((header, batch),) = batches(memoryview(client.fetch(0).records))
    assert read_records(header, batch)[0].timestamp == answer.log_append_time_ms


def test_produce_requests_may_be_pipelined_and_are_answered_in_order(client: RawClient) -> None:
    client.create_topic(flush_messages="1")
    sent = [client.send(ApiKey.PRODUCE, 9, produce_request(batch_of(b"%d" % i))) for i in range(50)]
    answers = [client.receive(ApiKey.PRODUCE, 9) for _ in sent]
    assert [correlation_id for correlation_id, _ in answers] == sent
    assert [a.responses[0].partition_responses[0].base_offset for _, a in answers] == list(range(50))
    assert len(values_of(client.fetch(0))) == 50
