"""What the sink does when something goes wrong between the data, the offsets, and the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from kconnect import ConnectError, DataError, PartitionLog, RetriableError, TopicPartition
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_redis.sink import RedisSink
from services.redis import RedisServer, redis_client, running_redis

ORDERS = TopicPartition("orders", 0)


def ledger_key(connector: str) -> str:
    return f"kconnect:offset:{connector}:orders:0"


KEY = ledger_key("test")


def sink(url: str, **more: str) -> SinkTaskHarness:
    props = {"name": "test", "redis.uri": url, "redis.exactly.once": "true", "redis.type": "STREAM"}
    return SinkTaskHarness(RedisSink, props | {f"redis.{name.replace('_', '.')}": v for name, v in more.items()})


def numbers(redis: Redis) -> list[int]:
    """What is in Redis, in order: doubles show."""
    return [int(fields["n"]) for _, fields in redis.xrange("orders")]


def put(run: SinkTaskHarness, *offsets: int) -> None:
    run.next_offset = offsets[0]
    run.put([run.record({"n": offset}) for offset in offsets])


def test_offsets_are_in_redis_with_the_log_that_they_count_in(redis: Redis, redis_url: str) -> None:
    with sink(redis_url) as run:
        put(run, 0, 1, 2)
        assert redis.hgetall(KEY) == {"owner": "1", "offset": "3", "cluster_id": "cluster", "topic_id": "topic"}


def test_what_is_put_again_is_written_once(redis: Redis, redis_url: str) -> None:
    """After a crash between the transaction and the consumer's commit, and within one task."""
    with sink(redis_url) as run:
        put(run, 0, 1)
        put(run, 0, 1, 2)
    with sink(redis_url) as run:
        put(run, 1, 2, 3)
    assert numbers(redis) == [0, 1, 2, 3]


def test_a_task_goes_on_where_redis_is(redis: Redis, redis_url: str) -> None:
    with sink(redis_url) as run:
        put(run, 0, 1)
    with sink(redis_url) as run:
        run.put([])
        assert run.context.rewound == {ORDERS: 2}


def test_where_redis_has_less_than_the_group_has_committed_reading_goes_back(redis: Redis, redis_url: str) -> None:
    """As when it came back with an older copy of its data."""
    with sink(redis_url) as run:
        put(run, 0, 1)
    with sink(redis_url) as run:
        put(run, 4, 5)
        assert (run.context.rewound, numbers(redis)) == ({ORDERS: 2}, [0, 1])
        put(run, 2, 3, 4, 5)
    assert numbers(redis) == [0, 1, 2, 3, 4, 5]


def test_where_redis_loses_its_last_writes_under_a_task_reading_goes_back(redis: Redis, redis_url: str) -> None:
    """As when it was killed and had synced its append-only file a second before."""
    with sink(redis_url) as run:
        put(run, 0, 1, 2)
        redis.hset(KEY, "offset", 1)
        redis.xtrim("orders", maxlen=0)
        put(run, 3)
        assert (run.context.rewound, numbers(redis)) == ({ORDERS: 1}, [])
        put(run, 1, 2, 3)
    assert numbers(redis) == [1, 2, 3]


def test_a_group_that_is_far_behind_redis_is_taken_to_where_redis_is(redis: Redis, redis_url: str) -> None:
    with sink(redis_url) as run:
        put(run, *range(10))
    with sink(redis_url) as run:
        put(run, 0, 1, 2)
        assert (run.context.rewound, numbers(redis)) == ({ORDERS: 10}, [*range(10)])
        put(run, 10)
    assert numbers(redis) == [*range(11)]


def test_gaps_of_the_log_are_no_reason_to_go_back(redis: Redis, redis_url: str) -> None:
    with sink(redis_url) as run:
        put(run, 0, 1)
        put(run, 5, 6)
        assert (run.context.rewound, numbers(redis)) == ({}, [0, 1, 5, 6])


def test_a_task_that_was_replaced_writes_no_more(redis: Redis, redis_url: str) -> None:
    with sink(redis_url) as zombie:
        put(zombie, 0)
        with sink(redis_url) as successor:
            successor.put([])
            with pytest.raises(ConnectError, match="orders-0: another task has taken it over"):
                put(zombie, 1)
            put(successor, 1)
    assert numbers(redis) == [0, 1]


