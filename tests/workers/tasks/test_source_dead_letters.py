"""A source's dead letters: sent instead of what was tolerated, and no offset passes one that is not stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kconnect_workers.runtime.environment import Environment
from kconnect_workers.states import State, TaskId
from services.stage import Kafka, MakeEnvironment, Statuses, eventually, run, start

TASK = TaskId("counter", 0)
CHAIN = {
    "transforms": "stamp",
    "transforms__stamp__type": "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms__stamp__static__field": "by",
    "transforms__stamp__static__value": "us",
}


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic of the test's own."""
    return request.node.name.replace("[", "-").rstrip("]")[:200]


def numbers(kafka: Kafka, topic: str, stream: int = 0) -> list[int]:
    values = [json.loads(value or b"null") for _, value in kafka.read(topic)]
    return [value["n"] for value in values if value["stream"] == stream]


def offsets(kafka: Kafka, tmp_path: Path) -> dict[bytes | None, bytes | None]:
    return dict(kafka.read(f"offsets-{tmp_path.name}"))


async def count(env: Environment, topic: str, **props: str) -> None:
    queue = {
        "errors__tolerance": "all",
        "errors__deadletterqueue__topic__name": f"{topic}-dead",
        "errors__deadletterqueue__context__headers__enable": "true",
    }
    await start(env, "counter", topic=topic, **({"connector__class": "CountingSource"} | queue | props))


@pytest.mark.parametrize(
    ("chain", "stage", "executed"),
    [({}, b"VALUE_CONVERTER", b"JsonConverter"), (CHAIN, b"TRANSFORMATION", b"InsertField")],
)
def test_a_record_that_is_refused_is_kept_as_far_as_it_got(
    environment: MakeEnvironment,
    kafka: Kafka,
    topic: str,
    tmp_path: Path,
    chain: dict[str, str],
    stage: bytes,
    executed: bytes,
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, limit="200", unfit__at="150", **chain)
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 199)
            stats = env.tasks()[TASK].stats
            assert (stats.records_skipped, stats.dead_letters, stats.records_filtered) == (1, 1, 0)

    run(scenario())
    assert numbers(kafka, topic) == [n for n in range(200) if n != 150]
    assert offsets(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":199}'}
    [(_, value)] = kafka.read(f"{topic}-dead")
    assert value is not None
    assert value.startswith(b'"<object object')  # what no converter takes, as Python shows it
    [headers] = kafka.headers(f"{topic}-dead")
    told = {name.removeprefix("__connect.errors."): data for name, data in headers.items()}
    assert told["stage"] == stage
    assert executed in told["class.name"]
    assert (told["topic"], told["connector.name"], told["task.id"]) == (topic.encode(), b"counter", b"0")
    assert (told["partition"], told["offset"]) == (None, None)
    assert (told["source.partition"], told["source.offset"]) == (b'{"stream": 0}', b'{"n": 150}')
    assert told["exception.message"]


def test_what_one_converter_refuses_is_json_and_the_rest_as_the_others_write_it(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, limit="3", key__converter="org.apache.kafka.connect.converters.LongConverter")
            await eventually(lambda: env.tasks()[TASK].stats.dead_letters == 3)

    run(scenario())
    letters = [(b'"0"', b'{"stream":0,"n":%d}' % n) for n in range(3)]
    assert kafka.read(f"{topic}-dead") == letters
    assert {headers["__connect.errors.stage"] for headers in kafka.headers(f"{topic}-dead")} == {b"KEY_CONVERTER"}
    assert offsets(kafka, tmp_path) == {b'["counter",{"stream":0}]': b'{"n":2}'}


def test_what_the_log_refuses_is_kept_in_the_bytes_that_it_had(
    environment: MakeEnvironment, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    """Records of stream 0 go to a partition that there is not."""
    kafka.create(topic)

    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, limit="50", streams="2", lost__stream="0")
            await eventually(lambda: env.tasks()[TASK].stats.dead_letters == 50)

    run(scenario())
    assert numbers(kafka, topic, 1) == list(range(50))
    assert sorted(numbers(kafka, f"{topic}-dead", 0)) == list(range(50))
    assert {headers["__connect.errors.stage"] for headers in kafka.headers(f"{topic}-dead")} == {b"KAFKA_PRODUCE"}
    assert offsets(kafka, tmp_path)[b'["counter",{"stream":0}]'] == b'{"n":49}'


def test_a_dead_letter_that_is_refused_ends_the_task_and_no_offset_passes_its_record(
    environment: MakeEnvironment, statuses: Statuses, kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    kafka.create(f"{topic}-dead", **{"max.message.bytes": "200"})

    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, limit="200", unfit__at="150")
            await eventually(lambda: statuses.last(TASK) is State.FAILED)
            assert f"a dead letter was refused by {topic}-dead" in (statuses.traces[str(TASK)] or "")

    run(scenario())
    stored = offsets(kafka, tmp_path).get(b'["counter",{"stream":0}]')
    assert stored is None or json.loads(stored)["n"] < 150


def test_without_a_queue_nothing_is_kept(environment: MakeEnvironment, kafka: Kafka, topic: str) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await count(env, topic, limit="200", unfit__at="150", errors__deadletterqueue__topic__name="")
            await eventually(lambda: env.tasks()[TASK].stats.records_out == 199)
            assert env.tasks()[TASK].stats.dead_letters == 0

    run(scenario())
