"""Tasks whose brokers go away and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.states import State, TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

TASKS = [TaskId("feeder", 0), TaskId("collector", 0)]


def test_tasks_say_that_no_broker_answers_and_go_on_when_one_does(
    environment: MakeEnvironment, statuses: Statuses, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = tmp_path / "journal"

    def told(words: str) -> bool:
        return all(words in (statuses.traces.get(str(task)) or "") for task in TASKS)

    async def scenario(log: EmbeddedLog) -> None:
        async with environment({"bootstrap.servers": log.bootstrap_servers}) as env:
            await start(
                env,
                "feeder",
                connector__class="CountingSource",
                topic="through",
                limit="1000000",
                pause__ms="20",
                batch="10",
            )
            await start(env, "collector", connector__class="CollectingSink", topics="through", journal=str(written))
            await eventually(lambda: env.tasks()[TASKS[1]].stats.records_out > 0)
            log.kill()
            await eventually(lambda: told("no broker answers since 20"), what=statuses)
            log.start()
            await eventually(lambda: all(statuses.traces[str(task)] is None for task in TASKS), what=statuses)
            before = env.tasks()[TASKS[1]].stats.records_out
            await eventually(lambda: env.tasks()[TASKS[1]].stats.records_out > before)
            assert all(statuses.last(task) is State.RUNNING for task in TASKS)

    with EmbeddedLog(tmp_path / "data") as log:
        Kafka(log.bootstrap_servers).create("through")
        run(scenario(log))
    said = [record.getMessage() for record in caplog.records if record.name == "kconnect.kafka"]
    assert len([line for line in said if "Connection refused" in line]) <= 2 * len(TASKS)
