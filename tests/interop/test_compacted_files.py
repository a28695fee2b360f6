"""What compaction leaves, read by Apache Kafka: by its dump tool, and by a broker that is given the files."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from services.kafka.broker import running_kafka
from services.kafka.tools import JavaTools

pytestmark = pytest.mark.interop

TOPIC = "state"
KEYS = 50
ROUNDS = 60
CONFIG = {
    "cleanup.policy": "compact",
    "segment.bytes": "20000",
    "index.interval.bytes": "500",
    "min.cleanable.dirty.ratio": "0.01",
    "file.delete.delay.ms": "0",
}

Row = tuple[int, bytes | None, bytes | None, int]


@dataclass(frozen=True, slots=True)
class Compacted:
    """A folder of segments, what the embedded log gives out of it, and the last value that was written of every key."""

    folder: Path
    rows: list[Row]
    last_values: dict[bytes, bytes]
    end: int


def write(bootstrap: str) -> dict[bytes, bytes]:
    """Every kind of batch, in rounds over the same keys; returns what is to be found at last."""
    kinds = [
        Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": codec, "linger.ms": 5}
        )
        for codec in ("none", "gzip", "snappy", "lz4", "zstd")
    ]
    transactional = Producer({"bootstrap.servers": bootstrap, "transactional.id": "x", "compression.type": "zstd"})
    transactional.init_transactions(30)
    last: dict[bytes, bytes] = {}
    for number in range(ROUNDS):
        producer, outcome = kinds[number % len(kinds)], "none"
        if number % 6 == 4:
            producer, outcome = transactional, "commit" if number % 12 == 4 else "abort"
            producer.begin_transaction()
        rows = {b"k%d" % key: b"%d-%d" % (number, key) * 10 for key in range(number % 3, KEYS, 3)}
        if number % 5 == 3:
            rows = dict.fromkeys(list(rows)[:5])  # tombstones
        for key, value in rows.items():
            producer.produce(TOPIC, key=key, value=value, headers={"round": str(number)})
        if outcome == "abort":
            producer.flush(30)
            producer.abort_transaction(30)
            continue
        if outcome == "commit":
            producer.commit_transaction(30)
        assert producer.flush(30) == 0
        for key, value in rows.items():
            if value is None:
                last.pop(key, None)
            else:
                last[key] = value
    return last


def rows_of(bootstrap: str, topic: str, end: int) -> list[Row]:
    """What readers of committed data are given, up to `end`."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            "check.crcs": True,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    rows: list[Row] = []
    deadline = Deadline(60)
    while True:
        deadline.check(f"{len(rows)} records came, the end is {end}")
        message = consumer.poll(1)
        if message is not None and message.error() is not None:
            assert message.offset() == end
            consumer.close()
            return rows
        if message is not None:
            rows.append((message.offset(), message.key(), message.value(), message.timestamp()[1]))


@pytest.fixture(scope="module")
def compacted(tmp_path_factory: pytest.TempPathFactory) -> Compacted:
    data = tmp_path_factory.mktemp("compacted") / "data"
    with EmbeddedLog(data, options=["--override", "log.cleaner.backoff.ms=50"]) as log:
        admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
        admin.create_topics([NewTopic(TOPIC, 1, 1, config=CONFIG)])[TOPIC].result(30)
        last_values = write(log.bootstrap_servers)
        consumer = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "reader"})
        deadline = Deadline(60)
        while True:
            deadline.check("nothing is compacted")
            _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), 10)
            rows = rows_of(log.bootstrap_servers, TOPIC, end)
            if len(rows) < end / 2:
                break
        consumer.close()
        log.stop()
    with EmbeddedLog(data) as log:  # nothing is compacted from here on
        rows = rows_of(log.bootstrap_servers, TOPIC, end)
        log.stop()
    return Compacted(data / f"{TOPIC}-0", rows, last_values, end)


def last_values_of(rows: list[Row]) -> dict[bytes | None, bytes]:
    values = {key: value for _, key, value, _ in rows}
    return {key: value for key, value in values.items() if value is not None}


def test_the_last_value_of_every_key_is_there(compacted: Compacted) -> None:
    assert last_values_of(compacted.rows) == compacted.last_values
    assert len(compacted.rows) < compacted.end / 2


def test_the_dump_tool_finds_every_batch_valid(compacted: Compacted, kafka_tools: JavaTools) -> None:
    files = ",".join(str(path) for path in sorted(compacted.folder.glob("*.log")))

    dump = kafka_tools.run("kafka-dump-log", "--deep-iteration", "--files", files)

    assert "isvalid: false" not in dump.lower()
    offsets = [int(offset) for offset in re.findall(r"^\| offset: (\d+)", dump, re.MULTILINE)]
    assert offsets == sorted(offsets)
    assert {offset for offset, *_ in compacted.rows} <= set(offsets)
    assert {"NONE", "GZIP", "SNAPPY", "LZ4", "ZSTD"} >= set(re.findall(r"compresscodec: (\w+)", dump.upper()))


@pytest.mark.parametrize("kind", ["index", "timeindex", "txnindex"])
def test_the_dump_tool_finds_the_indexes_right(compacted: Compacted, kafka_tools: JavaTools, kind: str) -> None:
    files = ",".join(str(path) for path in sorted(compacted.folder.glob(f"*.{kind}")))

    dump = kafka_tools.run("kafka-dump-log", "--index-sanity-check", "--files", files)

    assert re.findall(r".*(?:mismatch|non-consecutive|out of order|corrupt|error).*", dump, re.IGNORECASE) == []


@pytest.mark.needs("kafka")
def test_a_broker_of_apache_kafka_goes_on_with_the_files(compacted: Compacted, tmp_path: Path) -> None:
    with running_kafka(tmp_path) as kafka:
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        config = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "1"}
        admin.create_topics([NewTopic(TOPIC, 1, 1, config=config)])[TOPIC].result(60)
        theirs = kafka.data / f"{TOPIC}-0"
    for path in theirs.iterdir():
        if path.name != "partition.metadata":
            path.unlink()
    for path in compacted.folder.iterdir():
        if path.name != "partition.metadata":
            shutil.copy(path, theirs)
    with running_kafka(tmp_path) as kafka:
        assert rows_of(kafka.bootstrap, TOPIC, compacted.end) == compacted.rows
        producer = Producer({"bootstrap.servers": kafka.bootstrap})
        offsets: list[int | None] = []
        producer.produce(
            TOPIC, key=b"more", value=b"1", on_delivery=lambda _, message: offsets.append(message.offset())
        )
        assert producer.flush(30) == 0
        assert offsets == [compacted.end]
