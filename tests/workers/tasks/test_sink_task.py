"""Sink tasks in real processes on a real log."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from kconnect_workers.runtime.environment import Environment
from kconnect_workers.states import State, TargetState, TaskId
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
            await eventually(lambda: env.tasks()[SINK].stats.records_in == 1000)
            await eventually(lambda: env.tasks()[SINK].stats.records_pending == 0)
            await eventually(lambda: env.tasks()[SINK].stats.lag == 0)
            assert statuses.last(SINK) is State.RUNNING

    run(scenario())
    assert [line["value"]["n"] for line in journal(written, "put")] == list(range(1000))
    calls = [line["call"] for line in journal(written) if line["call"] != "idle"]
    assert calls[:2] == ["start", "open"]
    assert calls[-3:] == ["flush", "close", "stop"]
    assert kafka.committed("connect-collector", "through") == {0: 1000}


def numbers(count: int) -> list[bytes]:
    return [b'{"n": %d}' % n for n in range(count)]


def puts(path: Path) -> list[int]:
    """The offsets that were put, in order."""
    return [line["place"][2] for line in journal(path, "put")]


async def collect(env: Environment, topic: str, written: Path, **props: str) -> None:
    await start(env, "collector", connector__class="CollectingSink", topics=topic, journal=str(written), **props)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own, with ten records."""
    name = request.node.name.replace("[", "-").rstrip("]")
    kafka.create(name)
    kafka.produce(name, numbers(10))
    return name


def test_a_put_that_may_be_retried_gets_the_same_records_again(
    environment: MakeEnvironment, statuses: Statuses, topic: str, written: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, retry__at="5", retry__ms="50")
            await eventually(lambda: len(puts(written)) == 10, what=statuses)

    run(scenario())
    assert puts(written) == list(range(10))
    first, second = journal(written, "retry")
    assert first["offsets"] == second["offsets"]


def test_a_record_that_is_tried_again_when_the_task_stops_is_left_for_the_next_run(
    environment: MakeEnvironment, kafka: Kafka, topic: str, written: Path
) -> None:
    group = {"consumer.override.group.id": topic}
    waiting = {"transforms": "w", "transforms.w.type": "Waiting", "transforms.w.at": "7"}
    tolerant = {"errors.tolerance": "all", "errors.retry.timeout": "-1", "errors.retry.delay.max.ms": "300"}

    async def scenario() -> None:
        async with environment() as env:
            one = {"consumer.override.max.poll.records": "1"}
            await collect(env, topic, written, **group, **one, **waiting, **tolerant)
            await eventually(lambda: env.tasks()[SINK].stats.retries > 0)
        assert kafka.committed(topic, topic) == {0: 7}
        async with environment() as env:
            await collect(env, topic, written, **group)
            await eventually(lambda: len(puts(written)) == 10)

    run(scenario())
    assert puts(written) == list(range(10))


def test_a_task_can_go_back(environment: MakeEnvironment, topic: str, written: Path) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, rewind__at="9")
            await eventually(lambda: len(puts(written)) == 20)

    run(scenario())
    assert puts(written) == [*range(10), *range(10)]


def test_a_task_can_ask_for_a_commit(environment: MakeEnvironment, kafka: Kafka, topic: str, written: Path) -> None:
    async def scenario() -> None:
        async with environment({"offset.flush.interval.ms": "3600000"}) as env:
            await collect(env, topic, written, commit__at="9")
            await eventually(lambda: env.tasks()[SINK].stats.offset_commits == 1)

    run(scenario())


def test_offsets_that_the_task_holds_back_are_not_committed(
    environment: MakeEnvironment, kafka: Kafka, topic: str, written: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, hold__back="4", consumer__override__group__id=topic)
            await eventually(lambda: len(puts(written)) == 10)

    run(scenario())
    assert kafka.committed(topic, topic) == {0: 6}


def test_a_task_can_pause_a_partition(environment: MakeEnvironment, kafka: Kafka, topic: str, written: Path) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, pause__at="9")
            await eventually(lambda: len(puts(written)) == 10)
            kafka.produce(topic, numbers(5))
            await eventually(lambda: env.tasks()[SINK].stats.lag == 5)

    run(scenario())
    assert len(puts(written)) == 10


