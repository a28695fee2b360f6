from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from kconnect import ConnectError, ExactlyOnceSupport, RetriableError
from kconnect.testing.conformance import SourceConformance, validation_errors
from kconnect.testing.sources import MemoryOffsets, SourceTaskHarness
from kconnect_redis.stream_source import RedisStreamSource
from services.redis import RedisServer, redis_client, running_redis

GROUP = "kafka-consumer-group"


def source(url: str, *, offsets: MemoryOffsets | None = None, task: int = 0, tasks: int = 1, **more: str) -> Any:
    given = {name.replace("__", "-").replace("_", "."): value for name, value in more.items()}
    props = {"redis.uri": url, "redis.stream.name": "orders", "redis.stream.block": "20", **given}
    return SourceTaskHarness(RedisStreamSource, props, offsets=offsets, task=task, max_tasks=tasks)


def add(redis: Redis, *numbers: int) -> list[str]:
    return [str(redis.xadd("orders", {"n": number})) for number in numbers]


def numbers(records: Any) -> list[int]:
    return [int(record.value["body"]["n"]) for record in records]


def pending(redis: Redis) -> int:
    return int(redis.xpending("orders", GROUP)["pending"])


class TestRedisStreamSource(SourceConformance):
    connector_class = RedisStreamSource

    @pytest.fixture
    def props(self, redis: Redis, redis_url: str) -> dict[str, str]:
        add(redis, 1, 2, 3)
        return {"redis.uri": redis_url, "redis.stream.name": "orders"}


def test_records_offsets_and_keys_are_those_of_redis_kafka_connect(redis: Redis, redis_url: str) -> None:
    entry_id = redis.xadd("orders", {"a": "1", "b": "ü"})
    with source(redis_url, topic="from-${stream}") as run:
        [record] = run.poll_until(1)
    assert (record.topic, record.key, record.value_schema.name) == (
        "from-orders",
        entry_id,
        "com.redis.kafka.connect.stream.Value",
    )
    assert record.value == {"id": entry_id, "body": {"a": "1", "b": "ü"}, "stream": "orders"}
    assert (record.source_partition, record.source_offset) == ({}, {"offset": entry_id})


def test_entries_are_acknowledged_when_their_offsets_are_stored(redis: Redis, redis_url: str) -> None:
    add(redis, 1, 2, 3)
    with source(redis_url) as run:
        run.poll_until(3)
        assert pending(redis) == 3
        run.task.commit()
        assert pending(redis) == 3
        run.commit()
        assert pending(redis) == 0


def test_of_what_was_handed_over_only_what_the_offset_covers_is_acknowledged(redis: Redis, redis_url: str) -> None:
    ids = add(redis, 1, 2, 3)
    with source(redis_url) as run:
        run.poll_until(3)
        run.task.commit_offsets([({}, {"offset": ids[1]})])
        run.task.commit()
        assert [entry["message_id"] for entry in redis.xpending_range("orders", GROUP, "-", "+", 9)] == ids[2:]


def test_what_was_not_acknowledged_comes_first_and_again_after_a_crash(redis: Redis, redis_url: str) -> None:
    add(redis, 1, 2)
    with source(redis_url, batch_size="1") as run:
        assert numbers(run.poll_until(2)) == [1, 2]
    add(redis, 3)
    with source(redis_url, offsets=run.offsets, batch_size="1") as run:
        assert numbers(run.poll_until(3)) == [1, 2, 3]


def test_at_most_once_redis_keeps_nothing(redis: Redis, redis_url: str) -> None:
    add(redis, 1)
    with source(redis_url, redis_stream_delivery="at-most-once") as run:
        run.poll_until(1)
        assert pending(redis) == 0
        run.commit()
    with source(redis_url, redis_stream_delivery="at-most-once") as run:
        assert run.poll() == []


def test_two_tasks_share_the_stream_and_take_over_what_one_leaves(redis: Redis, redis_url: str) -> None:
    """As when a worker is gone for good, with entries that it had taken."""
    more = {"redis_stream_claim_idle_ms": "1", "batch_size": "2"}
    add(redis, *range(6))
    with source(redis_url, task=0, tasks=2, **more) as left:
        first = numbers(left.poll_until(2))
    with source(redis_url, task=1, tasks=2, **more) as run:
        again = numbers(run.poll_until(6))
        run.commit()
    assert sorted(again) == list(range(6))
    assert set(first) <= set(again)
    assert pending(redis) == 0


def test_what_a_task_waits_for_itself_is_not_taken_over(redis: Redis, redis_url: str) -> None:
    add(redis, 1, 2)
    with source(redis_url, redis_stream_claim_idle_ms="1") as run:
        run.poll_until(2)
        for _ in range(3):
            assert run.poll() == []


def test_two_tasks_at_a_time_get_different_entries(redis: Redis, redis_url: str) -> None:
    add(redis, *range(10))
    with source(redis_url, task=0, tasks=2, batch_size="3") as one, source(redis_url, task=1, tasks=2) as two:
        found = numbers(one.poll_until(3)), numbers(two.poll_until(7))
    assert sorted(found[0] + found[1]) == list(range(10))
    assert {consumer["name"] for consumer in redis.xinfo_consumers("orders", GROUP)} == {"consumer-0", "consumer-1"}


def test_entries_that_were_deleted_meanwhile_are_done_with(redis: Redis, redis_url: str) -> None:
    ids = add(redis, 1, 2, 3)
    with source(redis_url) as run:
        run.poll_until(3)
    redis.xdel("orders", ids[1])
    with source(redis_url) as run:
        assert numbers(run.poll_until(2)) == [1, 3]
        run.commit()
        assert pending(redis) == 0


