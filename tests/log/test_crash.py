"""What is there after a kill, after damage, and after a disk was full."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.repair import repair
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_values(log: EmbeddedLog, topic: str, partition: int = 0) -> list[bytes]:
    """Every value of a partition, in order, read from the beginning."""
    source = Consumer(
        {
            "bootstrap.servers": log.bootstrap_servers,
            "group.id": "reader",
            "enable.auto.commit": False,
            "check.crcs": True,
        }
    )
    _, end = source.get_watermark_offsets(TopicPartition(topic, partition), 10)
    source.assign([TopicPartition(topic, partition, 0)])
    deadline = Deadline(60)
    values: list[bytes] = []
    while len(values) < end:
        deadline.check(f"{len(values)} of {end} records of {topic}-{partition} came")
        for message in source.consume(10_000, 0.2):
            assert message.error() is None
            value = message.value()
            assert value is not None
            values.append(value)
    source.close()
    return values


class Load:
    """An idempotent producer at full speed, in a thread, and what was acknowledged to it."""

    def __init__(self, log: EmbeddedLog) -> None:
        self.acknowledged: list[bytes] = []
        self.failures: list[KafkaError] = []
        self._ended = threading.Event()
        self._producer = Producer(
            {"bootstrap.servers": log.bootstrap_servers, "enable.idempotence": True, "linger.ms": 1}
        )
        self._thread = threading.Thread(target=self._run)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failures.append(error)
        else:
            self.acknowledged.append(message.value() or b"")

    def _run(self) -> None:
        number = 0
        while not self._ended.is_set():
            try:
                self._producer.produce("t", b"%d" % number, on_delivery=self._delivered)
                number += 1
            except BufferError:
                self._producer.poll(0.01)
            self._producer.poll(0)
        self._producer.flush(60)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for_more(self, count: int) -> None:
        """Until `count` further records are acknowledged."""
        target = len(self.acknowledged) + count
        deadline = Deadline(60)
        while len(self.acknowledged) < target:
            deadline.check("the load stands still")


def test_nothing_acknowledged_is_lost_or_doubled_by_kills_under_load(broker: EmbeddedLog) -> None:
    with Load(broker) as load:
        for _ in range(3):
            load.wait_for_more(5000)
            broker.kill()
            broker.restart()
        load.wait_for_more(5000)
    values = all_values(broker, "t")
    assert load.failures == []
    # Idempotence and order besides: exactly the numbers, each once, in their order.
    assert values == [b"%d" % i for i in range(len(values))]
    assert set(load.acknowledged) <= set(values)


def test_kills_while_it_compacts_lose_no_last_value(tmp_path: Path) -> None:
    options = ["--override", "log.cleaner.backoff.ms=10"]
    with EmbeddedLog(tmp_path / "data", options=options) as broker:
        with RawClient(broker.bootstrap_servers) as client:
            client.create_topic(
                cleanup_policy="compact",
                segment_bytes="20000",
                min_cleanable_dirty_ratio="0.01",
                file_delete_delay_ms="0",
            )
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True, "batch.num.messages": 20}
        )
        failures: list[KafkaError] = []
        number = 0
        for round_ in range(6):
            deadline = Deadline(60)
            while broker.stderr.count(": compacted ") < 2 or number < 3000 * (round_ + 1):
                deadline.check("nothing is compacted")
                if len(producer) > 2000:
                    producer.poll(0.01)
                    continue
                producer.produce(
                    "t",
                    key=b"%d" % (number % 50),
                    value=b"%d" % number,
                    on_delivery=lambda error, _: failures.append(error) if error else None,
                )
                number += 1
                # Beyond what the round needs, no faster than a busy machine compacts.
                producer.poll(0 if number < 3000 * (round_ + 1) else 0.002)
            broker.kill()
            broker.start()
        assert producer.flush(60) == 0
        assert failures == []
        rows = list(rows_from(broker, "t"))
        assert [offset for offset, _, _ in rows] == sorted({offset for offset, _, _ in rows})
        assert {key: value for _, key, value in rows} == {
            b"%d" % (n % 50): b"%d" % n for n in range(number - 50, number)
        }
        assert len(rows) < number


def rows_from(log: EmbeddedLog, topic: str) -> Iterator[tuple[int, bytes, bytes]]:
    """(offset, key, value) of every record, to the end."""
    source = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "reader", "enable.partition.eof": True})
    source.assign([TopicPartition(topic, 0, 0)])
    deadline = Deadline(60)
    while True:
        deadline.check("the end does not come")
        message = source.poll(1)
        if message is not None and message.error() is not None:
            source.close()
            return
        if message is not None:
            yield message.offset() or 0, message.key() or b"", message.value() or b""


def test_a_torn_end_is_cut_and_the_log_goes_on(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    client.produce(batch_of(b"a"))
    client.produce(batch_of(b"b"))
    broker.kill()
    file = broker.data / "t-0" / f"{0:020d}.log"
    os.truncate(file, file.stat().st_size - 3)
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert values_of(again.fetch(0)) == [b"a"]
        assert again.produce(batch_of(b"c")).base_offset == 1
        assert values_of(again.fetch(0)) == [b"a", b"c"]
    broker.stop()
    assert "t-0: cut" in broker.stderr


def test_a_new_leader_epoch_tells_of_offsets_used_again(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    client.produce(batch_of(b"a"))
    broker.kill()
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert again.fetch(1, leader_epoch=0).error_code == ErrorCode.FENCED_LEADER_EPOCH
        assert again.fetch(1, leader_epoch=1).error_code == ErrorCode.NONE


def test_no_leader_epoch_is_begun_twice_though_a_power_loss_took_its_file(
    broker: EmbeddedLog, client: RawClient
) -> None:
    client.create_topic()
    client.produce(batch_of(b"a"))
    for _ in range(2):
        broker.kill()
        broker.start()
    broker.kill()
    (broker.data / "t-0" / "leader-epoch-checkpoint").write_text("0\n1\n0 0\n")
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert again.fetch(1, leader_epoch=2).error_code == ErrorCode.FENCED_LEADER_EPOCH


def corrupt(file: Path, position: int) -> None:
    """Flip one bit."""
    data = bytearray(file.read_bytes())
    data[position] ^= 0x10
    file.write_bytes(data)


@pytest.mark.parametrize("damage", ["truncated", "missing", "header"])
def test_damage_below_the_synced_point_takes_the_partition_offline(
    broker: EmbeddedLog, client: RawClient, damage: str
) -> None:
    client.create_topic()
    client.create_topic("sound")
    client.produce(batch_of(b"a" * 100))
    client.produce(batch_of(b"b" * 100))
    client.produce(batch_of(b"s"), topic="sound")
    broker.stop()
    file = broker.data / "t-0" / f"{0:020d}.log"
    if damage == "truncated":
        os.truncate(file, file.stat().st_size - 10)
    elif damage == "missing":
        file.unlink()
    else:
        corrupt(file, 16)
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert again.fetch(0).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert again.produce(batch_of(b"c")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert values_of(again.fetch(0, topic="sound")) == [b"s"]
    broker.stop()
    assert str(file if damage != "missing" else file.parent) in broker.stderr
    assert f"kconnect broker repair --data {broker.data} t-0" in broker.stderr
    repaired = repair(broker.data, "t-0")
    assert (repaired.kept_until, repaired.next_offset) == (1 if damage == "truncated" else 0, 2)
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert again.produce(batch_of(b"c")).base_offset == 2
        assert values_of(again.fetch(0)) == ([b"a" * 100] if damage == "truncated" else [b"c"])
        assert values_of(again.fetch(1)) == [b"c"]


@pytest.mark.parametrize("kept", [1, 0])
def test_a_consumer_goes_on_to_the_end_of_a_repaired_partition(
    broker: EmbeddedLog, client: RawClient, kept: int
) -> None:
    """Nobody writes any more: it must not wait for that before what was given up."""
    client.create_topic()
    for _ in range(3):
        client.produce(batch_of(b"a" * 100))
    broker.stop()
    file = broker.data / "t-0" / f"{0:020d}.log"
    corrupt(file, kept * (file.stat().st_size // 3) + 16)
    broker.start()  # and the partition is offline
    broker.stop()
    repaired = repair(broker.data, "t-0")
    assert (repaired.kept_until, repaired.next_offset) == (kept, 3)
    for _ in range(2):  # what stands for the lost records is there after another start as well
        broker.start()
        assert read_to_end(broker, "t") == ([b"a" * 100] * kept, 3)
        broker.stop()


def read_to_end(log: EmbeddedLog, topic: str) -> tuple[list[bytes | None], int]:
    """The values from the beginning until the consumer says that it is at the end, and where that is."""
    source = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "reader", "enable.partition.eof": True})
    source.assign([TopicPartition(topic, 0, 0)])
    deadline = Deadline(30)
    values: list[bytes | None] = []
    while True:
        deadline.check(f"the end of {topic} was reached after {values}")
        for message in source.consume(100, 0.2):
            error = message.error()
            if error is None:
                values.append(message.value())
                continue
            assert error.code() == KafkaError._PARTITION_EOF, error
            end = message.offset()
            assert end is not None
            source.close()
            return values, end


def metadata_of(client: RawClient, topic: str) -> Any:
    wanted = requests.Metadata(topics=[requests.Metadata.Topic(name=topic)])
    return client.call(ApiKey.METADATA, 12, wanted).topics[0].partitions[0]


def test_a_partition_that_cannot_be_read_is_offline_and_the_rest_serves_on(
    broker: EmbeddedLog, client: RawClient
) -> None:
    client.create_topic()
    client.create_topic("sound")
    client.produce(batch_of(b"a"))
    broker.stop()
    file = broker.data / "t-0" / f"{0:020d}.log"
    file.rename(file.with_suffix(".away"))
    file.mkdir()
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert again.produce(batch_of(b"s"), topic="sound").error_code == ErrorCode.NONE
        assert again.produce(batch_of(b"b")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        offline, sound = metadata_of(again, "t"), metadata_of(again, "sound")
        assert (offline.error_code, offline.leader_id, offline.offline_replicas) == (
            ErrorCode.LEADER_NOT_AVAILABLE,
            -1,
            [1],
        )
        assert (sound.error_code, sound.leader_id, sound.offline_replicas) == (ErrorCode.NONE, 1, [])
    broker.stop()
    assert str(file) in broker.stderr
    file.rmdir()
    file.with_suffix(".away").rename(file)
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert values_of(again.fetch(0)) == [b"a"]


def test_a_flipped_bit_in_old_records_is_reported_by_the_client_and_hides_nothing_else(
    broker: EmbeddedLog, client: RawClient
) -> None:
    client.create_topic(segment_bytes="1000")
    for i in range(10):
        client.produce(batch_of(b"%d" % i * 400))
    broker.stop()
    corrupt(broker.data / "t-0" / f"{0:020d}.log", 200)
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert values_of(again.fetch(4))[0] == b"4" * 400
        assert again.produce(batch_of(b"next")).base_offset == 10


def test_broken_framing_in_old_records_is_an_error_with_its_place(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic(segment_bytes="1000", index_interval_bytes="0")
    for i in range(10):
        client.produce(batch_of(b"%d" % i * 400))
    broker.stop()
    file = broker.data / "t-0" / f"{0:020d}.log"
    corrupt(file, 16)
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert again.fetch(0).error_code == ErrorCode.CORRUPT_MESSAGE
        assert again.fetch(4).error_code == ErrorCode.NONE
    broker.stop()
    assert f"{file} is damaged at byte 0" in broker.stderr


@pytest.mark.parametrize("suffix", ["index", "timeindex", "snapshot"])
@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_helper_files_are_rebuilt(broker: EmbeddedLog, client: RawClient, suffix: str, damage: str) -> None:
    client.create_topic(segment_bytes="2000", index_interval_bytes="0")
    for i in range(20):
        client.produce(batch_of(b"%d" % i * 100, producer_id=5, producer_epoch=0, base_sequence=i))
    broker.stop()
    helpers = list((broker.data / "t-0").glob(f"*.{suffix}"))
    assert helpers
    for helper in helpers:
        if damage == "missing":
            helper.unlink()
        else:
            helper.write_bytes(b"\x7fgarbage" * 15)
    broker.start()
    with RawClient(broker.bootstrap_servers) as again:
        assert [values_of(again.fetch(i))[0] for i in range(20)] == [b"%d" % i * 100 for i in range(20)]
        repeated = batch_of(b"19" * 100, producer_id=5, producer_epoch=0, base_sequence=19)
        assert again.produce(repeated).base_offset == 19


class SmallDisk:
    """A file system of a few megabytes; more room can be made on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True, capture_output=True)

    def make_room(self) -> None:
        subprocess.run(["mount", "-o", "remount,size=64m", self.folder], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", self.folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        if "CI" in os.environ:
            pytest.fail("only root can mount a small file system")
        pytest.skip("only root can mount a small file system")
    disk = SmallDisk(tmp_path / "disk")
    yield disk
    disk.unmount()


def fill(client: RawClient) -> int:
    """Produce until the disk is full; returns how many batches were acknowledged."""
    for count in range(10_000):
        answer = client.produce(batch_of(b"%d" % count * 3000))
        if answer.error_code != ErrorCode.NONE:
            assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
            return count
    raise AssertionError("the disk was never full")


@pytest.mark.parametrize("end", ["restart", "kill", "none"])
def test_a_full_disk_loses_nothing_and_is_over_when_there_is_room(small_disk: SmallDisk, end: str) -> None:
    with EmbeddedLog(small_disk.folder / "data") as log:
        with RawClient(log.bootstrap_servers) as client:
            client.create_topic()
            acknowledged = fill(client)
            assert client.produce(batch_of(b"x" * 9000)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert client.fetch(0).high_watermark == acknowledged
        if end == "kill":
            log.kill()
        if end != "none":
            log.restart()
        small_disk.make_room()
        with RawClient(log.bootstrap_servers) as client:
            assert client.produce(batch_of(b"room again")).base_offset == acknowledged
        assert all_values(log, "t") == [b"%d" % i * 3000 for i in range(acknowledged)] + [b"room again"]
        log.stop()


def test_a_file_size_limit_is_as_a_full_disk(tmp_path: Path) -> None:
    with EmbeddedLog(tmp_path / "data", launcher=["prlimit", "--fsize=200000:unlimited"]) as log:
        with RawClient(log.bootstrap_servers) as client:
            client.create_topic()
            acknowledged = fill(client)
            subprocess.run(["prlimit", "--pid", str(log.pid), "--fsize=unlimited"], check=True)
            assert client.produce(batch_of(b"room again")).base_offset == acknowledged
        assert all_values(log, "t") == [b"%d" % i * 3000 for i in range(acknowledged)] + [b"room again"]


def test_a_consumer_goes_on_committing_when_there_is_room_again(small_disk: SmallDisk) -> None:
    with EmbeddedLog(small_disk.folder / "data") as log:
        with RawClient(log.bootstrap_servers) as client:
            client.create_topic()
            client.produce(batch_of(b"a"))
            source = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "g", "log_level": 0})
            source.assign([TopicPartition("t", 0, 0)])
            source.commit(offsets=[TopicPartition("t", 0, 0)], asynchronous=False)
            fill(client)
        small_disk.make_room()
        source.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
        log.kill()
        log.restart()
        assert source.committed([TopicPartition("t", 0)], 10)[0].offset == 1
        source.close()