def test_a_paused_sink_reads_nothing_until_it_is_resumed(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, written: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written)
            await eventually(lambda: len(puts(written)) == 10)
            await env.set_target_state("collector", TargetState.PAUSED)
            await eventually(lambda: statuses.last(SINK) is State.PAUSED)
            assert statuses.last("collector") is State.PAUSED
            kafka.produce(topic, numbers(5))
            await eventually(lambda: env.tasks()[SINK].stats.lag == 5)
            assert len(puts(written)) == 10
            await env.set_target_state("collector", TargetState.STARTED)
            await eventually(lambda: len(puts(written)) == 15)
            assert statuses.last(SINK) is State.RUNNING

    run(scenario())


def test_partitions_are_shared_and_handed_over(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, tmp_path: Path
) -> None:
    kafka.create("shared", partitions=2)
    journals = [tmp_path / "0", tmp_path / "1"]
    base = {"name": "sharing", "connector.class": "CollectingSink", "topics": "shared"}

    async def scenario() -> None:
        async with environment() as env:
            for number, path in enumerate(journals):
                props = {**base, "journal": str(path)}
                await env.start_task(TaskId("sharing", number), props, props, TargetState.STARTED)
            await eventually(lambda: all(last_opened(path, 1) for path in journals))
            for partition in range(2):
                kafka.produce("shared", numbers(5), partition)
            await eventually(lambda: sum(len(puts(path)) for path in journals) == 10)
            await env.stop_tasks([TaskId("sharing", 0)])
            assert [line["call"] for line in journal(journals[0])][-2:] == ["close", "stop"]
            await eventually(lambda: last_opened(journals[1], 2))
            for partition in range(2):
                kafka.produce("shared", numbers(5), partition)
            await eventually(lambda: sum(len(puts(path)) for path in journals) == 20)

    def last_opened(path: Path, count: int) -> bool:
        opened = journal(path, "open")
        return bool(opened) and len(opened[-1]["partitions"]) == count

    run(scenario())
    places = sorted((*line["place"],) for path in journals for line in journal(path, "put"))
    assert places == [("shared", partition, offset) for partition in range(2) for offset in range(10)]


def test_a_record_that_cannot_be_read_fails_the_task_and_is_named(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, written: Path
) -> None:
    kafka.produce(topic, [b"{broken"])

    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written)
            await eventually(lambda: statuses.last(SINK) is State.FAILED)
            trace = statuses.traces[str(SINK)] or ""
            for words in ("collector-0", f"{topic}-0@10", "VALUE_CONVERTER", "JsonConverter"):
                assert words in trace.splitlines()[0]

    run(scenario())


def test_tolerated_records_go_to_the_dead_letter_queue_with_what_went_wrong(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, written: Path
) -> None:
    kafka.produce(topic, [b"{broken", b'{"n": 11}'])
    settings = {
        "errors__tolerance": "all",
        "errors__deadletterqueue__topic__name": f"{topic}-dead",
        "errors__deadletterqueue__context__headers__enable": "true",
        "errant__at": "3",
        "consumer__override__group__id": topic,
    }

    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, **settings)
            await eventually(lambda: 11 in puts(written), what=statuses)
            await eventually(lambda: env.tasks()[SINK].stats.dead_letters == 2)

    run(scenario())
    assert puts(written) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 11]
    assert kafka.committed(topic, topic) == {0: 12}
    dead = {dict(m.headers() or [])["__connect.errors.offset"]: m for m in kafka.messages(f"{topic}-dead")}
    assert dead[b"10"].value() == b"{broken"
    headers = dict(dead[b"10"].headers() or [])
    assert headers["__connect.errors.stage"] == b"VALUE_CONVERTER"
    assert headers["__connect.errors.topic"] == topic.encode()
    assert headers["__connect.errors.connector.name"] == b"collector"
    assert headers["__connect.errors.task.id"] == b"0"
    headers = dict(dead[b"3"].headers() or [])
    assert headers["__connect.errors.stage"] == b"TASK_PUT"
    assert headers["__connect.errors.exception.message"] == b"bad from the first, says password=[hidden]"
    assert b"sesame" not in (headers["__connect.errors.exception.stacktrace"] or b"")


