"""Source tasks in real processes on a real log."""

from __future__ import annotations

import json

from kconnect_workers.states import State, TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

TASK = TaskId("counter", 0)


def test_records_reach_the_topic_and_their_offsets_are_stored(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start(env, "counter", connector__class="CountingSource", topic="numbers", limit="1000")
            await eventually(lambda: statuses.last(TASK) is State.RUNNING or statuses.traces.get(str(TASK)))
            assert statuses.last(TASK) is State.RUNNING, statuses.traces
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 1000)

    run(scenario())
    assert [json.loads(value)["n"] for _, value in kafka.read("numbers")] == list(range(1000))
