"""One group of JVM Connect workers and our members: whoever leads, each task has one place."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.group.protocol import ConnectProtocol
from kconnect_workers.states import TaskId
from services.group import Configs, Pool, until
from services.kafka.connect import RunningConnect, running_connect

pytestmark = [pytest.mark.interop, pytest.mark.needs("kafka"), pytest.mark.timeout(300)]

GROUP, CONFIG_TOPIC = "kconnect-peer", "kconnect-peer-configs"
SETTINGS = {
    "session.timeout.ms": "4000",
    "heartbeat.interval.ms": "500",
    "scheduled.rebalance.max.delay.ms": "1000",
    "offset.flush.interval.ms": "500",
}
TIMES = {"session_timeout_ms": 4_000, "heartbeat_interval_ms": 500, "scheduled_rebalance_max_delay_ms": 1_000}


def call(url: str, body: object | None = None) -> Any:
    request = urllib.request.Request(
        url, data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


def read_configs(bootstrap: str) -> Configs:
    """What a worker knows that has read the config topic to its end."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "log_level": 0})
    partition = TopicPartition(CONFIG_TOPIC, 0, 0)
    consumer.assign([partition])
    end = consumer.get_watermark_offsets(partition, timeout=30)[1]
    counts: dict[str, int] = {}
    offset = 0
    while offset < end:
        [message] = consumer.consume(1, 30)
        key, value = (message.key() or b"").decode(), json.loads(message.value() or b"null")
        if key.startswith("commit-"):
            counts[key.removeprefix("commit-")] = value["tasks"]
        offset = (message.offset() or 0) + 1
    consumer.close()
    return Configs(counts, offset)


def held_by(connect: RunningConnect) -> set[str]:
    """The connectors and tasks that the JVM worker holds, as it has told last. (Of tasks that were revoked from it, the
    statuses still say RUNNING.)"""
    told = re.findall(
        r"got assignment: .*?connectorIds=\[(.*?)\], taskIds=\[(.*?)\], revoked", connect.process.output()
    )
    return {name for names in told[-1] for name in names.split(", ") if name}


def parsed(text: str) -> str | TaskId:
    connector, dash, number = text.rpartition("-")
    return TaskId(connector, int(number)) if dash else text


@pytest.fixture
def log() -> Iterator[EmbeddedLog]:
    with EmbeddedLog(settings={"group.min.session.timeout.ms": "1000"}) as log:
        yield log


def test_a_jvm_worker_and_ours_share_whoever_leads(log: EmbeddedLog, tmp_path: Path) -> None:
    with ExitStack() as stack:

        def start_jvm(name: str) -> RunningConnect:
            folder = tmp_path / name
            folder.mkdir()
            return stack.enter_context(running_connect(folder, log.bootstrap_servers, settings=SETTINGS))

        first = start_jvm("first")
        for number in range(3):
            config = {"connector.class": "FileStreamSource", "file": str(tmp_path / "in.txt"), "topic": "lines"}
            call(f"{first.url}/connectors", {"name": f"source{number}", "config": {**config, "tasks.max": "1"}})
        sink = {"connector.class": "FileStreamSink", "file": str(tmp_path / "out.txt"), "topics": "lines"}
        call(f"{first.url}/connectors", {"name": "sink", "config": {**sink, "tasks.max": "4"}})
        asyncio.run(scenario(log.bootstrap_servers, first, start_jvm))


async def scenario(bootstrap: str, first: RunningConnect, start_jvm: Callable[[str], RunningConnect]) -> None:
    everything = {"sink", *(f"sink-{n}" for n in range(4)), *(f"source{n}" for n in range(3))}
    everything |= {f"source{n}-0" for n in range(3)}

    def read() -> Configs:
        return read_configs(bootstrap)

    async def shared_with(jvm: RunningConnect) -> None:
        def is_so() -> bool:
            return ours.settled and bool(ours.held) and held_by(jvm) == everything - ours.held

        await until(is_so, lambda: f"{sorted(held_by(jvm))} there, {sorted(ours.held)} here", 60)
        assert sorted("-" in name for name in ours.held) in ([False] * 2 + [True] * n for n in (3, 4))

    await until(lambda: held_by(first) == everything, "the JVM worker does not run everything", 60)
    async with Pool.of(bootstrap, GROUP, read(), **TIMES) as pool:
        ours = await pool.add(read=read)
        await shared_with(first)
        assert ours.member.leader_url == f"{first.url}/"
        assert ours.member.protocol is ConnectProtocol.SESSIONED

        first.process.kill()
        await until(lambda: ours.settled and ours.held == everything, "what the JVM worker had is forgotten", 60)

        second = await asyncio.to_thread(start_jvm, "second")
        await shared_with(second)
        assert ours.member.is_leader
        theirs = everything - ours.held
        assert {ours.member.url_of(parsed(name)) for name in theirs} == {f"{second.url}/"}
        assert "on_lost" not in ours.events

        await ours.member.stop()
        await until(lambda: held_by(second) == everything, "what ours had is forgotten", 60)