def test_a_task_that_is_replaced_between_its_look_and_its_write_writes_no_more(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sink(redis_url) as zombie, sink(redis_url) as successor:
        put(zombie, 0)
        ledger: Any = zombie.task._writer._ledger
        offsets = ledger.offsets

        def replaced() -> Any:
            successor.put([])
            return offsets()

        monkeypatch.setattr(ledger, "offsets", replaced)
        with pytest.raises(RetriableError):
            put(zombie, 1)
        monkeypatch.undo()
        with pytest.raises(ConnectError, match="another task"):
            put(zombie, 1)
    assert numbers(redis) == [0]


OTHER_LOGS = [
    (PartitionLog("elsewhere", "topic", 0, 9), "counted in the cluster cluster, and this is elsewhere"),
    (PartitionLog("cluster", "new", 0, 9), "the topic was made anew"),
    (PartitionLog("cluster", "topic", 0, 2), "the log ends at 2"),
]


@pytest.mark.parametrize(("log", "reason"), OTHER_LOGS)
def test_an_offset_of_another_log_fails_the_task_and_nothing_is_written(
    redis: Redis, redis_url: str, log: PartitionLog, reason: str
) -> None:
    with sink(redis_url) as run:
        put(run, 0, 1, 2)
    with sink(redis_url) as run:
        run.context.log = log
        for _ in range(2):  # a restart changes nothing
            with pytest.raises(ConnectError, match=reason):
                put(run, 0, 1)
    assert numbers(redis) == [0, 1, 2]
    RedisSink().alter_offsets(run.connector.props, {ORDERS: None})
    with sink(redis_url) as run:
        run.context.log = log
        put(run, 0, 1)
    assert numbers(redis) == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(("log", "reason"), OTHER_LOGS)
def test_a_log_that_changes_under_a_task_fails_it_too(
    redis: Redis, redis_url: str, log: PartitionLog, reason: str
) -> None:
    with sink(redis_url) as run:
        put(run, 0, 1, 2)
        run.context.log = log
        with pytest.raises(ConnectError, match=reason):
            put(run, 0)
    assert numbers(redis) == [0, 1, 2]


def test_altered_offsets_are_followed(redis: Redis, redis_url: str) -> None:
    with sink(redis_url) as run:
        put(run, 0, 1, 2)
    assert RedisSink().alter_offsets(run.connector.props, {ORDERS: 1})
    with sink(redis_url) as run:
        run.put([])
        assert run.context.rewound == {ORDERS: 1}
        put(run, 1, 2)
    assert numbers(redis) == [0, 1, 2, 1, 2]


def test_a_reset_where_the_group_has_committed_nothing_forgets_all_of_the_connector(
    redis: Redis, redis_url: str
) -> None:
    ours, theirs = "a[*]:b", ["a", "a[*]", "a[*]:b:c", "aX:b", "a[x]:b"]
    for name in (ours, *theirs):
        redis.hset(ledger_key(name), "offset", 1)
    RedisSink().alter_offsets({"name": ours, "redis.uri": redis_url, "redis.exactly.once": "true"}, {})
    assert set(redis.scan_iter()) == {ledger_key(name) for name in theirs}


def test_partitions_that_come_back_are_taken_anew(redis: Redis, redis_url: str) -> None:
    with sink(redis_url) as run:
        put(run, 0)
        run.task.close([ORDERS])
        with sink(redis_url) as other:
            put(other, 1)
        put(run, 2)
    assert numbers(redis) == [0, 1, 2]


@pytest.mark.parametrize("type", ["STREAM", "HASH"])
def test_a_refused_record_that_nobody_takes_stops_the_task_at_every_start_and_nothing_passes_it(
    redis: Redis, redis_url: str, type: str
) -> None:
    blocked = "orders" if type == "STREAM" else "orders:1"
    redis.set(blocked, "of another type")
    more = {"type": type, "keyspace": "orders"}
    for _ in range(2):
        with sink(redis_url, **more) as run:
            run.next_offset = 1
            records = [run.record({"n": n}, key=n) for n in (1, 2)]
            with pytest.raises(DataError, match=r"orders-0@1: .*WRONGTYPE"):
                run.put(records)
        assert redis.hget(KEY, "offset") is None
    redis.delete(blocked)
    with sink(redis_url, **more) as run:
        run.next_offset = 1
        run.put([run.record({"n": n}, key=n) for n in (1, 2)])
    if type == "STREAM":
        assert numbers(redis) == [1, 2]
    else:
        assert [redis.hget(f"orders:{n}", "n") for n in (1, 2)] == ["1", "2"]


def test_where_a_key_changes_its_type_under_a_transaction_the_offset_goes_back(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sink(redis_url, type="HASH", keyspace="orders") as run:
        run.next_offset = 5
        records = [run.record({"n": n}, key=n) for n in (5, 6, 7)]
        ledger: Any = run.task._writer._ledger
        offsets = ledger.offsets

        def changed() -> Any:
            redis.set("orders:6", "no hash any more")
            return offsets()

        monkeypatch.setattr(ledger, "offsets", changed)
        with pytest.raises(DataError, match=r"orders-0@6: .*WRONGTYPE"):
            run.put(records)
        monkeypatch.undo()
        assert redis.hget(KEY, "offset") == "6"
        redis.delete("orders:6")
        run.put(records)
    assert [redis.hget(f"orders:{n}", "n") for n in (5, 6, 7)] == ["5", "6", "7"]


def test_where_one_key_is_refused_nothing_is_written_to_others_at_every_start(redis: Redis, redis_url: str) -> None:
    redis.set("orders", "no stream")
    for _ in range(2):
        with sink(redis_url) as run:
            records = [run.record({"n": 0}), run.record({"n": 1})]
            records[1].topic = "others"  # as a transform may have it
            with pytest.raises(DataError, match=r"orders-0@0: .*WRONGTYPE"):
                run.put(records)
    redis.delete("orders")
    with sink(redis_url) as run:
        run.put(records)
    assert (redis.xlen("orders"), redis.xlen("others")) == (1, 1)


@pytest.mark.needs("redis-server")
def test_a_bad_record_is_reported_once_however_often_its_batch_is_put() -> None:
    with running_redis("--maxmemory-policy", "noeviction") as server, redis_client(server.url) as client:
        props = {"name": "test", "redis.uri": server.url, "redis.exactly.once": "true", "redis.type": "STREAM"}
        with SinkTaskHarness(RedisSink, props, reporting=True) as run:
            run.put([])
            client.config_set("maxmemory", "1")
            records = [run.record({"n": 0}), run.record("no struct")]
            for _ in range(3):
                with pytest.raises(RetriableError):
                    run.put(records)
            client.config_set("maxmemory", "0")
            run.put(records)
            assert [record.offset for record, _ in run.context.reports] == [1]
            assert (numbers(client), client.hget(KEY, "offset")) == ([0], "2")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("mode", ["exactly.once", "multiexec", "type"])
def test_the_sink_waits_for_redis_at_the_start_and_while_it_is_away(server: RedisServer, mode: str) -> None:
    """Without anything on the disk Redis comes back empty: what is put from then on is there."""
    server.stop()
    props = {"name": "test", "redis.uri": server.url, f"redis.{mode}": "STREAM" if mode == "type" else "true"}
    with SinkTaskHarness(RedisSink, props) as run:
        with pytest.raises(RetriableError, match=f"127.0.0.1:{server.port} cannot be reached"):
            put(run, 0)
        server.start()
        put(run, 0)
        server.kill()
        with pytest.raises(RetriableError):
            put(run, 1)
        server.start()
        if mode == "exactly.once":  # its offsets are gone with the data, which it must not pass over in silence
            with pytest.raises(ConnectError, match=r"its offset was removed from where it is kept"):
                put(run, 1)
        else:
            put(run, 1)
            with redis_client(server.url) as client:
                assert numbers(client) == [1]


@pytest.mark.needs("redis-server")
def test_a_killed_redis_that_keeps_a_log_of_its_own_has_everything_once(tmp_path: Any) -> None:
    with running_redis("--appendonly", "yes", "--appendfsync", "always") as server, sink(server.url) as run:
        for number in range(20):
            if number % 5 == 3:
                server.kill()
                with pytest.raises(RetriableError):
                    put(run, number)
                server.start()
            put(run, number)
        with redis_client(server.url) as client:
            assert numbers(client) == list(range(20))


@pytest.mark.needs("redis-server")
def test_a_full_redis_is_waited_for_and_nothing_is_doubled() -> None:
    with running_redis("--maxmemory-policy", "noeviction") as server, redis_client(server.url) as client:
        for once in ("true", "false"):
            client.flushall()
            with sink(server.url, exactly_once=once) as run:
                put(run, 0)
                client.config_set("maxmemory", "1")
                with pytest.raises(RetriableError, match="no memory left"):
                    put(run, 1, 2)
                client.config_set("maxmemory", "0")
                put(run, 1, 2)
            assert numbers(client) == [0, 1, 2]


@pytest.mark.needs("redis-server")
def test_after_an_error_in_the_middle_a_plain_sink_goes_on_behind_what_is_written() -> None:
    with running_redis() as server, redis_client(server.url) as client, sink(server.url, exactly_once="false") as run:
        client.acl_setuser("default", enabled=True, reset_keys=True, keys=["orders"])
        records = [run.record({"n": 0}), run.record({"n": 1}, topic="closed"), run.record({"n": 2})]
        with pytest.raises(ConnectError, match="does not allow it"):
            run.put(records)
        client.acl_setuser("default", enabled=True, keys=["*"])
        run.put(records)
        assert (numbers(client), client.xlen("closed")) == ([0, 2, 2], 1)


@pytest.mark.needs("redis-server")
def test_replicas_are_waited_for() -> None:
    with running_redis() as master, running_redis("--replicaof", f"127.0.0.1 {master.port}") as replica:
        with redis_client(replica.url) as client, sink(master.url, wait_replicas="1", wait_timeout="10000") as run:
            put(run, 0)
            assert numbers(client) == [0]
        with sink(master.url, wait_replicas="2", wait_timeout="50") as run:
            for _ in range(2):
                with pytest.raises(RetriableError, match=r"1 of the 2 replicas .* after 50 ms"):
                    put(run, 1)
        with redis_client(master.url) as client:
            assert numbers(client) == [0, 1]


@pytest.mark.needs("redis-server")
def test_a_replica_cannot_be_written_to_until_it_is_a_master() -> None:
    with (
        running_redis() as master,
        running_redis("--replicaof", f"127.0.0.1 {master.port}") as replica,
        redis_client(replica.url) as client,
        sink(replica.url, exactly_once="false") as run,
    ):
        with pytest.raises(RetriableError, match="is a replica"):
            put(run, 0)
        client.replicaof("NO", "ONE")
        put(run, 0)
        assert numbers(client) == [0]
