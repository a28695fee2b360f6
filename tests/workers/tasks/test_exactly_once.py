"""Exactly-once source tasks in real processes on a real log, as a reader of committed data sees them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer

from kconnect_workers.runtime.environment import Environment
from kconnect_workers.states import State, TargetState, TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

TASK = TaskId("counter", 0)


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic of the test's own."""
    return request.node.name.replace("[", "-").rstrip("]")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A worker's settings with exactly-once support on."""
    return {"exactly.once.source.support": "enabled", "group.id": tmp_path.name}


def numbers(kafka: Kafka, topic: str) -> list[int]:
    return [json.loads(message.value() or b"null")["n"] for message in kafka.committed_messages(topic)]


def stored(kafka: Kafka, tmp_path: Path) -> int | None:
    """The offset of the one stream."""
    found = {message.key(): message.value() for message in kafka.committed_messages(f"offsets-{tmp_path.name}")}
    value = found.get(b'["counter",{"stream":0}]')
    return None if value is None else json.loads(value)["n"]


async def count(env: Environment, topic: str, **props: str) -> dict[str, str]:
    return await start(env, "counter", topic=topic, **{"connector__class": "CountingSource", **props})


@pytest.mark.parametrize("boundary", ["poll", "interval"])
def test_a_task_that_is_killed_again_and_again_writes_every_record_once(
    environment: MakeEnvironment,
    statuses: Statuses,
    kafka: Kafka,
    topic: str,
    tmp_path: Path,
    settings: dict[str, str],
    boundary: str,
) -> None:
    async def scenario() -> None:
        async with environment(settings) as env:
            props = {"limit": "1000000", "pause.ms": "2", "transaction.boundary": boundary}
            props["transaction.boundary.interval.ms"] = "50"
            config = await count(env, topic, **props)
            for _ in range(4):
                commits = env.tasks()[TASK].stats.offset_commits
                await eventually(lambda: env.tasks()[TASK].stats.offset_commits > commits + 3, what=statuses)  # noqa: B023
                os.kill(env.tasks()[TASK].pid or 0, signal.SIGKILL)
                await eventually(lambda: statuses.last(TASK) is State.FAILED)
                await env.start_task(TASK, config, config, TargetState.STARTED)
            await eventually(lambda: env.tasks()[TASK].stats.offset_commits > 3, what=statuses)

    run(scenario())
    found = numbers(kafka, topic)
    assert found == list(range(len(found)))
    assert stored(kafka, tmp_path) == found[-1] > 1000


