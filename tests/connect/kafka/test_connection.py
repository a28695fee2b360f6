"""What becomes of requests when brokers are away, silent or no brokers at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from kconnect.errors import ConfigError, ConnectError, RetriableError
from kconnect.kafka.client import Client
from kconnect.kafka.connection import Connection
from kconnect.log.protocol import requests, responses
from kconnect.testing.broker import EmbeddedLog

Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server on a port of its own that treats one connection as it is told."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(treat: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                treat(connection)

        thread = threading.Thread(target=run, daemon=True)
        threads.append(thread)
        thread.start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(10)


def answer_http(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.recv(4096)


def hang_up(connection: socket.socket) -> None:
    connection.recv(4096)


def stay_silent(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


@pytest.mark.parametrize(
    ("treat", "error", "says"),
    [
        (answer_http, ConnectError, "does not speak Kafka's protocol"),
        (hang_up, RetriableError, "hung up on API_VERSIONS"),
        (stay_silent, RetriableError, r"did not answer API_VERSIONS in 0\.2 s"),
    ],
)
def test_what_is_no_broker_is_named(
    serve: Serve, treat: Callable[[socket.socket], None], error: type[ConnectError], says: str
) -> None:
    port = serve(treat)
    with pytest.raises(error, match=says) as refusal:
        Connection("127.0.0.1", port, timeout=0.2)
    assert f"127.0.0.1:{port}" in str(refusal.value)
    assert type(refusal.value) is error


def test_every_broker_that_was_tried_is_named(unused_ports: list[int]) -> None:
    servers = ",".join(f"127.0.0.1:{port}" for port in unused_ports)
    with Client({"bootstrap.servers": servers}) as client, pytest.raises(RetriableError) as refusal:
        client.describe_cluster()
    for port in unused_ports:
        assert f"127.0.0.1:{port}" in str(refusal.value)


@pytest.fixture
def unused_ports() -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@pytest.mark.parametrize("servers", ["", " , ", "broker", "broker:", "broker:port", ":9092", "b:0", "b:70000"])
def test_a_malformed_address_is_refused(servers: str) -> None:
    with pytest.raises(ConfigError, match=r"bootstrap\.servers"):
        Client({"bootstrap.servers": servers})


def test_a_request_that_waits_ends_when_another_thread_aborts_it() -> None:
    """A JoinGroup that waits for a second member, which never comes."""
    with EmbeddedLog(settings={"group.initial.rebalance.delay.ms": "60000"}) as log:
        host, _, port = log.bootstrap_servers.rpartition(":")
        connection = Connection(host, int(port), timeout=50)
        protocols = [requests.JoinGroup.Protocol(name="any", metadata=b"")]
        join = requests.JoinGroup(
            group_id="g",
            session_timeout_ms=30_000,
            rebalance_timeout_ms=60_000,
            protocol_type="any",
            protocols=protocols,
        )
        threading.Timer(0.1, connection.abort).start()
        with pytest.raises(RetriableError, match="hung up on JOIN_GROUP"):
            connection.ask(join, responses.JoinGroup, at_most=3)
        connection.abort()
        connection.close()
