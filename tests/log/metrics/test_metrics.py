"""Figures for Prometheus, as they are scraped."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from kconnect.log.broker_properties import read_properties
from kconnect.log.errors import LogError
from kconnect.log.metrics.exposition import Family, render
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of

SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>[-+.e\d]+)")

Scrape = Callable[[], dict[str, float]]


@pytest.fixture
def broker() -> Iterator[EmbeddedLog]:
    with EmbeddedLog(settings={"metrics.listener": "http://127.0.0.1:0"}) as log:
        yield log


def url_of(log: EmbeddedLog) -> str:
    deadline = Deadline(10)
    while (said := re.search(r"metrics are at (\S+)", log.stderr)) is None:
        deadline.check("the broker says where its metrics are")
    return said[1]


@pytest.fixture
def scrape(broker: EmbeddedLog) -> Scrape:
    """The samples, by name and labels as they are written."""
    url = url_of(broker)

    def samples() -> dict[str, float]:
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            lines = answer.read().decode().splitlines()
        found = {}
        for line in lines:
            if not line.startswith("# "):
                assert SAMPLE.fullmatch(line), line
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    return samples


def test_what_comes_in_and_goes_out_is_counted_by_topic(broker: EmbeddedLog, scrape: Scrape) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        client.create_topic(partitions=2)
        batch = batch_of(b"a" * 100, b"b" * 100, b"c" * 100)
        for index in (0, 1, 1):
            client.produce(batch, index=index)
        client.fetch(0, index=1)
        found = scrape()
        client.fetch(0, index=0)
    assert found['kafka_server_brokertopicmetrics_messagesin_total{topic="t"}'] == 9
    assert found['kafka_server_brokertopicmetrics_bytesin_total{topic="t"}'] == 3 * len(batch)
    assert found['kafka_server_brokertopicmetrics_bytesout_total{topic="t"}'] == 2 * len(batch)
    assert found['kafka_log_log_size{topic="t",partition="1"}'] == 2 * len(batch)
    assert found['kafka_log_log_logendoffset{topic="t",partition="1"}'] == 6
    assert scrape()['kafka_server_brokertopicmetrics_bytesout_total{topic="t"}'] == 3 * len(batch)


def test_counters_begin_at_a_start_and_offsets_go_on(broker: EmbeddedLog, scrape: Scrape) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        client.create_topic()
        client.produce(batch_of(b"a", b"b"))
    broker.restart()
    with RawClient(broker.bootstrap_servers) as client:
        client.produce(batch_of(b"c"))
    with urllib.request.urlopen(url_of(broker), timeout=10) as answer:
        text = answer.read().decode()
    assert 'messagesin_total{topic="t"} 1\n' in text
    assert 'logendoffset{topic="t",partition="0"} 3\n' in text


def test_requests_are_counted_and_their_time_is_taken(broker: EmbeddedLog, scrape: Scrape) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        client.create_topic()
        for _ in range(5):
            client.produce(batch_of(b"a"))
        client.fetch(5, max_wait_ms=30)
    found = scrape()
    assert found['kafka_network_requestmetrics_requests_total{request="Produce"}'] == 5
    assert found['kafka_network_requestmetrics_requests_total{request="CreateTopics"}'] == 1
    assert found['kafka_network_requestmetrics_totaltimems_sum{request="Fetch"}'] >= 30
    assert found['kafka_network_requestmetrics_totaltimems_bucket{request="Fetch",le="20.0"}'] == 0
    assert found['kafka_network_requestmetrics_totaltimems_bucket{request="Fetch",le="+Inf"}'] == 1
    assert found['kafka_server_socketservermetrics_connection_count{listener="PLAINTEXT"}'] in (0, 1)


def test_the_lag_of_every_group_is_told_by_partition(broker: EmbeddedLog, scrape: Scrape) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for _ in range(10):
        producer.produce("t", b"x")
    assert producer.flush(30) == 0
    group = 'odd "group"'
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group})
    consumer.commit(offsets=[TopicPartition("t", 0, 4)], asynchronous=False)
    consumer.close()
    found = scrape()
    assert found['kafka_consumergroup_lag{consumergroup="odd \\"group\\"",topic="t",partition="0"}'] == 6
    assert found['kafka_consumergroup_current_offset{consumergroup="odd \\"group\\"",topic="t",partition="0"}'] == 4
    assert found['kafka_consumergroup_members{consumergroup="odd \\"group\\""}'] == 0


def test_offline_partitions_are_counted_and_nothing_is_under_replicated(broker: EmbeddedLog) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        client.create_topic()
        client.produce(batch_of(b"a"))
    broker.stop()
    (broker.data / "t-0" / f"{0:020d}.log").unlink()
    broker.start()
    with urllib.request.urlopen(url_of(broker), timeout=10) as answer:
        text = answer.read().decode()
    assert "\nkafka_controller_kafkacontroller_offlinepartitionscount 1\n" in text
    assert "\nkafka_server_replicamanager_underreplicatedpartitions 0\n" in text


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /?a=b HTTP/1.0\n\n", b"200"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405"),
        (b"\0\0\0\x10nonsense\r\n\r\n", b"405"),
        (b"GET /" + b"x" * 20_000, b""),
        (b"", b""),
    ],
)
def test_whatever_is_asked_is_answered_or_ended(broker: EmbeddedLog, request_: bytes, status: bytes) -> None:
    host, _, port = url_of(broker).removeprefix("http://").removesuffix("/metrics").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        sock.sendall(request_)
        if not request_:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := sock.recv(65536):
                answer += part
        except ConnectionResetError:
            assert not status
    assert answer.partition(b" ")[2][:3] == status
    if request_.startswith(b"HEAD"):
        assert answer.endswith(b"\r\n\r\n")
    with RawClient(broker.bootstrap_servers) as client:
        client.create_topic()  # and all else goes on


@pytest.mark.parametrize("value", ["127.0.0.1:9404", "https://127.0.0.1:9404", "http://127.0.0.1", "http://h:99999"])
def test_what_is_no_address_for_metrics_is_refused(value: str) -> None:
    with pytest.raises(LogError, match=r"metrics\.listener"):
        read_properties({"metrics.listener": value})


def test_a_port_in_use_is_told_with_the_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        log = EmbeddedLog(tmp_path, settings={"metrics.listener": address})
        with pytest.raises(RuntimeError, match=r"metrics\.listener"):
            log.start()


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_whoever_may_read_them_is_told_of(tmp_path: Path, host: str, warned: bool) -> None:
    with EmbeddedLog(tmp_path, settings={"metrics.listener": f"http://{host}:0"}) as log:
        url_of(log)
        log.stop()
        assert ("whoever can reach" in log.stderr) is warned


def test_labels_are_escaped() -> None:
    family = Family("f", "gauge", "About.")
    family.add(1, name='a"b\\c\nd')
    assert render([family]) == b'# HELP f About.\n# TYPE f gauge\nf{name="a\\"b\\\\c\\nd"} 1\n'
