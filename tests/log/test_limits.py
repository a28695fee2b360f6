"""What one client may take from the others: connections, memory, time."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import psutil
import pytest

from kconnect.log.limits import ConnectionCounts, Limits, RequestMemory
from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.frame import RequestHeader, request_frame
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.raw_client import RawClient, batch_of, fetch_request, produce_request
from services.processes import poll_until

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 1 << 20


def is_served(client: RawClient) -> bool:
    return client.call(ApiKey.API_VERSIONS, 0, requests.ApiVersions()).error_code == ErrorCode.NONE


def connect(log: EmbeddedLog) -> socket.socket:
    host, _, port = log.bootstrap_servers.rpartition(":")
    return socket.create_connection((host, int(port)), 30)


def test_connections_are_counted_by_where_they_are_from() -> None:
    counts = ConnectionCounts(Limits(max_connections=3, max_connections_per_ip=2))
    assert [counts.admit(host) for host in ("a", "a", "a", "b", "b")] == [
        *(None, None, "max.connections.per.ip=2", None, "max.connections=3")
    ]
    counts.leave("a")
    assert [counts.admit(host) for host in ("b", "a")] == [None, "max.connections=3"]


def test_memory_is_given_to_any_size_while_there_is_some_and_then_in_turn() -> None:
    memory = RequestMemory(100)
    told: list[str] = []

    def take(name: str, size: int) -> bool:
        return memory.take(size, lambda: told.append(name) if memory.take(size, lambda: None) else None)

    assert take("a", 99)
    assert take("b", 500)
    assert not take("c", 60)
    assert not take("d", 60)
    assert not take("e", 1)
    memory.give_back(500)
    assert told == ["c"]
    memory.give_back(99)
    assert told == ["c", "d"]
    memory.give_back(60)
    assert told == ["c", "d", "e"]


def test_who_has_gone_is_not_waited_with() -> None:
    memory = RequestMemory(1)
    memory.take(1, lambda: None)
    told: list[str] = []
    callbacks = [lambda name=name: told.append(name) for name in "ab"]
    for callback in callbacks:
        memory.take(1, callback)
    memory.stop_waiting(callbacks[0])
    memory.give_back(1)
    assert told == ["b"]


def test_without_a_limit_memory_is_never_refused() -> None:
    assert RequestMemory(None).take(1 << 40, lambda: None)


@pytest.mark.parametrize("key", ["max.connections", "max.connections.per.ip"])
def test_a_client_too_many_is_turned_away_until_another_has_gone(key: str) -> None:
    with EmbeddedLog(settings={key: "2"}) as log:
        with RawClient(log.bootstrap_servers) as first, RawClient(log.bootstrap_servers) as second:
            assert is_served(first)
            assert is_served(second)
            with RawClient(log.bootstrap_servers) as third:
                assert third.receive_bytes(1) == b""

        def is_let_in() -> bool:
            with RawClient(log.bootstrap_servers) as client:
                client.send(ApiKey.API_VERSIONS, 0, requests.ApiVersions())
                return client.receive_bytes(1) != b""

        assert poll_until(is_let_in, timeout=10)
        assert f"{key}=2" in log.stderr


def test_half_a_request_is_waited_for_as_long_as_a_connection_may_be_idle() -> None:
    with EmbeddedLog(settings={"connections.max.idle.ms": "500"}) as log, connect(log) as stranger:
        stranger.sendall(struct.pack(">ihhih", 5000, ApiKey.METADATA, 9, 1, -1))
        assert stranger.recv(1) == b""


def test_a_claimed_size_alone_takes_no_memory(broker: EmbeddedLog) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        assert is_served(client)
        before = psutil.Process(broker.pid).memory_info().rss
        strangers = [connect(broker) for _ in range(20)]
        try:
            for stranger in strangers:
                stranger.sendall(struct.pack(">ihhih", 90 * _MIB, ApiKey.PRODUCE, 9, 1, -1) + bytes(1000))
            assert is_served(client)
            assert psutil.Process(broker.pid).memory_info().rss - before < 60 * _MIB
        finally:
            for stranger in strangers:
                stranger.close()


def test_large_requests_wait_for_memory_and_small_ones_do_not() -> None:
    value = bytes(4 * _MIB)
    frame = b"".join(
        bytes(part)
        for part in request_frame(RequestHeader(ApiKey.PRODUCE, 9, 5, "raw"), produce_request(batch_of(value)))
    )
    with (
        EmbeddedLog(settings={"queued.max.request.bytes": str(_MIB), "message.max.bytes": "9999999"}) as log,
        RawClient(log.bootstrap_servers) as holding,
        RawClient(log.bootstrap_servers) as waiting,
        RawClient(log.bootstrap_servers) as small,
    ):
        small.create_topic()
        holding.send_bytes(frame[: len(frame) // 2])
        # In its buffer, and thereby in turn, before the other asks.
        assert poll_until(lambda: has_read(holding), timeout=10)
        waiting.send_bytes(frame[: 2 * _MIB])
        assert is_served(small)
        holding.send_bytes(frame[len(frame) // 2 :])
        assert holding.receive(ApiKey.PRODUCE, 9)[1].responses[0].partition_responses[0].error_code == 0
        waiting.send_bytes(frame[2 * _MIB :])
        assert waiting.receive(ApiKey.PRODUCE, 9)[1].responses[0].partition_responses[0].error_code == 0
        holding.send_bytes(frame + frame)
        for _ in range(2):
            assert holding.receive(ApiKey.PRODUCE, 9)[1].responses[0].partition_responses[0].error_code == 0


def has_read(client: RawClient) -> bool:
    """Whether the system has handed everything that was sent to the broker."""
    return unsent_bytes(client._socket) == 0


def unsent_bytes(sock: socket.socket) -> int:
    import fcntl
    import termios

    return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0])


def test_a_client_that_never_takes_its_answers_costs_little_and_is_let_go() -> None:
    with (
        EmbeddedLog(settings={"connections.max.idle.ms": "2000"}) as log,
        RawClient(log.bootstrap_servers) as client,
        RawClient(log.bootstrap_servers) as greedy,
    ):
        client.create_topic()
        client.produce(batch_of(bytes(900_000)))
        before = psutil.Process(log.pid).memory_info().rss
        fetch = b"".join(
            bytes(part)
            for number in range(1000)
            for part in request_frame(RequestHeader(ApiKey.FETCH, 11, number, "greedy"), fetch_request(0))
        )
        greedy.send_bytes(fetch)  # 900 MB of answers
        assert is_served(client)
        assert psutil.Process(log.pid).memory_info().rss - before < 40 * _MIB
        # What it has been sent it may read; then it is gone.
        assert poll_until(lambda: len(psutil.Process(log.pid).net_connections("tcp")) <= 2, timeout=30)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../up", "a/b", "/etc/passwd", "a\0b", "x" * 250, "å", "a b", "a\nb", "\\up", "a:b"],
    ids=ascii,
)
def test_no_name_of_a_topic_leads_out_of_the_data_folder(broker: EmbeddedLog, tmp_path: Path, name: str) -> None:
    files = set(tmp_path.rglob("*"))
    topic = requests.CreateTopics.CreatableTopic(name=name, num_partitions=1, replication_factor=1)
    asked = requests.Metadata.Topic(name=name)
    with RawClient(broker.bootstrap_servers) as client:
        created = client.call(ApiKey.CREATE_TOPICS, 5, requests.CreateTopics(topics=[topic], timeout_ms=1000))
        assert created.topics[0].error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
        metadata = requests.Metadata(topics=[asked], allow_auto_topic_creation=True)
        assert client.call(ApiKey.METADATA, 8, metadata).topics[0].error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
        produced = client.produce(batch_of(b"x"), topic=name, version=8)
        assert produced.error_code in (ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        deleted = client.call(ApiKey.DELETE_TOPICS, 5, requests.DeleteTopics(topic_names=[name], timeout_ms=1000))
        assert deleted.responses[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert set(tmp_path.rglob("*")) == files