def test_a_record_that_is_reported_long_after_its_batch_gets_into_the_dead_letter_queue(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, written: Path
) -> None:
    settings = {
        "errors__tolerance": "all",
        "errors__deadletterqueue__topic__name": f"{topic}-dead",
        "errant__at": "3",
        "errant__late": "true",
        "commit__at": "14",
        "consumer__override__group__id": topic,
    }

    async def scenario() -> None:
        async with environment({"offset.flush.interval.ms": "3600000"}) as env:
            await collect(env, topic, written, **settings)
            await eventually(lambda: len(puts(written)) == 9, what=statuses)
            kafka.produce(topic, numbers(5))
            await eventually(lambda: env.tasks()[SINK].stats.dead_letters == 1, what=statuses)
            await eventually(lambda: env.tasks()[SINK].stats.offset_commits == 1)

    run(scenario())
    assert [m.value() for m in kafka.messages(f"{topic}-dead")] == [b'{"n": 3}']
    assert kafka.committed(topic, topic) == {0: 15}


def test_a_task_can_say_where_to_begin(environment: MakeEnvironment, topic: str, written: Path) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, begin__at="6")
            await eventually(lambda: 9 in puts(written))

    run(scenario())
    assert puts(written) == [6, 7, 8, 9]


def test_a_task_can_tell_a_topic_from_one_that_was_made_anew_under_its_name(
    environment: MakeEnvironment, kafka: Kafka, topic: str, written: Path
) -> None:
    async def look(times: int) -> None:
        async with environment() as env:
            await collect(env, topic, written, tell__logs="true")
            await eventually(lambda: len(journal(written, "log")) == times)

    run(look(1))
    kafka.delete(topic)
    kafka.create(topic)
    kafka.produce(topic, numbers(3))
    run(look(2))
    first, second = journal(written, "log")
    assert (first["start_offset"], first["end_offset"]) == (0, 10)
    assert (second["start_offset"], second["end_offset"]) == (0, 3)
    assert first["cluster_id"] == second["cluster_id"] != ""
    assert first["topic_id"] != second["topic_id"]


def test_what_is_read_is_put_once_and_no_empty_put_comes_behind_it(
    environment: MakeEnvironment, topic: str, written: Path
) -> None:
    """The commit that the task asks for is due before the next read."""

    async def scenario() -> None:
        async with environment({"offset.flush.interval.ms": "3600000"}) as env:
            await collect(env, topic, written, commit__at="9")
            await eventually(lambda: journal(written, "flush"))

    run(scenario())
    calls = [line["call"] for line in journal(written)]
    assert calls[calls.index("flush") - 1] == "put"


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [("auto.offset.reset", "none", "no offset to begin at"), ("session.timeout.ms", "1", "Invalid session timeout")],
    ids=["no-offset", "session-too-short"],
)
def test_a_consumer_that_can_never_go_on_fails_the_task(
    environment: MakeEnvironment, statuses: Statuses, topic: str, written: Path, setting: str, value: str, says: str
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, **{f"consumer.override.{setting}": value})
            await eventually(lambda: statuses.last(SINK) is State.FAILED, what=statuses)

    run(scenario())
    assert says in (statuses.traces[str(SINK)] or "")


def test_no_more_are_put_at_a_time_than_max_poll_records(
    environment: MakeEnvironment, topic: str, written: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, consumer__override__max__poll__records="3", retry__at="9")
            await eventually(lambda: 9 in puts(written))

    run(scenario())
    assert len(journal(written, "retry")[0]["offsets"]) <= 3
    assert puts(written) == list(range(10))


def test_topics_are_matched_as_they_come(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, written: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            props = {"connector__class": "CollectingSink", "topics__regex": f"{topic[:-1]}.", "journal": str(written)}
            await start(env, "collector", **props)
            await eventually(lambda: len(puts(written)) == 10, what=statuses)

    run(scenario())


def test_a_killed_sink_is_taken_out_of_its_group(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, written: Path
) -> None:
    """Its successor has the partition long before the session of 45 seconds is over."""

    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written)
            await eventually(lambda: env.tasks()[SINK].stats.member_id is not None and len(puts(written)) == 10)
            os.kill(env.tasks()[SINK].pid or 0, signal.SIGKILL)
            await eventually(lambda: statuses.last(SINK) is State.FAILED)
            kafka.produce(topic, numbers(5))
            await collect(env, topic, written)
            await eventually(lambda: puts(written)[-1:] == [14], timeout=20)

    run(scenario())


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=[pytest.mark.interop, pytest.mark.needs("kafka")])])
def cluster(request: pytest.FixtureRequest) -> Kafka:
    """The log, and the real Apache Kafka."""
    return Kafka(request.getfixturevalue("log_address" if request.param == "embedded" else "kafka_bootstrap"))


