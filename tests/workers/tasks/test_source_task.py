"""Source tasks in real processes on a real log."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from kconnect_workers.runtime.environment import Environment
from kconnect_workers.states import State, TargetState, TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

TASK = TaskId("counter", 0)


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic of the test's own."""
    return request.node.name.replace("[", "-").rstrip("]")


def numbers(kafka: Kafka, topic: str, stream: int = 0) -> list[int]:
    values = [json.loads(value or b"null") for _, value in kafka.read(topic)]
    return [value["n"] for value in values if value["stream"] == stream]


def stored(kafka: Kafka, tmp_path: Path) -> dict[bytes | None, bytes | None]:
    return dict(kafka.read(f"offsets-{tmp_path.name}"))


async def count(env: Environment, topic: str, **props: str) -> None:
    await start(env, "counter", topic=topic, **{"connector__class": "CountingSource", **props})


def test_records_reach_the_topic_and_their_offsets_are_stored_as_kafka_connect_writes_them(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic)
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 1000, what=statuses)
            assert statuses.last(TASK) is State.RUNNING

    run(scenario())
    assert numbers(kafka, topic) == list(range(1000))
    assert stored(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":999}'}


def test_rows_keep_their_offsets_whatever_a_transform_makes_of_them(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            props = {"connector__class": "RowsSource", "transforms": "f", "transforms.f.type": "Forgetful"}
            await count(env, topic, **props)
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 1000)

    run(scenario())
    assert stored(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":999}'}


def test_a_record_that_is_still_being_tried_when_the_task_stops_is_sent_by_the_next_run(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    waiting = {"transforms": "w", "transforms.w.type": "Waiting", "transforms.w.at": "250"}
    tolerant = {"errors.tolerance": "all", "errors.retry.timeout": "-1", "errors.retry.delay.max.ms": "300"}

    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, **waiting, **tolerant)
            await eventually(lambda: env.tasks()[TASK].stats.retries > 0)
        assert numbers(kafka, topic) == list(range(250))
        assert stored(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":249}'}
        async with environment() as env:
            await count(env, topic, limit="300")
            await eventually(lambda: numbers(kafka, topic)[-1:] == [299])

    run(scenario())
    assert numbers(kafka, topic) == list(range(300))


def test_a_task_goes_on_where_it_was(environment: MakeEnvironment, kafka: Kafka, topic: str) -> None:
    async def scenario() -> None:
        for limit in ("300", "1000"):
            async with environment() as env:
                await count(env, topic, limit=limit)
                await eventually(lambda: env.tasks()[TASK].stats.records_pending == 0)
                await eventually(lambda: numbers(kafka, topic)[-1:] == [int(limit) - 1])  # noqa: B023

    run(scenario())
    assert numbers(kafka, topic) == list(range(1000))


def test_a_task_that_is_killed_loses_nothing_and_repeats_only_what_was_not_stored(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    """Failure history 1, of two source partitions."""

    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, limit="100000", pause__ms="5", streams="2")
            for _ in range(3):
                commits = env.tasks()[TASK].stats.offset_commits
                await eventually(lambda: env.tasks()[TASK].stats.offset_commits > commits, what=statuses)  # noqa: B023
                os.kill(env.tasks()[TASK].pid or 0, signal.SIGKILL)
                await eventually(lambda: statuses.last(TASK) is State.FAILED)
                for stream, offset in offsets().items():
                    assert offset in numbers(kafka, topic, stream), "an offset passed its record"
                config = {"connector.class": "CountingSource", "topic": topic, "limit": "100000"}
                config |= {"name": "counter", "pause.ms": "5", "streams": "2"}
                await env.start_task(TASK, config, config, TargetState.STARTED)
            await eventually(lambda: env.tasks()[TASK].stats.records_out > 0)

    def offsets() -> dict[int, int]:
        return {
            json.loads(key or b"")[1]["stream"]: json.loads(value or b"")["n"]
            for key, value in stored(kafka, tmp_path).items()
        }

    run(scenario())
    for stream in range(2):
        found = numbers(kafka, topic, stream)
        assert sorted(set(found)) == list(range(max(found) + 1)), "a record was lost"
    assert set(offsets()) == {0, 1}


def test_a_paused_source_polls_no_more_until_it_is_resumed(
    environment: MakeEnvironment, statuses: Statuses, topic: str
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, limit="1000000", pause__ms="5")
            await eventually(lambda: env.tasks()[TASK].stats.records_in > 0)
            await env.set_target_state("counter", TargetState.PAUSED)
            await eventually(lambda: statuses.last(TASK) is State.PAUSED)
            pid = env.tasks()[TASK].pid
            await eventually(lambda: env.tasks()[TASK].stats.records_pending == 0)
            before = env.tasks()[TASK].stats.records_in
            await env.set_target_state("counter", TargetState.STARTED)
            await eventually(lambda: statuses.last(TASK) is State.RUNNING)
            await eventually(lambda: env.tasks()[TASK].stats.records_in > before)
            assert env.tasks()[TASK].pid == pid

    run(scenario())
    assert statuses.states["counter-0"] == [State.RUNNING, State.PAUSED, State.RUNNING, State.UNASSIGNED]


def test_a_task_that_wants_it_is_told_of_every_record_and_of_the_offsets_that_are_stored(
    environment: MakeEnvironment, topic: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"

    async def scenario() -> None:
        async with environment({"offset.flush.interval.ms": "60000"}) as env:
            await count(env, topic, connector__class="TellingSource", limit="5", commit__file=str(notes))
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 5)

    run(scenario())
    told = [*(f"{topic} {offset}" for offset in range(5)), "stored {'stream': 0} {'n': 4}", "commit"]
    assert notes.read_text().splitlines() == told


def test_offsets_are_stored_at_once_where_the_task_asks_for_it(
    environment: MakeEnvironment, topic: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    stored = "stored {'stream': 0} {'n': 4}"

    async def scenario() -> None:
        async with environment({"offset.flush.interval.ms": "3600000"}) as env:
            props = {"connector__class": "TellingSource", "limit": "5", "commit__at": "4", "commit__file": str(notes)}
            await count(env, topic, **props)
            await eventually(lambda: notes.exists() and stored in notes.read_text().splitlines())

    run(scenario())


def test_a_record_that_does_not_fit_fails_the_task_and_those_before_it_arrive(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, unfit__at="150")
            await eventually(lambda: statuses.last(TASK) is State.FAILED)
            told = (statuses.traces[str(TASK)] or "").splitlines()[0]
            for words in ("counter-0", "VALUE_CONVERTER", "JsonConverter", topic, "{'stream': 0}", "{'n': 150}"):
                assert words in told

    run(scenario())
    assert numbers(kafka, topic) == list(range(150))
    assert stored(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":149}'}


def test_a_tolerated_record_is_passed_over(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, unfit__at="150", limit="200", errors__tolerance="all")
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 199)
            assert env.tasks()[TASK].stats.records_skipped == 1

    run(scenario())
    assert numbers(kafka, topic) == [n for n in range(200) if n != 150]
    assert stored(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":199}'}


@pytest.mark.parametrize("transforms", ["", "stamp"])
def test_a_tolerated_record_is_told_as_dropped_and_counts_as_skipped_alone(
    environment: MakeEnvironment, topic: str, tmp_path: Path, transforms: str
) -> None:
    """Whether its converter refuses it, or a transform before."""
    notes = tmp_path / "notes"
    chain = {
        "transforms": transforms,
        "transforms__stamp__type": "org.apache.kafka.connect.transforms.InsertField$Value",
        "transforms__stamp__static__field": "by",
        "transforms__stamp__static__value": "us",
    }

    async def scenario() -> None:
        async with environment({"offset.flush.interval.ms": "60000"}) as env:
            settings = {"connector__class": "TellingSource", "errors__tolerance": "all", **chain}
            await count(env, topic, limit="5", unfit__at="2", commit__file=str(notes), **settings)
            await eventually(lambda: env.tasks()[TASK].stats.records_skipped == 1)
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 4)
            assert env.tasks()[TASK].stats.records_filtered == 0

    run(scenario())
    told = [line for line in notes.read_text().splitlines() if not line.startswith("stored")]
    assert sorted(told) == ["commit", "dropped", *(f"{topic} {n}" for n in range(4))]


def test_records_pass_the_transforms_and_dropped_ones_count_as_done(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    chain = {
        "transforms": "route",
        "transforms__route__type": "org.apache.kafka.connect.transforms.RegexRouter",
        "transforms__route__regex": "(.*)",
        "transforms__route__replacement": "$1-routed",
    }

    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, limit="10", **chain)
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 10, what=statuses)

    run(scenario())
    assert numbers(kafka, f"{topic}-routed") == list(range(10))


class OffsetsInMemory:
    """An OffsetBackend, as a worker with an offsets file is one."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}

    async def read(self, connector: str) -> list[tuple[bytes, bytes]]:
        return list(self.entries.items())

    async def write(self, entries: Sequence[tuple[bytes, bytes | None]]) -> None:
        self.entries.update((key, value) for key, value in entries if value is not None)


def test_offsets_may_be_kept_by_the_worker_and_keys_keep_their_bytes(
    environment: MakeEnvironment, kafka: Kafka, topic: str
) -> None:
    """The key is another's: JSON with spaces."""
    offsets = OffsetsInMemory()
    theirs = b'["counter", {"stream": 0}]'
    offsets.entries = {theirs: b'{"n": 99}', b"nonsense": b"{}", b'["other",{"stream":0}]': b'{"n":5}'}

    async def scenario() -> None:
        async with environment(offsets=offsets) as env:
            await count(env, topic, limit="150")
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 50)

    run(scenario())
    assert numbers(kafka, topic) == list(range(100, 150))
    assert offsets.entries[theirs] == b'{"n":149}'
    assert len(offsets.entries) == 3


def test_a_record_that_the_log_refuses_fails_the_task_and_no_offset_passes_it(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    """Records of stream 0 go to a partition that there is not; those of stream 1 are acknowledged."""
    kafka.create(topic)

    async def scenario() -> None:
        async with environment({"offset.flush.interval.ms": "60000"}) as env:
            await count(env, topic, limit="50", streams="2", lost__stream="0")
            await eventually(lambda: statuses.last(TASK) is State.FAILED)
            told = (statuses.traces[str(TASK)] or "").splitlines()[0]
            for words in ("counter-0", "KAFKA_PRODUCE", topic, "Unknown partition"):
                assert words in told
        assert stored(kafka, tmp_path) == {b'["counter",{"stream":1}]': b'{"n":49}'}
        async with environment() as env:
            await count(env, topic, limit="50", streams="2")
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 50)

    run(scenario())
    assert numbers(kafka, topic, 0) == list(range(50))
    assert numbers(kafka, topic, 1) == list(range(50))


def test_a_record_that_the_log_refuses_is_not_told_as_dropped(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    """A source that forgets what it is told of would lose it."""
    kafka.create(topic)
    notes = tmp_path / "notes"

    async def scenario() -> None:
        async with environment() as env:
            lost = {"connector__class": "TellingSource", "lost__stream": "0", "commit__file": str(notes)}
            await count(env, topic, limit="5", **lost)
            await eventually(lambda: statuses.last(TASK) is State.FAILED)

    run(scenario())
    assert set(notes.read_text().splitlines()) == {"commit"}


def test_an_offset_that_cannot_be_stored_fails_the_task_and_those_before_it_are_stored(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, unstorable__at="199")
            await eventually(lambda: statuses.last(TASK) is State.FAILED)
            told = (statuses.traces[str(TASK)] or "").splitlines()[0]
            for words in ("counter-0", "CountingTask.poll", "n of a source offset must be", "object"):
                assert words in told

    run(scenario())
    assert stored(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":99}'}


def test_acknowledgements_that_come_while_the_producers_queue_is_full_count(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            room = {"producer__override__queue__buffering__max__messages": "20"}
            await count(env, topic, limit="300", **room)
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 300)

    run(scenario())
    assert stored(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":299}'}
