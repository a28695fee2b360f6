"""Stores over the topics of a running log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from kconnect.errors import ConfigError, ConnectError
from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.states import State, Status, TargetState, TaskId
from kconnect_workers.stores import topic_log
from kconnect_workers.stores.stores import Stores
from kconnect_workers.stores.topic_reader import Read, TopicReader
from services.processes import poll_until


@pytest.fixture(scope="module")
def log() -> Iterator[EmbeddedLog]:
    with EmbeddedLog() as running:
        yield running


@asynccontextmanager
async def opened(log: EmbeddedLog, name: str) -> AsyncIterator[Stores]:
    stores = Stores.in_topics(
        {"bootstrap.servers": log.bootstrap_servers},
        configs=f"{name}-configs",
        statuses=f"{name}-status",
        offsets=f"{name}-offsets",
    )
    try:
        await stores.start()
        yield stores
    finally:
        await stores.stop()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(whole())


def test_what_was_put_is_there_for_the_next_worker(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "next") as stores:
            await stores.configs.put_connector("c", {"name": "c"}, TargetState.PAUSED)
            await stores.configs.put_tasks("c", [{"n": "0"}, {"n": "1"}])
            await stores.configs.put_connector("gone", {"name": "gone"})
            await stores.configs.remove_connector("gone")
            await stores.statuses.put(Status(id=TaskId("c", 1), state=State.FAILED, worker_id="w", trace="ü\n"))
            await stores.statuses.put_topic("c", 1, "orders")
            assert stores.configs.state.connectors() == ["c"]
        async with opened(log, "next") as stores:
            assert stores.statuses.topics("c") == ["orders"]
            assert stores.configs.state.connectors() == ["c"]
            assert stores.configs.state.target_state("c") is TargetState.PAUSED
            assert stores.configs.state.tasks("c") == [{"n": "0"}, {"n": "1"}]
            assert stores.statuses.task(TaskId("c", 1)) == Status(
                id=TaskId("c", 1), state=State.FAILED, worker_id="w", trace="ü\n"
            )

    run(scenario)


def test_offsets_show_what_tasks_have_written_meanwhile(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "shared") as asked, opened(log, "shared") as task:
            assert await asked.offsets.offsets("c") == []
            await task.offsets.alter("c", [({"file": "a", "n": 1}, {"position": 5})])
            assert await asked.offsets.offsets("c") == [({"file": "a", "n": 1}, {"position": 5})]
            await asked.offsets.alter("c", [({"n": 1, "file": "a"}, None)])
            assert await task.offsets.offsets("c") == []

    run(scenario)


def test_a_connectors_own_topic_goes_before_the_workers_which_is_kept_in_step(log: EmbeddedLog) -> None:
    first, second = {"n": 1}, {"n": 2}

    async def scenario() -> None:
        async with opened(log, "own") as asked, opened(log, "own") as other:
            await asked.offsets.alter("c", [(first, {"at": 1}), (second, {"at": 1})])
            assert await other.offsets.offsets("c", "own-c") == [(first, {"at": 1}), (second, {"at": 1})]
            await asked.offsets.alter("c", [(second, {"at": 2})], "own-c")
            assert await other.offsets.offsets("c", "own-c") == [(first, {"at": 1}), (second, {"at": 2})]
            assert await other.offsets.offsets("c") == [(first, {"at": 1}), (second, {"at": 2})]
            await other.offsets.alter("c", [(first, None)], "own-c")
            assert await asked.offsets.offsets("c", "own-c") == [(second, {"at": 2})]
            assert await asked.offsets.offsets("c", "own-offsets") == [(second, {"at": 2})]  # the worker's, by its name

    run(scenario)
    assert _config(log, "own-c", "cleanup.policy") == "compact"
    assert _config(log, "own-c", "flush.messages") == "1"


def _config(log: EmbeddedLog, topic: str, name: str) -> str:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
    return str(admin.describe_configs([resource])[resource].result(30)[name].value)


def test_source_offsets_alone_are_synced_one_by_one(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "synced"):
            pass

    run(scenario)
    admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
    found = {store: ConfigResource(ResourceType.TOPIC, f"synced-{store}") for store in ("configs", "status", "offsets")}
    configs = admin.describe_configs(list(found.values()))
    synced = {store: configs[topic].result(30)["flush.messages"].value == "1" for store, topic in found.items()}
    assert synced == {"configs": False, "status": False, "offsets": True}


def test_a_trace_of_any_size_is_stored_by_its_ends(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "traces") as stores:
            trace = "begin" + 3_000_000 * "\0" + "end"
            await stores.statuses.put(Status(id="c", state=State.FAILED, worker_id="w", trace=trace))
            status = stores.statuses.connector("c")
            assert status is not None
            stored = status.trace or ""
            assert (stored[:5], stored[-3:], len(stored) < 100_000) == ("begin", "end", True)

    run(scenario)


def test_what_is_too_large_is_refused_by_name_and_stops_nothing(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "large") as stores:
            with pytest.raises(ConfigError, match="more than topic large-configs keeps of connector-c"):
                await stores.configs.put_connector("c", {"name": "c", "doc": 3_000_000 * "x"})
            await stores.configs.put_connector("c", {"name": "c"})
            assert stores.configs.state.config("c") == {"name": "c"}

    run(scenario)


def test_records_are_byte_for_byte_those_of_kafka_connect(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "bytes") as stores:
            await stores.configs.put_connector("c", {"name": "c"}, TargetState.STOPPED)
            await stores.statuses.put(Status(id="c", state=State.RUNNING, worker_id="h:8083", version="1.0"))
            await stores.offsets.alter("c", [({"file": "a"}, {"position": 5})])

    run(scenario)
    written = [entry for store in ("configs", "status", "offsets") for entry in _read(log, f"bytes-{store}")]
    assert written == [
        (b"target-state-c", b'{"state":"PAUSED","state.v2":"STOPPED"}'),
        (b"connector-c", b'{"properties":{"name":"c"}}'),
        (
            b"status-connector-c",
            b'{"state":"RUNNING","trace":null,"worker_id":"h:8083","generation":0,"version":"1.0"}',
        ),
        (b'["c",{"file":"a"}]', b'{"position":5}'),
    ]


def test_a_store_goes_on_after_its_log_was_killed(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def scenario() -> None:
        with EmbeddedLog(tmp_path_factory.mktemp("log") / "data") as log:
            async with opened(log, "killed") as stores:
                await stores.configs.put_connector("a", {"name": "a"})
                log.kill()
                log.restart()
                await stores.configs.put_connector("b", {"name": "b"})
                assert stores.configs.state.connectors() == ["a", "b"]

    run(scenario)


def test_a_log_that_is_away_is_an_error_that_says_so() -> None:
    async def scenario() -> None:
        stores = Stores.in_topics({"bootstrap.servers": "127.0.0.1:9"}, configs="c", statuses="s", offsets="o")
        with pytest.raises(ConnectError, match="internal topic"):
            await stores.start()
        await stores.stop()

    run(scenario)


def _read(log: EmbeddedLog, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    consumer = Consumer(
        {
            "bootstrap.servers": log.bootstrap_servers,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([topic])
    entries: list[tuple[bytes | None, bytes | None]] = []

    def at_end() -> bool:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            entries.append((message.key(), message.value()))
        return message is not None and message.error() is not None

    assert poll_until(at_end, timeout=30)
    consumer.close()
    return entries


def test_who_waits_for_a_reader_that_stands_still_is_told_where(
    log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = threading.Event()
    poll = TopicReader.poll

    def poll_unless_stuck(reader: TopicReader, timeout_s: float) -> Read:
        return Read() if stuck.wait(timeout_s) else poll(reader, 0)

    async def scenario() -> None:
        monkeypatch.setattr(TopicReader, "poll", poll_unless_stuck)
        async with opened(log, "stuck") as stores:
            monkeypatch.setattr(topic_log, "_BROKER_SECONDS", 2.0)
            stuck.set()
            with pytest.raises(ConnectError, match=r"stuck-status-0@1 was not read within 2 s"):
                await stores.statuses.put(Status(id="c", state=State.RUNNING, worker_id="w"))
            stuck.clear()
            await stores.statuses.put(Status(id="c", state=State.PAUSED, worker_id="w"))
            assert stores.statuses.connector("c") == Status(id="c", state=State.PAUSED, worker_id="w")

    run(scenario)
