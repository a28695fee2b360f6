from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from redis import Redis

from kconnect import ConnectError, DataError, Header, SchemaBuilder, SinkRecord, TopicPartition
from kconnect.schema import INT64_SCHEMA, STRING_SCHEMA
from kconnect.testing.conformance import ReportingSinkConformance, validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_redis.sink import RedisSink

ORDER = SchemaBuilder.struct().field("id", INT64_SCHEMA).field("name", STRING_SCHEMA).build()


def sink(url: str, type: str, *, reporting: bool = False, **more: str) -> SinkTaskHarness:
    given = {f"redis.{name.replace('_', '.')}": value for name, value in more.items()}
    props = {"name": "test", "redis.uri": url, "redis.type": type, **given}
    return SinkTaskHarness(RedisSink, props, reporting=reporting)


MODES = {"plain": {}, "multiexec": {"redis.multiexec": "true"}, "exactly once": {"redis.exactly.once": "true"}}


class TestRedisSink(ReportingSinkConformance):
    connector_class = RedisSink

    @pytest.fixture(params=MODES)
    def props(self, request: pytest.FixtureRequest, redis: Redis, redis_url: str) -> dict[str, str]:
        self.redis = redis
        return {"name": "test", "redis.uri": redis_url, **MODES[request.param]}

    def records(self, run: SinkTaskHarness) -> Sequence[SinkRecord]:
        return [run.record({"id": n, "name": "x"}, ORDER) for n in range(3)]

    def bad_record(self, run: SinkTaskHarness) -> SinkRecord:
        return run.record("no struct")

    def written(self, props: dict[str, str]) -> int:
        return self.redis.xlen("orders")

    def writes_once(self, props: dict[str, str]) -> bool:
        return "redis.exactly.once" in props


def test_a_string_per_record(redis: Redis, redis_url: str) -> None:
    with sink(redis_url, "STRING") as run:
        values = ["text", b"\xff\x00", 7, True, 1.5, Decimal("1.50"), {"a": [1]}, datetime(2026, 1, 2, tzinfo=UTC)]
        run.put([run.record(value, key=f"k{n}") for n, value in enumerate(values)])
    assert redis.keys() != []
    raw = redis.connection_pool.connection_kwargs  # text would not do for bytes
    with Redis(host=raw["host"], port=raw["port"]) as client:
        found = client.mget([f"orders:k{n}" for n in range(8)])
    assert found == [b"text", b"\xff\x00", b"7", b"true", b"1.5", b"1.50", b'{"a":[1]}', b"2026-01-02T00:00:00+00:00"]


def test_a_hash_per_record_whose_nulls_are_no_fields(redis: Redis, redis_url: str) -> None:
    with sink(redis_url, "hash") as run:
        run.put([run.record({"id": 1, "name": "a", "more": "x"}, key=1), run.record({"id": 2, "name": "b"}, key=2)])
        run.put([run.record({"id": 1, "name": "c", "more": None}, key=1)])
    assert redis.hgetall("orders:1") == {"id": "1", "name": "c"}
    assert redis.hgetall("orders:2") == {"id": "2", "name": "b"}


def test_entries_of_a_stream(redis: Redis, redis_url: str) -> None:
    with sink(redis_url, "STREAM", keyspace="from:${topic}") as run:
        run.put([run.record({"id": n, "nested": {"a": 1}}) for n in range(2)])
    assert [fields for _, fields in redis.xrange("from:orders")] == [
        {"id": "0", "nested": '{"a":1}'},
        {"id": "1", "nested": '{"a":1}'},
    ]


@pytest.mark.parametrize(
    ("type", "found"),
    [
        ("LIST", lambda redis: redis.lrange("orders", 0, -1) == ["a", "c"]),
        ("SET", lambda redis: redis.smembers("orders") == {"a", "c"}),
        ("ZSET", lambda redis: redis.zrange("orders", 0, -1, withscores=True) == [("a", 1.0), ("c", 3.0)]),
    ],
)
def test_members_are_the_keys_of_records_and_tombstones_remove_them(
    redis: Redis, redis_url: str, type: str, found: Any
) -> None:
    with sink(redis_url, type) as run:
        run.put([run.record(n + 1, key=key) for n, key in enumerate("abc")])
        run.put([run.record(None, key="b")])
    assert found(redis)


def test_members_may_be_the_values(redis: Redis, redis_url: str) -> None:
    with sink(redis_url, "LIST", member="value") as run:
        run.put([run.record("x", key="k"), run.record("y"), run.record(None, key="k")])
    assert redis.lrange("orders", 0, -1) == ["x", "y"]


def test_tombstones_delete_and_order_is_kept(redis: Redis, redis_url: str) -> None:
    with sink(redis_url, "STRING") as run:
        run.put([run.record(value, key=key) for key, value in [("a", "1"), ("a", None), ("b", "1"), ("b", "2")]])
        run.put([run.record(value, key=key) for key, value in [("c", None), ("c", "3")]])
    assert redis.mget("orders:a", "orders:b", "orders:c") == [None, "2", "3"]


@pytest.mark.parametrize(
    ("keyspace", "key"), [("", "7"), ("${topic}", "orders:7"), ("shop-${topic}.v1", "shop-orders.v1:7")]
)
def test_keys_begin_with_the_keyspace(redis: Redis, redis_url: str, keyspace: str, key: str) -> None:
    with sink(redis_url, "STRING", keyspace=keyspace) as run:
        run.put([run.record("x", key=7)])
    assert redis.keys() == [key]


