"""The brokers alone, under the same load from librdkafka; acks=all, neither syncs on its own."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from benchmarks.case import Case, Round, Sides, Size
from benchmarks.peers import JVM_BROKER_HEAP, Broker
from benchmarks.sample import Sample, throughput
from kconnect.testing.broker import EmbeddedLog
from services.kafka.broker import running_kafka

__all__ = ["CASES"]

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Load:
    name: str
    value_bytes: int
    records: int
    settings: Mapping[str, object]

    @property
    def about(self) -> str:
        settings = ", ".join(f"{key}={value}" for key, value in self.settings.items()) or "default batches"
        return f"{self.records:,} records of {self.value_bytes} bytes, {settings}"


# With its default batches of a megabyte librdkafka itself is the limit; 16 KiB is what Java's producer sends.
LOADS = (
    Load("100b", 100, 2_000_000, {}),
    Load("100b-16k", 100, 2_000_000, {"batch.size": 16384}),
    Load("1k-64k", 1024, 400_000, {"batch.size": 65536}),
    Load("1k-16k", 1024, 400_000, {"batch.size": 16384}),
)


@contextmanager
def both_brokers(folder: Path) -> Iterator[dict[str, Broker]]:
    with EmbeddedLog(folder / "log") as log, running_kafka(folder, heap=JVM_BROKER_HEAP) as kafka:
        yield {
            "ours": Broker.at(log.bootstrap_servers, log.pid),
            "kafka": Broker.at(kafka.bootstrap, kafka.process.pid),
        }


@contextmanager
def produce_sides(load: Load, size: Size, folder: Path) -> Iterator[dict[str, Round]]:
    with both_brokers(folder) as brokers:
        yield {
            name: partial(produce_round, broker, load, size.records(load.records)) for name, broker in brokers.items()
        }


@contextmanager
def consume_sides(load: Load, size: Size, folder: Path) -> Iterator[dict[str, Round]]:
    records = size.records(load.records)
    with both_brokers(folder) as brokers:
        for broker in brokers.values():
            broker.new_topic("to-read")
            produce(broker, "to-read", load, records)
        yield {name: partial(consume_round, broker, records) for name, broker in brokers.items()}


def produce_round(broker: Broker, load: Load, records: int) -> Sample:
    topic = broker.new_topic(f"load-{uuid.uuid4().hex[:8]}")
    before = broker.cpu()
    seconds = produce(broker, topic, load, records)
    sample = throughput(records, seconds, broker_cpu=broker.cpu() - before)
    broker.admin.delete_topics([topic])[topic].result(60)
    return sample


def produce(broker: Broker, topic: str, load: Load, records: int) -> float:
    """Seconds until every record is acknowledged."""
    failed: list[KafkaError] = []
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "queue.buffering.max.messages": 200_000,
            "delivery.report.only.error": True,
            "error_cb": failed.append,
            **load.settings,
        }
    )
    value = bytes(range(256)) * (load.value_bytes // 256 + 1)
    chunk = [{"value": value[: load.value_bytes]}] * _CHUNK
    began = time.monotonic()
    for _ in range(records // _CHUNK):
        while len(producer) > 200_000 - _CHUNK:
            producer.poll(0.01)
        producer.produce_batch(topic, chunk)
    left = producer.flush(300)
    seconds = time.monotonic() - began
    if left or failed or broker.records_in(topic) != records:
        sys.exit(f"produce to {broker.bootstrap}: {left} left, {failed}, {broker.records_in(topic)} records there")
    return seconds


def consume_round(broker: Broker, records: int) -> Sample:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "reader", "fetch.wait.max.ms": 50})
    consumer.assign([TopicPartition("to-read", 0, 0)])
    before = broker.cpu()
    began = time.monotonic()
    seen = 0
    while seen < records:
        messages = consumer.consume(10_000, 1.0)
        seen += len(messages)
        if not messages and time.monotonic() - began > 300:
            sys.exit(f"consume from {broker.bootstrap}: {seen} of {records} records in 300 s")
    seconds = time.monotonic() - began
    consumer.close()
    return throughput(records, seconds, broker_cpu=broker.cpu() - before)


def _cases(kind: str, loads: tuple[Load, ...], sides: Callable[[Load, Size, Path], Sides]) -> Iterator[Case]:
    for load in loads:
        yield Case(f"broker-{kind}-{load.name}", f"{kind} {load.about}", partial(sides, load))


CASES = (
    *_cases("produce", LOADS, produce_sides),
    *_cases("consume", (LOADS[0], LOADS[2]), consume_sides),
)
