"""What the broker does of itself now and then, in a broker of this process with short intervals."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from kconnect.log.limits import Limits
from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.batch import batches
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import Record, build_batch, read_records
from kconnect.log.settings import BrokerSettings
from kconnect.log.storage.checkpoint import read_offsets
from kconnect.log.storage.partition import Partition
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of
from services.brokers import serving

if TYPE_CHECKING:
    from pathlib import Path


def test_checkpoints_follow_the_bytes(tmp_path: Path) -> None:
    with serving(tmp_path / "data", BrokerSettings(checkpoint_bytes=1000)) as address, RawClient(address) as client:
        client.create_topic()
        client.produce(batch_of(b"x" * 2000))
        deadline = Deadline(30)
        while read_offsets(tmp_path / "data" / "recovery-point-offset-checkpoint").get(("t", 0)) != 1:
            deadline.check("no checkpoint was written")


def test_a_fault_is_not_the_last_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Partition] = []

    def fail(partition: Partition, now: int) -> bool:
        looks.append(partition)
        raise RuntimeError("planted")

    monkeypatch.setattr(Partition, "apply_retention", fail)
    settings = BrokerSettings(retention_check_interval=0.01)
    with serving(tmp_path / "data", settings) as address, RawClient(address) as client:
        client.create_topic()
        deadline = Deadline(30)
        while len(looks) < 3:
            deadline.check("nobody looks any more")


def test_old_records_go(tmp_path: Path) -> None:
    settings = BrokerSettings(retention_check_interval=0.05)
    with serving(tmp_path / "data", settings) as address, RawClient(address) as client:
        client.create_topic(retention_ms="3600000", segment_bytes="1000")
        hours_ago = time.time_ns() // 1_000_000 - 7_200_000
        for _ in range(5):
            client.produce(build_batch([Record(0, hours_ago, None, b"x" * 600)]))
        client.produce(batch_of(b"now" * 200))
        deadline = Deadline(30)
        while client.fetch(0).error_code != ErrorCode.OFFSET_OUT_OF_RANGE:
            deadline.check("the old records stay")
        assert client.fetch(5).error_code == ErrorCode.NONE
    assert read_offsets(tmp_path / "data" / "log-start-offset-checkpoint") == {("t", 0): 5}


def test_no_more_clients_than_the_limit_are_served(tmp_path: Path) -> None:
    settings = BrokerSettings(limits=Limits(max_connections=2, max_request_size=100_000))
    with serving(tmp_path / "data", settings) as address, RawClient(address) as first, RawClient(address) as second:
        first.create_topic("a")
        second.create_topic("b")
        with RawClient(address) as third:
            assert third.receive_bytes(1) == b""
        first.close()
        deadline = Deadline(30)
        while True:
            deadline.check("the place of the client that left is not given to another")
            with RawClient(address) as fourth, suppress(ConnectionError):
                fourth.send_bytes(b"\0\0\0\x0a\0\x12\0\0\0\0\0\1\xff\xff")
                if fourth.receive_bytes(4):
                    break


def compacted_batch(*rows: tuple[bytes, bytes]) -> bytearray:
    now = time.time_ns() // 1_000_000
    return build_batch([Record(i, now, key, value) for i, (key, value) in enumerate(rows)])


def rows_in(client: RawClient, end: int) -> dict[int, tuple[bytes | None, bytes | None]]:
    rows: dict[int, tuple[bytes | None, bytes | None]] = {}
    offset = 0
    while offset < end:
        answer = client.fetch(offset)
        assert answer.error_code == ErrorCode.NONE
        for header, view in batches(memoryview(answer.records), partial=True):
            rows |= {r.offset: (r.key, r.value) for r in read_records(header, view) if r.offset >= offset}
            offset = header.last_offset + 1
    return rows


def test_compacted_topics_shrink_while_they_are_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = BrokerSettings(cleaner_backoff=0.05)
    data = tmp_path / "data"
    with caplog.at_level("INFO"), serving(data, settings) as address, RawClient(address) as client:
        client.create_topic(
            cleanup_policy="compact", segment_bytes="2000", min_cleanable_dirty_ratio="0.1", file_delete_delay_ms="0"
        )
        deadline = Deadline(60)
        sent = 0
        while "compacted" not in caplog.text or sent < 100:
            deadline.check("nothing is compacted")
            client.produce(compacted_batch(*[(b"%d" % (i % 5), b"%d" % i * 30) for i in range(sent, sent + 10)]))
            sent += 10
        rows = rows_in(client, sent)
        assert len(rows) < sent
        assert dict(rows.values()) == {b"%d" % (i % 5): b"%d" % i * 30 for i in range(sent - 5, sent)}
        while any((data / "t-0").glob("*.deleted")):
            deadline.check("what was replaced is not removed")
        while read_offsets(data / "cleaner-offset-checkpoint").get(("t", 0), 0) == 0:
            deadline.check("no cleaner checkpoint was written")
    with serving(data, settings) as address, RawClient(address) as client:
        assert dict(rows_in(client, sent).values()) == dict(rows.values())


def test_a_partition_that_cannot_be_compacted_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = tmp_path / "data"
    with serving(data, BrokerSettings()) as address, RawClient(address) as client:
        client.create_topic(cleanup_policy="compact", segment_bytes="1000", min_cleanable_dirty_ratio="0")
        for i in range(5):
            client.produce(compacted_batch((b"a", b"%d" % i * 600)))
    damaged = data / "t-0" / f"{0:020d}.log"
    content = bytearray(damaged.read_bytes())
    content[300] ^= 1
    damaged.write_bytes(content)
    with serving(data, BrokerSettings(cleaner_backoff=0.01)) as address, RawClient(address) as client:
        deadline = Deadline(60)
        while "cannot be compacted" not in caplog.text:
            deadline.check("nothing is said of the damage")
        assert str(damaged) in caplog.text
        assert client.produce(compacted_batch((b"b", b"goes on"))).base_offset == 5
    assert damaged.read_bytes() == content
    assert caplog.text.count("cannot be compacted") == 1


def compactors() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "kconnect.log.storage.compaction" in child.cmdline():
                found.append(child)
    return found


def test_a_broker_that_ends_takes_its_compactor_along(tmp_path: Path) -> None:
    settings = BrokerSettings(cleaner_backoff=0.01)
    with serving(tmp_path / "data", settings) as address, RawClient(address) as client:
        client.create_topic(cleanup_policy="compact", segment_bytes="100000", min_cleanable_dirty_ratio="0")
        deadline = Deadline(60)
        while not (running := compactors()):
            deadline.check("nothing is compacted")
            client.produce(compacted_batch(*[(b"%d" % i, b"x" * 100) for i in range(500)]))
        running[0].suspend()  # it would go on for ever
    assert compactors() == []


def test_checkpoints_follow_the_bytes_when_topics_are_deleted_too(tmp_path: Path) -> None:
    checkpoint = tmp_path / "data" / "recovery-point-offset-checkpoint"
    with serving(tmp_path / "data", BrokerSettings(checkpoint_bytes=1000)) as address, RawClient(address) as client:
        deadline = Deadline(60)
        client.create_topic("large")
        client.produce(batch_of(b"x" * 20_000), topic="large")
        while read_offsets(checkpoint).get(("large", 0)) != 1:
            deadline.check("no checkpoint was written")
        client.call(ApiKey.DELETE_TOPICS, 5, requests.DeleteTopics(topic_names=["large"], timeout_ms=1000))
        client.create_topic("small")
        client.produce(batch_of(b"x" * 2000), topic="small")
        while read_offsets(checkpoint).get(("small", 0)) != 1:
            deadline.check("the bytes of the deleted topic still count")


def test_topics_are_synced_when_their_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()

    def note(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)

    monkeypatch.setattr("kconnect.log.storage.syncer._fdatasync", note)
    with serving(tmp_path / "data", BrokerSettings()) as address, RawClient(address) as client:
        client.create_topic("now_and_then", flush_ms="10")
        client.produce(batch_of(b"x"), topic="now_and_then")
        file = tmp_path / "data" / "now_and_then-0" / f"{0:020d}.log"
        deadline = Deadline(30)
        while file.stat().st_ino not in synced:
            deadline.check("nothing was synced")
