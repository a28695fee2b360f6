"""A sink that takes columns, in a real process on a real log: nothing but the way of its records is another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kconnect_workers.states import TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

SINK = TaskId("collector", 0)
SCHEMA = b'{"type":"struct","fields":[{"type":"int32","field":"n"}]}'


def enveloped(n: int) -> bytes:
    return b'{"schema":%b,"payload":{"n":%d}}' % (SCHEMA, n)


def journal(path: Path, call: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if line["call"] == call]


def test_columns_are_put_retried_reported_and_committed_like_records(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, tmp_path: Path
) -> None:
    """Ten records as columns, one of which is bad and all of which are put again; then a tombstone by itself."""
    written, dead = tmp_path / "journal", "columns-dead"
    kafka.create("columns")
    kafka.produce("columns", map(enveloped, range(10)))
    settings = {
        "connector__class": "ColumnarSink",
        "topics": "columns",
        "journal": str(written),
        "value__converter": "org.apache.kafka.connect.json.JsonConverter",
        "value__converter__schemas__enable": "true",
        "errors__tolerance": "all",
        "errors__deadletterqueue__topic__name": dead,
        "errant__at": "3",
        "retry__at": "5",
        "retry__ms": "50",
    }

    async def scenario() -> None:
        async with environment() as env:
            await start(env, "collector", **settings)
            await eventually(lambda: len(journal(written, "put")) == 9, what=statuses)
            kafka.produce("columns", [None])
            await eventually(lambda: env.tasks()[SINK].stats.records_out == 11)
            await eventually(lambda: env.tasks()[SINK].stats.dead_letters == 1)

    run(scenario())
    first, *_, last = journal(written, "columns")
    assert first["offsets"][0] == 0
    assert last["offsets"][-1] == 9
    assert journal(written, "retry")
    assert [line["value"] for line in journal(written, "put")] == [*({"n": n} for n in range(10) if n != 3), None]
    assert [message.value() for message in kafka.messages(dead)] == [enveloped(3)]
    assert kafka.committed("connect-collector", "columns") == {0: 11}
