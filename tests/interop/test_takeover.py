"""The topics of a JVM Connect cluster, taken over by our stores and handed back."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from kconnect.testing.deadline import Deadline
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.states import State, TargetState, TaskId
from kconnect_workers.stores.stores import Stores
from services.kafka.connect import running_connect
from services.stage import Kafka

pytestmark = [pytest.mark.interop, pytest.mark.needs("kafka"), pytest.mark.timeout(300)]

SOURCES = [f"source-{number}" for number in range(8)]


def call(url: str, body: object | None = None, method: str | None = None) -> Any:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or b"null")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = Deadline(90)
    while not condition():
        deadline.check(what)


def state_of(url: str, connector: str) -> tuple[str, list[str]]:
    status = call(f"{url}/connectors/{connector}/status")
    return status["connector"]["state"], [task["state"] for task in status["tasks"]]


def all_run(url: str) -> bool:
    """Each source, with a task."""
    found = call(f"{url}/connectors?expand=status").values()
    states = [(each["status"]["connector"]["state"], [t["state"] for t in each["status"]["tasks"]]) for each in found]
    return states == [("RUNNING", ["RUNNING"])] * len(SOURCES)


def stored(bootstrap: str, settings: dict[str, str]) -> set[bytes | str | None]:
    """The keys in the offsets topic."""
    return {message.key() for message in Kafka(bootstrap).committed_messages(settings["offset.storage.topic"])}


def position_of(url: str, connector: str) -> int | None:
    """How far a source has stored that it has read its file."""
    offsets = call(f"{url}/connectors/{connector}/offsets")["offsets"]
    return offsets[0]["offset"]["position"] if offsets else None


def values(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found: list[bytes | None] = []
    deadline = Deadline(60)
    while len(found) < count:
        deadline.check(f"{len(found)} of {count} records came from {topic}")
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            found.append(message.value())  # type: ignore[arg-type]  # bytes, without a deserializer
    consumer.close()
    return found


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """What both sides are told of the pool."""
    name = tmp_path.name
    return {
        "group.id": name,
        "exactly.once.source.support": "enabled",
        "offset.flush.interval.ms": "500",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        **{f"{store}.storage.topic": f"{name}-{store}" for store in ("config", "offset", "status")},
        **{f"{store}.storage.replication.factor": "1" for store in ("config", "offset", "status")},
    }


def test_a_jvm_cluster_is_taken_over_and_handed_back(
    kafka_bootstrap: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    files = {name: tmp_path / f"{name}.txt" for name in SOURCES}
    configs = {
        name: {
            "connector.class": "FileStreamSource",
            "tasks.max": "1",
            "file": str(files[name]),
            "topic": f"{tmp_path.name}-{name}",
        }
        for name in SOURCES
    }
    for file in files.values():
        file.write_text("one\ntwo\n")
    with running_connect(tmp_path, kafka_bootstrap, settings=settings) as connect:
        for name, config in configs.items():
            call(f"{connect.url}/connectors", {"name": name, "config": config})
        wait_until(lambda: all_run(connect.url), "all sources run")
        wait_until(lambda: len(stored(kafka_bootstrap, settings)) == len(SOURCES), "all offsets")
        call(f"{connect.url}/connectors/source-1/pause", method="PUT")
        call(f"{connect.url}/connectors/source-2/stop", method="PUT")
        call(f"{connect.url}/connectors/source-3", method="DELETE")
        wait_until(lambda: state_of(connect.url, "source-1") == ("PAUSED", ["PAUSED"]), "the pause")
        wait_until(lambda: state_of(connect.url, "source-2") == ("STOPPED", []), "the stop")

    asyncio.run(take_over(kafka_bootstrap, settings, configs))

    with running_connect(tmp_path, kafka_bootstrap, settings=settings) as connect:
        wait_until(lambda: state_of(connect.url, "source-0") == ("RUNNING", ["RUNNING"]), "the return of source-0")
        assert set(call(f"{connect.url}/connectors")) == {*SOURCES, "ours"} - {"source-3", "source-7"}
        assert call(f"{connect.url}/connectors/source-0")["config"]["by"] == 'us, 😀\x01"'
        wait_until(lambda: state_of(connect.url, "source-1") == ("RUNNING", ["RUNNING"]), "our resumption")
        wait_until(lambda: state_of(connect.url, "source-4") == ("PAUSED", ["PAUSED"]), "our pause")
        assert state_of(connect.url, "source-2") == ("STOPPED", [])
        assert position_of(connect.url, "source-2") == 4
        wait_until(lambda: position_of(connect.url, "source-6") == 8, "source-6, whose offset we forgot")
        assert values(kafka_bootstrap, f"{tmp_path.name}-source-6", 4) == [b"one", b"two", b"one", b"two"]
        wait_until(lambda: position_of(connect.url, "source-5") == 8, "source-5, which we set back")
        assert values(kafka_bootstrap, f"{tmp_path.name}-source-5", 3) == [b"one", b"two", b"two"]
        assert values(kafka_bootstrap, f"{tmp_path.name}-source-0", 2) == [b"one", b"two"]


async def take_over(bootstrap: str, settings: dict[str, str], configs: dict[str, dict[str, str]]) -> None:
    """Find what the JVM left, and change some of it."""
    pool = DistributedConfig.parse({"bootstrap.servers": bootstrap, **settings})
    stores = Stores.of_pool(pool, {"bootstrap.servers": bootstrap})
    await stores.start()
    try:
        state = stores.configs.state
        left = [name for name in configs if name != "source-3"]
        assert state.connectors() == left
        assert {name: dict(state.config(name) or {}) for name in left} == {
            name: {**configs[name], "name": name} for name in left
        }
        stopped = {"source-1": TargetState.PAUSED, "source-2": TargetState.STOPPED}
        assert [state.target_state(name) for name in left] == [stopped.get(name, TargetState.STARTED) for name in left]
        assert [len(state.tasks(name)) for name in left] == [0 if name == "source-2" else 1 for name in left]
        assert state.tasks("source-0")[0]["task.class"] == "org.apache.kafka.connect.file.FileStreamSourceTask"
        assert [state.task_count(name) for name in configs] == [1] * len(configs)
        assert state.session_key is not None
        assert len(state.session_key.key) == 32
        assert not any(state.inconsistent(name) for name in left)
        status = stores.statuses.task(TaskId("source-1", 0))
        assert status is not None
        assert status.state is State.UNASSIGNED
        for name in configs:  # of the deleted connector, too
            assert await stores.offsets.offsets(name) == [({"filename": configs[name]["file"]}, {"position": 8})]

        await stores.configs.claim_write_privileges()
        await stores.configs.put_connector("source-0", {**configs["source-0"], "name": "source-0", "by": 'us, 😀\x01"'})
        await stores.configs.put_connector("ours", {**configs["source-2"], "name": "ours"}, TargetState.STOPPED)
        await stores.configs.put_target_state("source-1", TargetState.STARTED)
        await stores.configs.put_target_state("source-4", TargetState.PAUSED)
        await stores.configs.remove_connector("source-7")
        for name, offset in {"source-2": {"position": 4}, "source-5": {"position": 4}, "source-6": None}.items():
            await stores.offsets.alter(name, [({"filename": configs[name]["file"]}, offset)])
    finally:
        await stores.stop()
