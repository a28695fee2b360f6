"""The JVM's Kafka Connect with exactly-once on, with the embedded log as its Kafka."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from services.kafka.connect import running_connect

pytestmark = [pytest.mark.interop, pytest.mark.needs("kafka")]
LINES = 2000


def call(url: str, body: object | None = None, method: str | None = None) -> object:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or b"null")


def committed_lines(log: EmbeddedLog, topic: str) -> list[str]:
    """What a reader of committed data finds in a topic of one partition, until its end."""
    consumer = Consumer(
        {
            "bootstrap.servers": log.bootstrap_servers,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    lines: list[str] = []
    deadline = Deadline(60)
    while True:
        deadline.check(f"the end of {topic} does not come")
        message = consumer.poll(1)
        if message is None:
            continue
        error = message.error()
        if error is not None and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            continue
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return lines
        assert error is None, error
        lines.append((message.value() or b"").decode())


def wait_for_lines(log: EmbeddedLog, count: int) -> None:
    deadline = Deadline(60)
    while len(lines := committed_lines(log, "lines")) < count:
        deadline.check(f"{len(lines)} of {count} lines came")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedLog]:
    with EmbeddedLog(tmp_path / "data") as log:
        yield log


def test_a_jvm_source_is_exactly_once_on_the_embedded_log_and_a_sink_reads_it(
    broker: EmbeddedLog, tmp_path: Path
) -> None:
    source, sink = tmp_path / "in.txt", tmp_path / "out.txt"
    expected = [f"line {number}" for number in range(LINES)]
    source.write_text("".join(f"{line}\n" for line in expected[: LINES // 2]))
    settings = {
        "exactly.once.source.support": "enabled",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "offset.flush.interval.ms": "500",
    }
    with running_connect(tmp_path, broker.bootstrap_servers, settings=settings) as connect:
        for name, config in {
            "source": {
                "connector.class": "FileStreamSource",
                "file": str(source),
                "topic": "lines",
                "exactly.once.support": "requested",
            },
            "sink": {
                "connector.class": "FileStreamSink",
                "file": str(sink),
                "topics": "lines",
                "consumer.override.isolation.level": "read_committed",
            },
        }.items():
            call(f"{connect.url}/connectors", {"name": name, "config": {"tasks.max": "1", **config}})
        wait_for_lines(broker, LINES // 2)
        call(f"{connect.url}/connectors/source/restart?includeTasks=true", method="POST")
        with source.open("a") as more:
            more.writelines(f"{line}\n" for line in expected[LINES // 2 :])
        wait_for_lines(broker, LINES)
        deadline = Deadline(60)
        while not sink.exists() or len(sink.read_text().splitlines()) < LINES:
            deadline.check("the sink does not get on")

    assert committed_lines(broker, "lines") == expected
    assert sink.read_text().splitlines() == expected
