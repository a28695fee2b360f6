"""Topics that move from one log to another by `kconnect broker export` and `import`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from interop.conftest import Cluster, cluster_at, unique
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline

pytestmark = pytest.mark.interop

EARLIER = 1_600_000_000_000

Row = tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Partition, timestamp, key, value, headers."""


def kconnect(*arguments: object, code: int = 0) -> Any:
    command = [str(Path(sys.executable).with_name("kconnect")), "broker", *map(str, arguments), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


@pytest.fixture(scope="module")
def log() -> Iterator[Cluster]:
    """The embedded log that topics are exported from."""
    with EmbeddedLog(options=["--override", "log.cleaner.backoff.ms=50"]) as embedded:
        yield cluster_at(embedded.bootstrap_servers)


def fill(cluster: Cluster, topic: str, partitions: int, **settings: object) -> None:
    """Records of all kinds, in transactions that are committed, aborted, and left open."""
    producer = Producer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "transactional.id": unique("tx"),
            "partitioner": "murmur2_random",
            **settings,
        }
    )
    producer.init_transactions(30)
    for step, ends in enumerate((producer.commit_transaction, producer.abort_transaction, producer.commit_transaction)):
        producer.begin_transaction()
        for i in range(40):
            producer.produce(
                topic,
                key=b"%d" % (i % 7),
                value=None if i % 11 == 5 else b"%d/%d" % (step, i) * 30,
                partition=i % partitions,
                timestamp=EARLIER + 1000 * step + i,
                headers=[("step", b"%d" % step), ("i", b"\xff\0")] if i % 3 else None,
            )
        producer.flush(30)  # or nothing of what is aborted would have been written
        ends(30)
    producer.begin_transaction()
    producer.produce(topic, key=b"open", value=b"open", partition=0)
    producer.flush(30)


def rows_in(cluster: Cluster, topic: str, group: str | None = None) -> list[Row]:
    """The committed records of a topic in the order of its partitions, from the start, or behind a group's commits."""
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": group or unique("reader"),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    numbers = sorted(cluster.admin.list_topics(topic, timeout=30).topics[topic].partitions)
    partitions = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers]
    consumer.assign(consumer.committed(partitions, 30) if group else partitions)
    rows: list[Row] = []
    left = set(numbers)
    deadline = Deadline(60)
    while left:
        deadline.check(f"the ends of partitions {left} of {topic} were reached")
        message = consumer.poll(1)
        if message is None:
            continue
        partition = message.partition()
        assert partition is not None
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            left.discard(partition)
            continue
        headers = [(name, bytes(value or b"")) for name, value in message.headers() or []]
        rows.append((partition, message.timestamp()[1], message.key(), message.value(), headers))
    consumer.close()
    return sorted(rows, key=lambda row: row[0])


def commit(cluster: Cluster, group: str, topic: str, offsets: dict[int, int]) -> None:
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group})
    consumer.commit(
        offsets=[TopicPartition(topic, number, offset) for number, offset in offsets.items()], asynchronous=False
    )
    consumer.close()