def test_what_a_stopping_task_has_sent_is_committed_with_its_offsets(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with environment(settings) as env:
            await count(env, topic, transaction__boundary="interval", transaction__boundary__interval__ms="3600000")
            await eventually(lambda: env.tasks()[TASK].stats.records_in == 1000)
            assert numbers(kafka, topic) == []

    run(scenario())
    assert numbers(kafka, topic) == list(range(1000))
    assert stored(kafka, tmp_path) == 999


def test_a_pause_leaves_no_transaction_open(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, settings: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with environment(settings) as env:
            await count(env, topic, transaction__boundary="interval", transaction__boundary__interval__ms="3600000")
            await eventually(lambda: env.tasks()[TASK].stats.records_in == 1000)
            await env.set_target_state("counter", TargetState.PAUSED)
            await eventually(lambda: statuses.last(TASK) is State.PAUSED)
            assert numbers(kafka, topic) == list(range(1000))

    run(scenario())


@pytest.mark.parametrize("by_poll", ["false", "true"])
def test_a_connector_ends_its_transactions_itself_and_goes_on_behind_those_that_it_aborts(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path, settings: dict[str, str], by_poll: str
) -> None:
    own = {"connector.class": "TransactingSource", "transaction.boundary": "connector", "by.poll": by_poll}
    size = "10" if by_poll == "true" else "35"

    async def scenario() -> None:
        async with environment(settings) as env:
            await count(env, topic, limit="105", batch=size, abort__at="49", **own)
            await eventually(lambda: env.tasks()[TASK].stats.records_in == 105)
            await eventually(lambda: len(numbers(kafka, topic)) == 90)
            await eventually(lambda: env.tasks()[TASK].stats.transactions == 10)
            stats = env.tasks()[TASK].stats
            # The one that was aborted stored its offsets by another, without records.
            assert (stats.transaction_records, stats.transaction_size_min, stats.transaction_size_max) == (90, 0, 10)

    run(scenario())
    # The last five have no end of theirs: the task's end must not make one up.
    assert numbers(kafka, topic) == [n for n in range(100) if not 40 <= n < 50]
    assert stored(kafka, tmp_path) == 99


def test_a_transaction_with_a_record_that_fails_is_nowhere_to_be_seen(
    environment: MakeEnvironment,
    statuses: Statuses,
    kafka: Kafka,
    topic: str,
    tmp_path: Path,
    settings: dict[str, str],
) -> None:
    async def scenario() -> None:
        async with environment(settings) as env:
            await count(env, topic, unfit__at="250")
            await eventually(lambda: statuses.last(TASK) is State.FAILED)

    run(scenario())
    assert numbers(kafka, topic) == list(range(200))
    assert stored(kafka, tmp_path) == 199


def test_a_record_that_the_log_refuses_fails_the_task_whatever_is_tolerated(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, settings: dict[str, str]
) -> None:
    """For the transaction is lost, and with it the records that nothing is wrong with."""
    kafka.create(topic, **{"max.message.bytes": "300"})

    async def scenario() -> None:
        async with environment(settings) as env:
            await count(env, topic, errors__tolerance="all", transforms="t", **LARGE)
            await eventually(lambda: statuses.last(TASK) is State.FAILED)
            trace = statuses.traces[str(TASK)] or ""
            assert f"a record for topic {topic}" in trace
            assert KafkaError(KafkaError.MSG_SIZE_TOO_LARGE).name() in trace

    run(scenario())
    assert numbers(kafka, topic) == []


LARGE = {
    "transforms__t__type": "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms__t__static__field": "text",
    "transforms__t__static__value": "x" * 1000,
}


def test_offsets_of_records_that_were_all_dropped_are_stored(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with environment(settings) as env:
            props = {"transforms": "f", "transforms.f.type": "Filter"}
            await count(env, topic, **props)
            await eventually(lambda: env.tasks()[TASK].stats.records_filtered == 1000)

    run(scenario())
    assert stored(kafka, tmp_path) == 999


def test_a_task_hears_of_records_when_their_transaction_is_over(
    environment: MakeEnvironment, topic: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    notes = tmp_path / "notes"

    async def scenario() -> None:
        async with environment(settings) as env:
            own = {"connector.class": "TellingSource", "transaction.boundary": "interval"}
            own["transaction.boundary.interval.ms"] = "3600000"
            await count(env, topic, limit="3", commit__file=str(notes), **own)
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 3)
            assert not notes.exists()

    run(scenario())
    assert notes.read_text().splitlines() == [
        *(f"{topic} {n}" for n in range(3)),
        "stored {'stream': 0} {'n': 2}",
        "commit",
    ]


def test_a_zombie_is_fenced_and_says_by_whom(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with environment(settings) as env:
            config = await count(env, topic, limit="1000000", pause__ms="5")
            await eventually(lambda: env.tasks()[TASK].stats.offset_commits > 3)
            other = Producer({"bootstrap.servers": kafka.address, "transactional.id": f"{tmp_path.name}-counter-0"})
            other.init_transactions(30)
            await eventually(lambda: statuses.last(TASK) is State.FAILED)
            assert f"transactional.id={tmp_path.name}-counter-0" in (statuses.traces[str(TASK)] or "")
            await env.start_task(TASK, config, config, TargetState.STARTED)
            await eventually(lambda: env.tasks()[TASK].stats.offset_commits > 3)

    run(scenario())
    found = numbers(kafka, topic)
    assert found == list(range(len(found)))


def test_a_source_must_not_write_to_its_own_offsets(
    environment: MakeEnvironment, statuses: Statuses, tmp_path: Path, settings: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with environment(settings) as env:
            await count(env, f"offsets-{tmp_path.name}")
            await eventually(lambda: statuses.last(TASK) is State.FAILED)
            assert "no source may write to its offsets topic" in (statuses.traces[str(TASK)] or "")

    run(scenario())


def test_offsets_go_to_the_connectors_own_topic_and_a_copy_to_the_workers(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    async def scenario() -> None:
        for support, limit in (("disabled", "300"), ("enabled", "600"), ("disabled", "900")):
            async with environment({**settings, "exactly.once.source.support": support}) as env:
                own = {} if limit == "300" else {"offsets.storage.topic": f"own-{topic}"}
                await count(env, topic, limit=limit, **own)
                await eventually(lambda: len(numbers(kafka, topic)) >= int(limit))  # noqa: B023

    run(scenario())
    assert numbers(kafka, topic) == list(range(900))
    own = [message.value() for message in kafka.committed_messages(f"own-{topic}")]
    assert (own[0], own[-1]) == (b'{"n":399}', b'{"n":899}')
    assert stored(kafka, tmp_path) == 899
