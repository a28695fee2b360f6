from __future__ import annotations

import time
from typing import Any

import pytest
from redis import Redis

from kconnect import ConnectError, RetriableError, SourceRecord
from kconnect.testing.conformance import SourceConformance, validation_errors
from kconnect.testing.sources import SourceTaskHarness
from kconnect_redis.keys_source import RedisKeysSource
from services.redis import redis_client, running_redis


def source(url: str, mode: str = "LIVE", **more: str) -> SourceTaskHarness:
    given = {name.replace("_", "."): value for name, value in more.items()}
    return SourceTaskHarness(RedisKeysSource, {"redis.uri": url, "mode": mode, **given})


def by_key(records: list[SourceRecord]) -> dict[str, dict[str, Any]]:
    """The last value of each key, without what is null."""
    return {record.key: {name: v for name, v in record.value.items() if v is not None} for record in records}


class TestRedisKeysSource(SourceConformance):
    connector_class = RedisKeysSource
    keeps_offsets = False

    @pytest.fixture(params=["LIVE", "SCAN"])
    def props(self, request: pytest.FixtureRequest, redis: Redis, redis_url: str) -> dict[str, str]:
        for number in range(3):
            redis.set(f"k{number}", number)
        return {"redis.uri": redis_url, "mode": request.param}


@pytest.mark.parametrize("mode", ["LIVE", "SCAN"])
def test_every_kind_of_value_has_its_field(redis: Redis, redis_url: str, mode: str) -> None:
    redis.set("string", "ü")
    redis.hset("hash", mapping={"a": "1"})
    redis.rpush("list", "x", "y", "x")
    redis.sadd("set", "m")
    redis.zadd("zset", {"one": 1, "half": 0.5})
    redis.xadd("stream", {"a": "b"})
    with source(redis_url, mode) as run:
        found = by_key(run.poll_until(6))
    assert found == {
        "string": {"key": "string", "ttl": -1, "type": "string", "string": "ü"},
        "hash": {"key": "hash", "ttl": -1, "type": "hash", "hash": {"a": "1"}},
        "list": {"key": "list", "ttl": -1, "type": "list", "list": ["x", "y", "x"]},
        "set": {"key": "set", "ttl": -1, "type": "set", "set": ["m"]},
        "zset": {"key": "zset", "ttl": -1, "type": "zset", "zset": {0.5: "half", 1.0: "one"}},
        "stream": {"key": "stream", "ttl": -1, "type": "stream"},
    }


def test_a_key_that_expires_says_when(redis: Redis, redis_url: str) -> None:
    before = time.time() * 1000
    redis.set("k", "v", ex=1000)
    with source(redis_url) as run:
        [record] = run.poll_until(1)
    assert before + 900_000 < record.value["ttl"] <= time.time() * 1000 + 1_000_000


def test_keys_that_change_are_read_again_and_deleted_ones_told(redis: Redis, redis_url: str) -> None:
    redis.set("k", "1")
    with source(redis_url) as run:
        run.poll_until(1)
        redis.set("k", "2")
        assert by_key(run.poll_until(1))["k"]["string"] == "2"
        redis.delete("k")
        assert by_key(run.poll_until(1))["k"] == {"key": "k", "ttl": -2, "type": "none"}


def test_changes_alone(redis: Redis, redis_url: str) -> None:
    redis.set("before", "1")
    with source(redis_url, "LiveOnly") as run:
        assert run.poll() == []
        redis.set("after", "1")
        assert list(by_key(run.poll_until(1))) == ["after"]


def test_several_changes_of_a_key_are_one_record(redis: Redis, redis_url: str) -> None:
    with source(redis_url) as run:
        run.poll()
        for number in range(50):
            redis.set("k", number)
        records = run.poll_until(1)
    assert len(records) < 50
    assert records[-1].value["string"] == "49"