def test_reading_begins_where_the_config_says(redis: Redis, redis_url: str) -> None:
    ids = add(redis, 1, 2)
    with source(redis_url, redis_stream_offset=ids[0]) as run:
        assert numbers(run.poll_until(1)) == [2]


def test_an_offset_that_is_stored_is_where_a_lost_group_goes_on(redis: Redis, redis_url: str) -> None:
    """Also one that redis-kafka-connect has stored."""
    ids = add(redis, 1, 2, 3)
    offsets = MemoryOffsets()
    offsets.store({}, {"offset": ids[1]})
    with source(redis_url, offsets=offsets) as run:
        assert numbers(run.poll_until(1)) == [3]
        redis.xgroup_destroy("orders", GROUP)
        add(redis, 4)
        assert numbers(run.poll_until(2)) == [3, 4]


def test_with_several_tasks_a_lost_group_begins_where_the_config_says(redis: Redis, redis_url: str) -> None:
    """An offset is that of one of them: another may have had earlier entries."""
    ids = add(redis, 1, 2, 3)
    offsets = MemoryOffsets()
    offsets.store({}, {"offset": ids[1]})
    with source(redis_url, offsets=offsets, tasks=2) as run:
        assert numbers(run.poll_until(3)) == [1, 2, 3]


def test_altered_offsets_move_the_group(redis: Redis, redis_url: str) -> None:
    ids = add(redis, 1, 2, 3)
    with source(redis_url) as run:
        run.poll_until(3)
    assert RedisStreamSource().alter_offsets(run.connector.props, {frozenset(): {"offset": ids[0]}})
    with source(redis_url) as run:
        assert numbers(run.poll_until(2)) == [2, 3]
    assert RedisStreamSource().alter_offsets(run.connector.props, {frozenset(): None})
    with source(redis_url) as run:
        assert numbers(run.poll_until(3)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("partition", "offset"),
    [
        ({"stream": "x"}, {"offset": "1-1"}),
        ({}, {"offset": 7}),
        ({}, {"offset": "yesterday"}),
        ({}, {"offset": "1-1", "more": 1}),
        ({}, {}),
    ],
)
def test_offsets_that_are_none_are_refused(redis_url: str, partition: Any, offset: Any) -> None:
    with pytest.raises(ConnectError, match="must be"):
        RedisStreamSource().alter_offsets(
            {"redis.uri": redis_url, "redis.stream.name": "orders"}, {frozenset(partition.items()): offset}
        )


def test_text_that_is_none_is_marked_and_told(redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    redis.xadd("orders", {"n": b"\xff", "m": b"\xfe"})
    with source(redis_url) as run:
        [record] = run.poll_until(1)
    assert record.value["body"] == {"n": "\ufffd", "m": "\ufffd"}
    assert [r.message for r in caplog.records if "UTF-8" in r.message] == [
        "the stream orders holds bytes that are not UTF-8; they become U+FFFD"
    ]


def test_a_key_that_is_no_stream_fails_the_task(redis: Redis, redis_url: str) -> None:
    redis.set("orders", "text")
    with source(redis_url) as run, pytest.raises(ConnectError, match=r"redis\.stream\.name=orders is no stream"):
        run.poll()


def test_one_name_for_several_consumers_is_refused() -> None:
    props = {"redis.stream.name": "s", "redis.stream.consumer.name": "me", "tasks.max": "2"}
    assert "every task's consumer" in validation_errors(RedisStreamSource, props)["redis.stream.consumer.name"][0]
    assert validation_errors(RedisStreamSource, props | {"tasks.max": "1"}) == {}


def test_it_says_that_it_does_not_write_exactly_once() -> None:
    assert RedisStreamSource().exactly_once_support({}) is ExactlyOnceSupport.UNSUPPORTED


def test_entries_whose_delivery_was_cut_off_come_with_the_next_poll(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has given them to this consumer, and the answer never arrived."""
    with source(redis_url) as run:
        run.poll()
        add(redis, 1, 2)
        link = run.task._redis.link_of("orders")
        read = link.read

        def cut_off(count: int) -> list[Any]:
            read(count)
            raise RetriableError("cut off")

        monkeypatch.setattr(link, "read", cut_off)
        with pytest.raises(RetriableError):
            run.poll()
        monkeypatch.undo()
        assert numbers(run.poll()) == [1, 2]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


@pytest.mark.needs("redis-server")
def test_a_killed_redis_loses_no_entry(server: RedisServer) -> None:
    with source(server.url) as run:
        seen: set[int] = set()
        for number in range(12):
            with redis_client(server.url) as client:
                add(client, number)
            if number % 3 == 1:
                server.kill()
                with pytest.raises(RetriableError, match="cannot be reached"):
                    run.poll()
                server.start()
            seen |= {*numbers(run.poll_until(1))}
            if number % 4 == 2:
                run.commit()
        run.commit()
        with redis_client(server.url) as client:
            assert pending(client) == 0
    assert seen == set(range(12))


@pytest.mark.needs("redis-server")
def test_what_cannot_be_acknowledged_is_when_redis_is_back(server: RedisServer) -> None:
    with redis_client(server.url) as client:
        add(client, 1, 2)
    with source(server.url) as run:
        run.poll_until(2)
        server.kill()
        run.commit()
        server.start()
        with redis_client(server.url) as client:
            assert pending(client) == 2
            run.commit()
            assert pending(client) == 0


@pytest.mark.needs("redis-server")
def test_a_task_waits_for_redis_at_its_start(server: RedisServer) -> None:
    server.stop()
    with source(server.url) as run:
        with pytest.raises(RetriableError, match="cannot be reached"):
            run.poll()
        server.start()
        with redis_client(server.url) as client:
            add(client, 7)
        assert numbers(run.poll_until(1)) == [7]
