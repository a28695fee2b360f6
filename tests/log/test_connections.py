"""What comes over a connection: frames in pieces, foreign protocols, unknown APIs."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

import pytest

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.frame import RequestHeader, request_frame
from kconnect.testing.raw_client import RawClient, batch_of, values_of

if TYPE_CHECKING:
    from kconnect.testing.broker import EmbeddedLog


@pytest.mark.parametrize("version", range(5))
def test_the_served_versions_are_told_in_every_version(client: RawClient, version: int) -> None:
    answer = client.call(ApiKey.API_VERSIONS, version, requests.ApiVersions())
    served = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}
    assert served[ApiKey.PRODUCE] == (3, 13)
    assert served[ApiKey.API_VERSIONS] == (0, 4)
    assert ApiKey.GET_TELEMETRY_SUBSCRIPTIONS not in served


def test_an_unknown_version_of_api_versions_is_answered_in_version_0(client: RawClient) -> None:
    client.send_bytes(struct.pack(">ihhih", 12, ApiKey.API_VERSIONS, 99, 5, -1) + b"\0\0")
    correlation_id, answer = client.receive(ApiKey.API_VERSIONS, 0)
    assert (correlation_id, answer.error_code) == (5, ErrorCode.UNSUPPORTED_VERSION)
    assert answer.api_keys


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        struct.pack(">i", -1),
        struct.pack(">i", 0x7FFFFFFF),
        struct.pack(">ihhih", 10, 9999, 0, 1, -1),
        struct.pack(">ihhih", 10, ApiKey.PRODUCE, 99, 1, -1),
        struct.pack(">ihhih", 10, ApiKey.PRODUCE, 9, 1, 500),
        struct.pack(">ihhih", 12, ApiKey.METADATA, 1, 1, -1) + b"\x7f\xff",
        struct.pack(">ib", 1, 0),
    ],
    ids=["http", "tls", "negative", "huge", "unknown api", "unknown version", "short header", "short body", "tiny"],
)
def test_what_is_not_kafkas_protocol_ends_its_connection_alone(
    broker: EmbeddedLog, client: RawClient, data: bytes
) -> None:
    with RawClient(broker.bootstrap_servers) as stranger:
        stranger.send_bytes(data)
        assert stranger.receive_bytes(1) == b""
    assert client.call(ApiKey.API_VERSIONS, 0, requests.ApiVersions()).error_code == ErrorCode.NONE
    broker.stop()
    assert "Traceback" not in broker.stderr


def test_a_frame_may_come_in_any_pieces(client: RawClient) -> None:
    client.create_topic(max_message_bytes="10000000")
    value = bytes(range(256)) * 8000  # several times the receive buffer
    header = RequestHeader(ApiKey.PRODUCE, 9, 77, "raw")
    data = requests.Produce.PartitionProduceData(index=0, records=batch_of(value))
    topic = requests.Produce.TopicProduceData(name="t", partition_data=[data])
    frame = b"".join(bytes(part) for part in request_frame(header, requests.Produce(acks=1, topic_data=[topic])))
    cuts = [0, 1, 3, 4, 5, 20, 300_000, 600_001, len(frame) - 1, len(frame)]
    for begin, end in itertools.pairwise(cuts):
        client.send_bytes(frame[begin:end])
    assert client.receive(ApiKey.PRODUCE, 9)[0] == 77
    assert values_of(client.fetch(0, max_bytes=10_000_000, partition_max_bytes=10_000_000)) == [value]


def test_many_requests_may_come_at_once_and_are_answered_in_order(client: RawClient) -> None:
    frames = b"".join(
        b"".join(
            bytes(p) for p in request_frame(RequestHeader(ApiKey.METADATA, 9, i, None), requests.Metadata(topics=[]))
        )
        for i in range(5000)
    )
    client.send_bytes(frames)
    assert [client.receive(ApiKey.METADATA, 9)[0] for _ in range(5000)] == list(range(5000))