def test_keys_expire_and_a_header_says_when(redis: Redis, redis_url: str) -> None:
    with sink(redis_url, "STRING", key_ttl="100") as run:
        record = run.record("x", key="b")
        record.headers = (Header("redis.key.ttl", None, "5000"),)
        run.put([run.record("x", key="a"), record])
    with sink(redis_url, "HASH", key_ttl="100", keyspace="h") as run:
        run.put([run.record({"a": 1}, key="a")])
    assert 0 < redis.ttl("orders:a") <= 100 < redis.ttl("orders:b") <= 5000
    assert 0 < redis.ttl("h:a") <= 100


def test_text_is_written_in_the_character_set_that_is_asked_for(redis_url: str) -> None:
    with sink(redis_url, "HASH", charset="latin-1") as run:
        run.put([run.record({"größe": "ü"}, key="ä")])
    with Redis.from_url(redis_url) as client:
        assert client.hgetall("orders:ä".encode("latin-1")) == {"größe".encode("latin-1"): "ü".encode("latin-1")}


UNFIT = [
    ("STRING", {"value": "x"}, "has no key"),
    ("HASH", {"value": "text", "key": "k"}, "must be a struct or a map, and is of type str"),
    ("HASH", {"value": {}, "key": "k"}, "has no fields"),
    ("STREAM", {"value": {"a": None}}, "has no field with a value"),
    ("ZSET", {"value": "much", "key": "k"}, "'much', which must be a number"),
    ("SET", {"value": "x"}, "has no key"),
]


@pytest.mark.parametrize(("type", "record", "reason"), UNFIT)
@pytest.mark.parametrize("mode", MODES)
def test_a_record_that_does_not_fit_is_reported_alone(
    redis: Redis, redis_url: str, type: str, record: dict[str, Any], reason: str, mode: str
) -> None:
    good = {"STRING": "x", "HASH": {"a": "b"}, "STREAM": {"a": "b"}, "ZSET": 1, "SET": "x"}[type]
    more = {name.removeprefix("redis."): value for name, value in MODES[mode].items()}
    with sink(redis_url, type, reporting=True, **more) as run:
        run.put([run.record(good, key="1"), run.record(**record), run.record(good, key="2")])
        [(reported, error)] = run.context.reports
    assert reported.offset == 1
    assert str(error).startswith("orders-0@1: ")
    assert reason in str(error)
    keys = [key for key in redis.scan_iter() if not key.startswith("kconnect:")]
    assert (
        sum(
            {"stream": redis.xlen, "zset": redis.zcard, "set": redis.scard}.get(redis.type(k), lambda _: 1)(k)
            for k in keys
        )
        == 2
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_record_that_redis_refuses_is_reported_alone(redis: Redis, redis_url: str, mode: str) -> None:
    redis.set("orders:b", "no hash")
    more = {name.removeprefix("redis."): value for name, value in MODES[mode].items()}
    with sink(redis_url, "HASH", reporting=True, **more) as run:
        run.put([run.record({"x": n}, key=key) for n, key in enumerate("abc")])
        [(reported, error)] = run.context.reports
    assert (reported.offset, redis.hgetall("orders:a"), redis.hgetall("orders:c")) == (1, {"x": "0"}, {"x": "2"})
    assert "WRONGTYPE" in str(error)


def test_without_a_reporter_the_first_bad_record_fails_the_task(redis_url: str) -> None:
    with sink(redis_url, "ZSET") as run, pytest.raises(DataError, match=r"orders-0@0: .*must be a number"):
        run.put([run.record("x", key="a")])


@pytest.mark.parametrize(
    ("type", "module", "command"), [("JSON", "ReJSON", "JSON.SET"), ("TIMESERIES", "timeseries", "TS.ADD")]
)
def test_a_module_that_is_missing_is_named_at_the_start(
    redis: Redis, redis_url: str, type: str, module: str, command: str
) -> None:
    if module in {each["name"] for each in redis.module_list()}:
        with sink(redis_url, type) as run:
            run.put([run.record(1, key=1)])
        assert redis.dbsize() == 1
    else:
        with pytest.raises(ConnectError, match=f"has no {command}: load the module"), sink(redis_url, type):
            pass


@pytest.mark.parametrize(
    ("props", "key", "reason"),
    [
        ({"redis.type": "TREE"}, "redis.type", "STRING"),
        ({"redis.type": "SET", "redis.keyspace": " "}, "redis.keyspace", "needs the name of a key"),
        ({"redis.charset": "klingon"}, "redis.charset", "is no character set"),
        ({"redis.uri": "http://x"}, "redis.uri", "begins with http"),
        ({"redis.uri": "redis-sentinel://x"}, "redis.uri", "Sentinel is not supported"),
        ({"redis.uri": "redis://x?tls=1"}, "redis.uri", "options that are not supported: tls"),
        ({"redis.cluster": "true", "redis.exactly.once": "true"}, "redis.exactly.once", "not possible in a cluster"),
        ({"redis.cluster": "true", "redis.multiexec": "true"}, "redis.multiexec", "not possible in a cluster"),
        ({"redis.key.file": "/x.pem"}, "redis.key.cert", "go together"),
        ({"redis.port": "0"}, "redis.port", "1"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_by_key(props: dict[str, str], key: str, reason: str) -> None:
    errors = validation_errors(RedisSink, props)
    assert list(errors) == [key]
    assert reason in errors[key][0]


def test_offsets_of_a_plain_sink_may_be_altered_as_one_likes(redis_url: str) -> None:
    assert RedisSink().alter_offsets({"redis.uri": redis_url}, {TopicPartition("orders", 0): 7})
