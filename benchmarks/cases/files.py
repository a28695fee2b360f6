"""A file into a topic, and a topic into a file; lines of 100 bytes, one task, one partition."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from confluent_kafka import Producer

from benchmarks.case import Case, Round, Size
from benchmarks.peers import System, jvm_system, our_system
from benchmarks.pipeline import run_connector, unique
from benchmarks.sample import Sample

__all__ = ["CASES"]

_LINES = 2_000_000
_LINE = "{:0>99}\n"
_STRING = "org.apache.kafka.connect.storage.StringConverter"
_JSON = {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "true"}

# What made the JVM's own best figures.
JVM_SOURCE = {"producer.override.batch.size": "262144", "producer.override.linger.ms": "20"}
JVM_SINK = {
    "consumer.override.max.poll.records": "5000",
    "consumer.override.fetch.min.bytes": "262144",
    "consumer.override.max.partition.fetch.bytes": "8388608",
}


@contextmanager
def both_systems(
    folder: Path, *, plugins: tuple[str, ...] = ("connect-file",), tuning: Mapping[str, str]
) -> Iterator[dict[str, System]]:
    for name in ("ours", "jvm"):
        (folder / name).mkdir()
    with our_system(folder / "ours") as ours, jvm_system(folder / "jvm", plugins=plugins, tuning=tuning) as jvm:
        yield {"ours": ours, "jvm": jvm}


@contextmanager
def source_sides(converter: Mapping[str, str], size: Size, folder: Path) -> Iterator[dict[str, Round]]:
    lines = size.records(_LINES)
    path = folder / "lines.txt"
    with path.open("w") as file:
        file.writelines(map(_LINE.format, range(lines)))
    with both_systems(folder, tuning=JVM_SOURCE) as systems:
        yield {name: partial(source_round, system, path, lines, converter) for name, system in systems.items()}


def source_round(system: System, path: Path, lines: int, converter: Mapping[str, str]) -> Sample:
    topic = system.broker.new_topic(unique("lines"))
    config = {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "file": str(path),
        "topic": topic,
        "key.converter": _STRING,
        **converter,
    }
    return run_connector(system, config, records=lines, moved=lambda: system.broker.records_in(topic))


@contextmanager
def sink_sides(size: Size, folder: Path) -> Iterator[dict[str, Round]]:
    lines = size.records(_LINES)
    with both_systems(folder, tuning=JVM_SINK) as systems:
        for system in systems.values():
            fill_topic(system, "lines", (_LINE.format(number).rstrip() for number in range(lines)))
        yield {name: partial(sink_round, system, folder, lines) for name, system in systems.items()}


def fill_topic(system: System, topic: str, values: Iterator[str]) -> None:
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


def sink_round(system: System, folder: Path, lines: int) -> Sample:
    path = folder / unique("copy")
    config = {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "file": str(path),
        "topics": "lines",
        "key.converter": _STRING,
        "value.converter": _STRING,
    }
    line_bytes = len(_LINE.format(0))
    sample = run_connector(
        system,
        config,
        records=lines,
        moved=lambda: path.stat().st_size // line_bytes if path.exists() else 0,
    )
    path.unlink()
    return sample


CASES = (
    Case("file-to-topic-string", "FileStreamSource, strings", partial(source_sides, {"value.converter": _STRING})),
    Case("file-to-topic-json", "FileStreamSource, JSON with schemas", partial(source_sides, _JSON)),
    Case("topic-to-file", "FileStreamSink, strings", sink_sides),
)
