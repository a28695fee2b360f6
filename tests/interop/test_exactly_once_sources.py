"""Our exactly-once source tasks, on the embedded log and on the real Apache Kafka, killed while they write."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from kconnect.kafka.client import Client
from kconnect_workers.runtime.environment import Environment, EnvironmentSettings
from kconnect_workers.states import State, TargetState, TaskId
from services.kafka.tools import JavaTools
from services.stage import Kafka, Statuses, eventually, start

pytestmark = pytest.mark.interop

PLUGINS = Path(__file__).parents[1] / "workers" / "plugins"
TASK = TaskId("counter", 0)


@pytest.fixture
def worker(cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A worker's settings, whose processes see the test's plugins."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGINS), os.environ.get("PYTHONPATH", "")]))
    return {
        "bootstrap.servers": cluster.bootstrap,
        "group.id": tmp_path.name,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "offset.storage.topic": cluster.new_topic(**{"cleanup.policy": "compact"}),
        "exactly.once.source.support": "enabled",
    }


def test_what_is_committed_is_every_record_once_and_the_offset_behind_the_last(
    cluster, kafka_tools: JavaTools, worker: dict[str, str], tmp_path: Path
) -> None:
    """By the judgement of the JVM's consumer."""
    topic = cluster.new_topic()
    kafka = Kafka(cluster.bootstrap)
    statuses = Statuses()

    async def scenario() -> None:
        environment = Environment(worker, statuses, folder=tmp_path / "processes", settings=EnvironmentSettings())
        await environment.start()
        try:
            own = {"connector.class": "CountingSource", "topic": topic, "limit": "1000000", "pause.ms": "2"}
            boundary = {"transaction.boundary": "interval", "transaction.boundary.interval.ms": "50"}
            config = await start(environment, "counter", **own, **boundary)
            for _ in range(3):
                await commits_of(environment, 5)
                os.kill(environment.tasks()[TASK].pid or 0, signal.SIGKILL)
                await eventually(lambda: statuses.last(TASK) is State.FAILED)
                await environment.start_task(TASK, config, config, TargetState.STARTED)
            await commits_of(environment, 5)
            # What a leader does before the tasks of a new set of configs start.
            with Client({"bootstrap.servers": cluster.bootstrap}) as client:
                await asyncio.to_thread(client.fence_producers, [f"{tmp_path.name}-counter-0"])
            await eventually(lambda: statuses.last(TASK) is State.FAILED)
            await environment.start_task(TASK, config, config, TargetState.STARTED)
            await commits_of(environment, 5)
        finally:
            await environment.stop()

    async def commits_of(environment: Environment, count: int) -> None:
        """As many more, of the process that runs now."""
        before = environment.tasks()[TASK].stats.offset_commits
        await eventually(lambda: environment.tasks()[TASK].stats.offset_commits >= before + count, what=statuses)

    asyncio.run(scenario())
    offsets = [
        json.loads(message.value() or b"") for message in kafka.committed_messages(worker["offset.storage.topic"])
    ]
    count = offsets[-1]["n"] + 1
    assert count > 1000
    judged = kafka_tools.run(
        "kafka-console-consumer",
        *("--bootstrap-server", cluster.bootstrap, "--topic", topic, "--from-beginning"),
        *("--isolation-level", "read_committed", "--max-messages", str(count), "--timeout-ms", "30000"),
    )
    assert [json.loads(line)["n"] for line in judged.splitlines()] == list(range(count))
    assert len(kafka.committed_messages(topic)) == count
