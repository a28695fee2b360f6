"""Sink tasks in real processes on a real log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kconnect_workers.states import State, TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

SINK = TaskId("collector", 0)


def journal(path: Path, call: str | None = None) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if call in (None, line["call"])]


def test_records_go_from_a_source_to_a_sink_which_commits_them(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, tmp_path: Path
) -> None:
    written = tmp_path / "journal"

    async def scenario() -> None:
        async with environment() as env:
            await start(env, "feeder", connector__class="CountingSource", topic="through", limit="1000")
            await start(env, "collector", connector__class="CollectingSink", topics="through", journal=str(written))
            await eventually(lambda: len(journal(written, "put")) >= 1000, what=statuses)
            await eventually(lambda: env.tasks()[SINK].stats.records_pending == 0)
            assert statuses.last(SINK) is State.RUNNING
            assert env.tasks()[SINK].stats.lag == 0

    run(scenario())
    assert [line["value"]["n"] for line in journal(written, "put")] == list(range(1000))
    assert [line["call"] for line in journal(written)][:2] == ["start", "open"]
    assert [line["call"] for line in journal(written)][-3:] == ["flush", "close", "stop"]
    assert kafka.committed("connect-collector", "through") == {0: 1000}