def test_a_topic_that_is_made_anew_while_it_is_read_is_read_from_its_beginning(
    environment: MakeEnvironment, cluster: Kafka, written: Path
) -> None:
    topic = "renewed"
    cluster.create(topic)
    cluster.produce(topic, numbers(10))

    async def scenario() -> None:
        async with environment({"bootstrap.servers": cluster.address}) as env:
            await collect(env, topic, written)
            await eventually(lambda: len(puts(written)) == 10)
            await eventually(lambda: env.tasks()[SINK].stats.records_pending == 0)
            cluster.delete(topic)  # the sink's consumer has it made again
            cluster.produce(topic, [b'{"again": %d}' % n for n in range(20)])
            await eventually(lambda: {"again": 19} in values())
            await eventually(lambda: {"again": 0} in values())
            await eventually(lambda: env.tasks()[SINK].stats.records_pending == 0)

    def values() -> list[dict[str, int]]:
        return [line["value"] for line in journal(written, "put")]

    run(scenario())
    assert all({"again": n} in values() for n in range(20))
    assert cluster.committed("connect-collector", topic) == {0: 20}
    calls = [line["call"] for line in journal(written) if line["call"] in ("open", "flush", "close")]
    assert calls[calls.index("close") - 1 :][:3] == ["flush", "close", "open"]


def commit(kafka: Kafka, group: str, topic: str, metadata: str) -> None:
    """Five records of the topic are read, by what the group says."""
    consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 0, 5, metadata=metadata)], asynchronous=False)
    consumer.close()


@pytest.mark.parametrize(("metadata", "begins_at"), [("topic-id=of-an-older-one", 0), ("", 5)], ids=["older", "untold"])
def test_what_was_committed_in_an_earlier_topic_of_the_name_does_not_count(
    environment: MakeEnvironment, kafka: Kafka, topic: str, written: Path, metadata: str, begins_at: int
) -> None:
    commit(kafka, topic, topic, metadata)

    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, consumer__override__group__id=topic)
            await eventually(lambda: 9 in puts(written))
            await eventually(lambda: env.tasks()[SINK].stats.lag == 0)

    run(scenario())
    assert puts(written) == list(range(begins_at, 10))


def test_a_sink_goes_on_where_it_committed_as_long_as_the_topic_is_the_same(
    environment: MakeEnvironment, kafka: Kafka, topic: str, written: Path
) -> None:
    async def collect_until(last: int) -> None:
        async with environment() as env:
            await collect(env, topic, written)
            await eventually(lambda: last in puts(written))

    run(collect_until(9))
    kafka.produce(topic, numbers(5))
    run(collect_until(14))
    assert puts(written) == list(range(15))


def test_where_to_begin_in_a_topic_that_was_made_anew_is_left_to_the_user_who_wants_that(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, written: Path
) -> None:
    commit(kafka, topic, topic, "topic-id=of-an-older-one")
    props = {"consumer.override.group.id": topic, "consumer.override.auto.offset.reset": "none"}

    async def scenario() -> None:
        async with environment() as env:
            await collect(env, topic, written, **props)
            await eventually(lambda: statuses.last(SINK) is State.FAILED, what=statuses)

    run(scenario())
    trace = statuses.traces[str(SINK)] or ""
    assert f"topic {topic} was made anew: its id was of-an-older-one" in trace
    assert "set or reset the offsets" in trace
    assert puts(written) == []


def test_a_sink_says_which_topic_it_waits_for_until_it_is_there(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, written: Path
) -> None:
    kafka.create("awaited-orders")

    async def scenario() -> None:
        async with environment() as env:
            await collect(env, "awaited-order", written, consumer__override__allow__auto__create__topics="false")
            said = "waits for topic awaited-order, which does not exist; did you mean awaited-orders?"
            await eventually(lambda: statuses.traces.get(str(SINK)) == said, what=statuses)
            assert statuses.last(SINK) is State.RUNNING
            kafka.produce("awaited-order", numbers(1))
            await eventually(lambda: statuses.traces[str(SINK)] is None, what=statuses)
            await eventually(lambda: puts(written) == [0])

    run(scenario())
