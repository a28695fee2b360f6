"""One connector on a warm system: from its creation to its last record."""

from __future__ import annotations

import itertools
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping

from confluent_kafka import Producer

from benchmarks.peers import System
from benchmarks.sample import Sample, throughput

__all__ = ["fill_topic", "run_connector", "unique"]

_SECONDS = 900


def unique(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def run_connector(system: System, config: Mapping[str, str], *, records: int, moved: Callable[[], int]) -> Sample:
    """Create it, wait until `moved` says `records`, delete it. Ends the benchmark when that does not happen."""
    name = unique("bench")
    worker_cpu, broker_cpu = system.worker_cpu(), system.broker.cpu()
    began = time.monotonic()
    system.create(name, config)
    while (count := moved()) < records:
        if time.monotonic() - began > _SECONDS:
            sys.exit(f"{config['connector.class']}: {count} of {records} records in {_SECONDS} s")
        failure = system.failure_of(name) if count == 0 else None
        if failure:
            sys.exit(f"{config['connector.class']} at {system.url} failed:\n{failure}")
        time.sleep(0.05)
    seconds = time.monotonic() - began
    used = {
        "worker_cpu": system.worker_cpu() - worker_cpu,
        "broker_cpu": system.broker.cpu() - broker_cpu,
    }
    system.delete(name)
    if count > records:
        sys.exit(f"{config['connector.class']}: {count} records arrived where {records} were sent")
    return throughput(records, seconds, **used)


def fill_topic(system: System, topic: str, values: Iterator[str]) -> None:
    """A new topic that holds `values`, in this order. Raises TimeoutError when the broker does not take them."""
    system.broker.new_topic(topic)
    producer = Producer(
        {"bootstrap.servers": system.broker.bootstrap, "acks": "all", "queue.buffering.max.messages": 200_000}
    )
    while chunk := [{"value": value} for value in itertools.islice(values, 1000)]:
        while len(producer) > 190_000:
            producer.poll(0.01)
        producer.produce_batch(topic, chunk)
    if producer.flush(300):
        raise TimeoutError(f"{topic} could not be filled")