def configs_of(cluster: Cluster, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = cluster.admin.describe_configs([resource])[resource].result(30)
    return {name: str(entry.value) for name, entry in entries.items()}


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_topics_with_their_configs_and_groups_move_to_another_cluster(
    log: Cluster, cluster: Cluster, tmp_path: Path, codec: str
) -> None:
    topic = log.new_topic(2, **{"retention.ms": "-1", "max.message.bytes": "3000000"})
    fill(log, topic, 2, **{"compression.type": codec})
    ahead, behind = unique("ahead"), unique("behind")
    commit(log, ahead, topic, {0: 50, 1: 61})
    commit(log, behind, topic, {0: 3})
    before = rows_in(log, topic)
    assert len(before) == 80
    exported = kconnect("export", tmp_path / "archive", topic, "-b", log.bootstrap)
    assert [(t["topic"], t["partitions"], t["records"]) for t in exported["topics"]] == [(topic, 2, 80)]
    imported = kconnect("import", tmp_path / "archive", "-b", cluster.bootstrap)
    assert imported["topics"] == exported["topics"]
    assert sorted(imported["groups"]) == sorted([ahead, behind])
    assert rows_in(cluster, topic) == before
    assert rows_in(cluster, topic, ahead) == rows_in(log, topic, ahead)
    assert len(rows_in(cluster, topic, behind)) == len(rows_in(log, topic, behind)) > 40
    configs = configs_of(cluster, topic)
    assert (configs["retention.ms"], configs["max.message.bytes"]) == ("-1", "3000000")
    refused = kconnect("import", tmp_path / "archive", "-b", cluster.bootstrap, code=5)
    assert topic in refused


def test_what_compaction_and_deletion_left_moves_and_offsets_of_groups_with_it(
    log: Cluster, cluster: Cluster, tmp_path: Path
) -> None:
    policy = {"cleanup.policy": "compact,delete", "retention.ms": "-1"}
    settings = {**policy, "segment.bytes": "2000", "min.cleanable.dirty.ratio": "0.01"}
    topic = log.new_topic(**settings)
    producer = Producer({"bootstrap.servers": log.bootstrap, "batch.num.messages": 10, "compression.type": "lz4"})
    for i in range(300):
        producer.produce(topic, key=b"%d" % (i % 9 if i % 10 else i), value=b"%d" % i * 20, timestamp=EARLIER + i)
        if i % 10 == 9:
            producer.flush(30)
    deadline = Deadline(60)
    while len(rows_in(log, topic)) > 150:
        deadline.check("nothing is compacted")
    asked = log.admin.delete_records([TopicPartition(topic, 0, 25)])
    for outcome in asked.values():
        outcome.result(30)
    group = unique("group")
    commit(log, group, topic, {0: 205})
    kconnect("export", tmp_path / "archive", topic, "-b", log.bootstrap)
    # Apache Kafka has no segments that small.
    kconnect("import", tmp_path / "archive", "-b", cluster.bootstrap, "--config", "segment.bytes=1048576")
    # More may be compacted in the log meanwhile, and in the cluster: the last value of each key stays.
    assert latest(rows_in(cluster, topic)) == latest(rows_in(log, topic))
    assert latest(rows_in(cluster, topic, group)) == latest(rows_in(log, topic, group))
    configs = configs_of(cluster, topic)
    assert (configs["cleanup.policy"], configs["segment.bytes"]) == ("compact,delete", "1048576")


def latest(rows: list[Row]) -> dict[bytes | None, tuple[int, bytes | None]]:
    return {key: (timestamp, value) for _, timestamp, key, value, _ in rows}


def test_records_keep_the_times_that_the_log_has_given_them(log: Cluster, cluster: Cluster, tmp_path: Path) -> None:
    topic = log.new_topic(**{"message.timestamp.type": "LogAppendTime"})
    fill(log, topic, 1)
    before = rows_in(log, topic)
    assert all(abs(timestamp - time.time() * 1000) < 600_000 for _, timestamp, *_ in before)
    kconnect("export", tmp_path / "archive", topic, "-b", log.bootstrap)
    kconnect("import", tmp_path / "archive", "-b", cluster.bootstrap)
    assert rows_in(cluster, topic) == before
    assert configs_of(cluster, topic)["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.needs("kafka")
def test_kafkas_own_reader_reads_an_archive(log: Cluster, tmp_path: Path, kafka_tools: Any) -> None:
    topic = log.new_topic()
    fill(log, topic, 1, **{"compression.type": "lz4"})
    kconnect("export", tmp_path / "archive", topic, "-b", log.bootstrap)
    (segment,) = (tmp_path / "archive" / f"{topic}-0").iterdir()
    dump = kafka_tools.run("kafka-dump-log", "--deep-iteration", "--print-data-log", "--files", str(segment))
    assert len(re.findall(r"^\| offset: \d+", dump, re.MULTILINE)) == 80
    batches = [line for line in dump.splitlines() if line.startswith("baseOffset")]
    assert batches
    assert all("isvalid: true" in line and "isTransactional: false" in line for line in batches)


def test_topics_move_from_a_cluster_into_a_log(cluster: Cluster, tmp_path: Path) -> None:
    topic = cluster.new_topic(2, **{"retention.ms": "-1"})
    empty = cluster.new_topic(3)
    fill(cluster, topic, 2)
    kconnect("export", tmp_path / "archive", topic, empty, "-b", cluster.bootstrap)
    with EmbeddedLog() as target:
        kconnect("import", tmp_path / "archive", "-b", target.bootstrap_servers)
        other = Cluster(target.bootstrap_servers, AdminClient({"bootstrap.servers": target.bootstrap_servers}))
        assert rows_in(other, topic) == rows_in(cluster, topic)
        assert rows_in(other, empty) == []
        assert len(other.admin.list_topics(timeout=30).topics[empty].partitions) == 3


@pytest.mark.parametrize("damage", ["flipped", "cut", "unfinished", "newer"])
def test_what_is_wrong_with_an_archive_is_told_by_its_file(log: Cluster, tmp_path: Path, damage: str) -> None:
    topic = log.new_topic()
    fill(log, topic, 1)
    archive = tmp_path / "archive"
    kconnect("export", archive, topic, "-b", log.bootstrap)
    file = next((archive / f"{topic}-0").iterdir())
    manifest = archive / "manifest.json"
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[-5] ^= 1
        file.write_bytes(content)
    elif damage == "cut":
        file.write_bytes(content[:-5])
    elif damage == "unfinished":
        manifest.unlink()
        file = archive
    else:
        file = manifest
        manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    with EmbeddedLog() as target:
        assert str(file) in kconnect("import", archive, "-b", target.bootstrap_servers, code=1)


def test_what_cannot_be_exported_or_imported_has_its_exit_code(log: Cluster, tmp_path: Path) -> None:
    topic = log.new_topic()
    archive = tmp_path / "archive"
    assert "nowhere" in kconnect("export", archive, "nowhere", "-b", log.bootstrap, code=4)
    kconnect("export", archive, topic, "-b", log.bootstrap)
    assert str(archive) in kconnect("export", archive, topic, "-b", log.bootstrap, code=5)
    assert "nowhere" in kconnect("import", archive, "nowhere", "-b", log.bootstrap, code=4)
    kconnect("export", tmp_path / "other", "-b", "127.0.0.1:1", code=6)
