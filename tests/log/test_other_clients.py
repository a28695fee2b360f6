"""The log as kcat, kafka-python and aiokafka see it."""

from __future__ import annotations

import asyncio
import subprocess
import warnings
from typing import TYPE_CHECKING

import aiokafka
import pytest

with warnings.catch_warnings():
    # kafka-python reads its own files by a function that Python is going to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka

if TYPE_CHECKING:
    from kconnect.testing.broker import EmbeddedLog

VALUES = [b"value %d" % i * 10 for i in range(300)]


def kcat(log: EmbeddedLog, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["kcat", "-b", log.bootstrap_servers, "-q", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60).stdout


@pytest.mark.needs("kcat")
def test_kcat_writes_reads_and_lists(broker: EmbeddedLog) -> None:
    kcat(broker, "-P", "-t", "t", "-K:", stdin=b"k1:a\nk2:b\n")
    assert kcat(broker, "-C", "-t", "t", "-e", "-K:") == b"k1:a\nk2:b\n"
    assert kcat(broker, "-C", "-t", "t", "-e", "-o", "-1") == b"b\n"
    assert b'topic "t" with 1 partitions' in kcat(broker, "-L")
    assert kcat(broker, "-Q", "-t", "t:0:0").strip() == b"t [0] offset 0"


@pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning")
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_kafka_python_writes_and_reads(broker: EmbeddedLog, compression: str | None) -> None:
    producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap_servers, compression_type=compression)
    for value in VALUES:
        producer.send("t", value)
    producer.flush(30)
    producer.close()
    for _ in range(2):
        # The second round begins where the first one has committed: nowhere.
        consumer = kafka.KafkaConsumer(
            "t",
            bootstrap_servers=broker.bootstrap_servers,
            group_id="g",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        assert [next(consumer).value for _ in VALUES] == VALUES
        consumer.close()


@pytest.mark.parametrize("idempotent", [True, False])
def test_aiokafka_writes_and_reads(broker: EmbeddedLog, idempotent: bool) -> None:
    async def round_trip() -> list[bytes | None]:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap_servers, enable_idempotence=idempotent, acks="all"
        )
        await producer.start()
        for value in VALUES:
            await producer.send("t", value)
        await producer.stop()
        consumer = aiokafka.AIOKafkaConsumer(
            "t", bootstrap_servers=broker.bootstrap_servers, group_id="g", auto_offset_reset="earliest"
        )
        await consumer.start()
        values = [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in VALUES]
        await consumer.commit()
        await consumer.stop()
        return values

    assert asyncio.run(round_trip()) == VALUES


@pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning")
def test_kafka_python_commits_and_aborts(broker: EmbeddedLog) -> None:
    producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id="tx")
    producer.init_transactions()
    for number in range(4):
        producer.begin_transaction()
        producer.send("t", b"%d" % number)
        producer.flush(30)
        producer.commit_transaction() if number % 2 else producer.abort_transaction()
    producer.close()
    consumer = kafka.KafkaConsumer(
        "t",
        bootstrap_servers=broker.bootstrap_servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        group_id=None,
    )
    assert [next(consumer).value for _ in range(2)] == [b"1", b"3"]
    consumer.close()


def test_aiokafka_commits_and_aborts_with_offsets(broker: EmbeddedLog) -> None:
    async def transact() -> tuple[list[bytes | None], int | None]:
        source = aiokafka.TopicPartition("source", 0)
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap_servers, transactional_id="tx", enable_idempotence=True
        )
        await producer.start()
        for number in range(4):
            await producer.begin_transaction()
            await producer.send_and_wait("t", b"%d" % number)
            await producer.send_and_wait("source", b"x")
            await producer.send_offsets_to_transaction({source: number}, "g")
            await (producer.commit_transaction() if number % 2 else producer.abort_transaction())
        await producer.stop()
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap_servers, group_id="g", isolation_level="read_committed"
        )
        await consumer.start()
        consumer.assign([aiokafka.TopicPartition("t", 0)])
        await consumer.seek_to_beginning()
        values = [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(2)]
        committed = await consumer.committed(source)
        await consumer.stop()
        return values, committed

    assert asyncio.run(transact()) == ([b"1", b"3"], 3)
