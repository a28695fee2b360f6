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
