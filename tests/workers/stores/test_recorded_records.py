"""What a worker of Apache Kafka 4.3.1 wrote to its topics, read by the stores and written by them again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from kconnect_workers.states import Status
from kconnect_workers.stores import config_records as records
from kconnect_workers.stores.config_records import ConfigRecord
from kconnect_workers.stores.entry_log import Apply, Entry
from kconnect_workers.stores.java_json import encode
from kconnect_workers.stores.source_offsets import SourceOffsets
from kconnect_workers.stores.status_store import StatusStore

VECTORS = Path(__file__).parent / "vectors" / "kafka-connect-4.3.1.jsonl"


def recorded(topic: str) -> list[Entry]:
    lines = [json.loads(line) for line in VECTORS.read_text().strip().split("\n")]
    return [
        (line["key"].encode(), None if line["value"] is None else line["value"].encode())
        for line in lines
        if line["topic"] == topic
    ]


def written(record: ConfigRecord) -> Entry:
    match record:
        case records.ConnectorConfig(name, props):
            return records.connector_entry(name, props)
        case records.TaskConfig(id, props):
            return records.task_entry(id, props)
        case records.TasksCommit(name, tasks):
            return records.commit_entry(name, tasks)
        case records.TargetStateChange(name, state):
            return records.target_state_entry(name, state)
        case records.RestartRequest():
            return records.restart_entry(record)
        case records.SessionKey():
            return records.session_key_entry(record)
        case records.TaskCount(name, tasks):
            return records.task_count_entry(name, tasks)
        case records.LoggerLevel(logger, level):
            return records.logger_level_entry(logger, level)


def test_records_of_configs_are_written_as_they_were_read() -> None:
    kinds = set()
    for key, value in recorded("configs"):
        record = records.read(key, value)
        assert record is not None
        assert written(record) == (key, value)
        kinds.add(type(record))
    assert len(kinds) == 8


class CapturingLog:
    """An EntryLog that keeps what it is given."""

    def __init__(self, apply: Apply) -> None:
        self.apply = apply
        self.entries: list[Entry] = []

    async def start(self) -> None: ...

    async def append(self, entries: Sequence[Entry]) -> None:
        self.entries += entries

    async def read_to_end(self) -> None: ...

    async def stop(self) -> None: ...


def test_statuses_are_written_as_they_were_read() -> None:
    asyncio.run(_write_statuses_again())


async def _write_statuses_again() -> None:
    logs: list[CapturingLog] = []

    def opened(apply: Apply) -> CapturingLog:
        logs.append(CapturingLog(apply))
        return logs[0]

    store = StatusStore(opened)
    seen = 0
    for key, value in recorded("status"):
        logs[0].apply(key, value)
        if value is None or key.startswith(b"status-topic-"):
            continue
        found: list[Status | None] = [store.connector(name) for name in store.connectors()]
        found += [task for name in CONNECTORS for task in store.tasks(name)]
        await store.put(*(status for status in found if status is not None))
        assert (key, value) in logs[0].entries
        logs[0].entries.clear()
        seen += 1
    assert seen > 20


CONNECTORS = [f"source-{number}" for number in range(4)] + ["failing", 'sink ü/€"\\', "stopped"]


def test_offsets_are_written_as_they_were_read() -> None:
    known = SourceOffsets()
    for key, value in recorded("offsets"):
        connector, partition = msgspec.json.decode(key)
        offset = None if value is None else msgspec.json.decode(value)
        assert SourceOffsets().entry(connector, partition, offset) == (key, value)
        known.apply(key, value)
    assert known.offsets("source-0") == [({"filename": "/data/in0.txt"}, {"position": 4})]
    assert known.offsets("source-1") == []


@pytest.mark.parametrize(
    ("text", "json_text"),
    [
        ("\x01\x1f", '"\\u0001\\u001F"'),
        ("\\u001f", '"\\\\u001f"'),
        ("\\\x1f", '"\\\\\\u001F"'),
        ("ü€\x7f\u2028", '"ü€\x7f\u2028"'),
        ("😀\U0010ffff", '"\\uD83D\\uDE00\\uDBFF\\uDFFF"'),
        ('"/\b\t\n\f\r', '"\\"/\\b\\t\\n\\f\\r"'),
    ],
)
def test_texts_are_escaped_as_in_java(text: str, json_text: str) -> None:
    assert encode(text).decode() == json_text
    assert json.loads(encode(text)) == text
