"""The brokers alone, started again with a log of a gigabyte after they were killed under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.case import Case, Round, Size
from benchmarks.cases.broker import Load, produce
from benchmarks.peers import JVM_BROKER_HEAP, Broker
from benchmarks.sample import Sample
from kconnect.testing.broker import EmbeddedLog
from services.kafka.broker import running_kafka

__all__ = ["CASES"]

_LOG = Load("1k-64k", 1024, 1_000_000, {"batch.size": 65536})
_TAIL = 20_000  # records behind whatever was synced
_PATIENCE_SECONDS = 300.0


@contextmanager
def sides(size: Size, folder: Path) -> Iterator[dict[str, Round]]:
    """Each side's log is filled once, and tailed on in every round; the short form has a tenth of a gigabyte."""
    for name in ("ours", "kafka"):
        (folder / name).mkdir()
    with EmbeddedLog(folder / "ours" / "log") as log:
        _fill(Broker.at(log.bootstrap_servers, log.pid), size.records(_LOG.records))
        log.stop()
    with running_kafka(folder / "kafka", heap=JVM_BROKER_HEAP) as kafka:
        _fill(Broker.at(kafka.bootstrap, kafka.process.pid), size.records(_LOG.records))
    yield {"ours": partial(our_round, folder / "ours" / "log"), "kafka": partial(kafka_round, folder / "kafka")}


def our_round(data: Path) -> Sample:
    with EmbeddedLog(data) as log:
        _write_tail(log.bootstrap_servers)
        log.kill()
        began = time.monotonic()
        log.start()
        seconds = _first_record(log.bootstrap_servers, began)
        sample = {"recovery": seconds, "recovery_cpu": Broker.at(log.bootstrap_servers, log.pid).cpu()}
        log.stop()
    return sample


def kafka_round(folder: Path) -> Sample:
    with running_kafka(folder, heap=JVM_BROKER_HEAP) as kafka:
        _write_tail(kafka.bootstrap)
        kafka.process.kill()
    began = time.monotonic()
    with running_kafka(folder, heap=JVM_BROKER_HEAP) as kafka:
        seconds = _first_record(kafka.bootstrap, began)
        return {"recovery": seconds, "recovery_cpu": Broker.at(kafka.bootstrap, kafka.process.pid).cpu()}


def _fill(broker: Broker, records: int) -> None:
    broker.new_topic("large")
    produce(broker, "large", _LOG, records)


def _write_tail(bootstrap: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0, **_LOG.settings})
    value = b"x" * _LOG.value_bytes
    for _ in range(_TAIL):
        producer.produce("large", value)
    if producer.flush(_PATIENCE_SECONDS):
        raise TimeoutError(f"{bootstrap} did not take the tail")


def _first_record(bootstrap: str, began: float) -> float:
    """Seconds until a client that knows nothing yet has asked for the topic and been given a record of it."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "log_level": 0})
    consumer.assign([TopicPartition("large", 0, 0)])
    while time.monotonic() - began < _PATIENCE_SECONDS:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            seconds = time.monotonic() - began
            consumer.close()
            return seconds
    raise TimeoutError(f"{bootstrap} gives no record")


CASES = (
    Case(
        "broker-start-1gb",
        "a broker's start after kill -9, with 1 GB of log, until a consumer has its first record",
        sides,
        warm_up=False,
    ),
)
