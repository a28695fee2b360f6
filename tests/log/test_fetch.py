"""Fetch: positions, limits and long polls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.testing.raw_client import RawClient, batch_of, fetch_request, values_of

if TYPE_CHECKING:
    from kconnect.testing.broker import EmbeddedLog


@pytest.mark.parametrize("version", range(4, 13))
def test_every_version_reads(client: RawClient, version: int) -> None:
    client.create_topic()
    client.produce(batch_of(b"a", b"b"))
    answer = client.fetch(0, version=version)
    assert answer.high_watermark == 2
    assert values_of(answer) == [b"a", b"b"]


def test_an_offset_within_a_batch_gets_the_whole_batch(client: RawClient) -> None:
    client.create_topic()
    client.produce(batch_of(b"a", b"b"))
    client.produce(batch_of(b"c"))
    assert values_of(client.fetch(1)) == [b"a", b"b", b"c"]
    assert values_of(client.fetch(2)) == [b"c"]
    assert values_of(client.fetch(3)) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"offset": 2}, ErrorCode.OFFSET_OUT_OF_RANGE),
        ({"offset": -1}, ErrorCode.OFFSET_OUT_OF_RANGE),
        ({"topic": "other"}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"index": 5}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"leader_epoch": 3}, ErrorCode.UNKNOWN_LEADER_EPOCH),
    ],
)
def test_an_impossible_position_is_refused_at_once(client: RawClient, changes: dict[str, Any], code: ErrorCode) -> None:
    client.create_topic()
    client.produce(batch_of(b"a"))
    answer = client.fetch(**{"offset": 0, "max_wait_ms": 60_000} | changes)
    assert answer.error_code == code


def test_one_batch_comes_even_if_it_is_larger_than_asked_for(client: RawClient) -> None:
    client.create_topic()
    client.produce(batch_of(b"x" * 5000))
    client.produce(batch_of(b"y"))
    assert values_of(client.fetch(0, max_bytes=100, partition_max_bytes=100)) == [b"x" * 5000]


def test_a_poll_waits_for_records(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    client.send(ApiKey.FETCH, 11, fetch_request(0, max_wait_ms=60_000))
    with RawClient(broker.bootstrap_servers) as producer:
        producer.produce(batch_of(b"a"))
    _, answer = client.receive(ApiKey.FETCH, 11)
    assert values_of(answer.responses[0].partitions[0]) == [b"a"]


def test_a_poll_waits_for_as_many_bytes_as_it_asks_for(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    client.send(ApiKey.FETCH, 11, fetch_request(0, max_wait_ms=60_000, min_bytes=1000))
    with RawClient(broker.bootstrap_servers) as producer:
        producer.produce(batch_of(b"a"))
        producer.produce(batch_of(b"b" * 1000))
    _, answer = client.receive(ApiKey.FETCH, 11)
    assert values_of(answer.responses[0].partitions[0]) == [b"a", b"b" * 1000]


def test_a_poll_ends_when_its_time_is_over(client: RawClient) -> None:
    client.create_topic()
    assert values_of(client.fetch(0, max_wait_ms=50)) == []


def test_a_client_that_leaves_during_its_poll_leaves_nothing_behind(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    with RawClient(broker.bootstrap_servers) as leaver:
        leaver.send(ApiKey.FETCH, 11, fetch_request(0, max_wait_ms=60_000))
    assert client.produce(batch_of(b"a")).error_code == ErrorCode.NONE
    broker.stop()
    assert broker.stderr == ""


def test_a_fetch_session_that_does_not_exist_is_refused(client: RawClient) -> None:
    answer = client.call(ApiKey.FETCH, 11, requests.Fetch(session_id=5, session_epoch=3))
    assert answer.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_segments_are_read_one_after_the_other(client: RawClient) -> None:
    client.create_topic(segment_bytes="1000")
    values = [b"%03d" % i * 50 for i in range(60)]
    for value in values:
        client.produce(batch_of(value))
    found: list[bytes | None] = []
    while len(found) < len(values):
        part = values_of(client.fetch(len(found)))
        assert part
        found += part
    assert found == values