@pytest.mark.parametrize("end", ["restart", "kill", "none"])
def test_offsets_are_committed_while_the_disk_is_full(small_disk: SmallDisk, end: str) -> None:
    with EmbeddedLog(small_disk.folder / "data") as log:
        client = RawClient(log.bootstrap_servers)
        client.create_topic()
        client.create_topic("offsets", flush_messages="1")
        source = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "g", "log_level": 0})
        source.commit(offsets=[TopicPartition("t", 0, 0)], asynchronous=False)
        acknowledged = fill(client)
        for i in range(1, 100):
            source.commit(offsets=[TopicPartition("t", 0, i)], asynchronous=False)
            assert client.produce(batch_of(b"x" * 100), topic="offsets").error_code == ErrorCode.NONE
        assert client.produce(batch_of(b"not even little")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        client.close()
        if end == "kill":
            log.kill()
        if end != "none":
            log.restart()
        assert source.committed([TopicPartition("t", 0)], 10)[0].offset == 99
        small_disk.make_room()
        deadline = Deadline(30)
        with RawClient(log.bootstrap_servers) as again:
            assert len(values_of(again.fetch(0, topic="offsets"))) == 99
            while (answer := again.produce(batch_of(b"room again"))).error_code != ErrorCode.NONE:
                deadline.check("the room is not noticed")
                assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert answer.base_offset == acknowledged
        source.close()