def test_a_scan_reads_every_key_that_matches_in_batches_and_then_nothing(redis: Redis, redis_url: str) -> None:
    redis.mset({f"a:{n}": n for n in range(1200)} | {f"b:{n}": n for n in range(50)})
    with source(redis_url, "SCAN", redis_keys_pattern="a:*", batch_size="100") as run:
        records = run.poll_until(1200)
        assert run.poll() == []
    assert {record.key for record in records} == {f"a:{n}" for n in range(1200)}


def test_changes_that_match_alone_are_heard(redis: Redis, redis_url: str) -> None:
    with source(redis_url, redis_keys_pattern="a:*") as run:
        run.poll()
        redis.mset({"b:1": 1, "a:1": 1, "a:x:y": 2})
        assert set(by_key(run.poll_until(2))) == {"a:1", "a:x:y"}


def test_members_of_one_score_need_the_map_by_member(redis: Redis, redis_url: str) -> None:
    redis.zadd("z", {"a": 1, "b": 1})
    with source(redis_url) as run, pytest.raises(ConnectError, match=r"z has several .* set redis\.keys\.zset=member"):
        run.poll()
    with source(redis_url, redis_keys_zset="member") as run:
        assert by_key(run.poll_until(1))["z"]["zset"] == {"a": 1.0, "b": 1.0}


def test_what_is_read_at_once_is_bounded(redis: Redis, redis_url: str) -> None:
    redis.mset({f"k{n}": "x" * 10_000 for n in range(20)})
    with source(redis_url, redis_keys_max_bytes="50000") as run:
        first = run.poll()
        rest = run.poll_until(20 - len(first))
        assert 1 <= len(first) < 6
        assert len({record.key for record in [*first, *rest]}) == 20


def test_a_key_that_is_too_large_fails_the_task_and_is_named(redis: Redis, redis_url: str) -> None:
    redis.set("huge", "x" * 100_000)
    with source(redis_url, redis_keys_max_bytes="50000") as run, pytest.raises(ConnectError, match=r"key huge takes 1"):
        run.poll()


@pytest.mark.parametrize(("mode", "then"), [("LIVE", {"k", "new"}), ("LIVEONLY", set())])
def test_after_a_lost_connection_all_keys_are_read_again(
    redis: Redis, redis_url: str, mode: str, then: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    redis.set("k", "1")
    with source(redis_url, mode) as run:
        run.poll()
        assert redis.client_kill_filter(_type="pubsub") == 1
        redis.set("new", "1")  # nobody hears of it
        with pytest.raises(RetriableError, match="cannot be reached"):
            run.poll()
        assert set(by_key(run.poll())) == then
    told = [r.message for r in caplog.records if "changes in between are lost" in r.message]
    assert len(told) == (1 if mode == "LIVEONLY" else 0)


def test_a_scan_that_is_cut_off_begins_again(redis: Redis, redis_url: str) -> None:
    redis.mset({f"k{n}": n for n in range(2000)})
    with source(redis_url, "SCAN", batch_size="100") as run:
        seen = {record.key for record in run.poll()}
        redis.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(RetriableError):
            run.poll()
        while len(seen) < 2000:
            seen |= {record.key for record in run.poll_until(1)}


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("flags", ["", "K", "EA"])
def test_a_server_that_publishes_no_changes_is_refused(flags: str) -> None:
    with running_redis("--notify-keyspace-events", flags) as server:
        with source(server.url) as run, pytest.raises(ConnectError, match="set notify-keyspace-events to KEA"):
            run.poll()
        with redis_client(server.url) as client, source(server.url, "SCAN") as run:
            client.set("k", "v")
            assert len(run.poll_until(1)) == 1


def test_an_end_when_nothing_happens_is_refused() -> None:
    assert (
        "is not supported" in validation_errors(RedisKeysSource, {"redis.keys.timeout": "5"})["redis.keys.timeout"][0]
    )


def test_there_is_one_task(redis_url: str) -> None:
    with source(redis_url) as run:
        assert len(run.connector.task_configs(3)) == 1
