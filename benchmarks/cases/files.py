"""A file into a topic, and a topic into a file; lines of 100 bytes, one task, one partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.case import Case, Round, Size
from benchmarks.peers import JVM_SINK, JVM_SOURCE, System, both_systems
from benchmarks.pipeline import fill_topic, run_connector, unique
from benchmarks.sample import Sample

__all__ = ["CASES"]

_LINES = 2_000_000
_LINE = "{:0>99}\n"
_STRING = "org.apache.kafka.connect.storage.StringConverter"
_JSON = {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "true"}


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
