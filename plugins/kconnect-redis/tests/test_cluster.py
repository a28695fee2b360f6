"""Three masters that share the keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis.cluster import RedisCluster

from kconnect import ConnectError, RetriableError
from kconnect.testing.sinks import SinkTaskHarness
from kconnect.testing.sources import SourceTaskHarness
from kconnect_redis.keys_source import RedisKeysSource
from kconnect_redis.pubsub_source import RedisPubSubSource
from kconnect_redis.sink import RedisSink
from kconnect_redis.stream_source import RedisStreamSource
from services.redis import RedisServer, redis_client, running_redis_cluster

pytestmark = pytest.mark.needs("redis-server")


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RedisServer]]:
    with running_redis_cluster() as nodes:
        yield nodes


@pytest.fixture
def cluster(nodes: list[RedisServer]) -> Iterator[RedisCluster]:
    with RedisCluster.from_url(nodes[0].url, decode_responses=True) as cluster:
        cluster.flushall(target_nodes=RedisCluster.PRIMARIES)
        yield cluster


@pytest.fixture
def props(nodes: list[RedisServer], cluster: RedisCluster) -> dict[str, str]:
    return {"redis.uri": nodes[0].url, "redis.cluster": "true"}


def test_records_go_to_the_nodes_of_their_keys(cluster: RedisCluster, props: dict[str, str]) -> None:
    with SinkTaskHarness(RedisSink, props | {"redis.type": "HASH", "redis.key.ttl": "1000"}) as run:
        run.put([run.record({"n": n}, key=n % 100) for n in range(1000)])
    assert [cluster.hget(f"orders:{n}", "n") for n in range(100)] == [str(n + 900) for n in range(100)]
    assert all(cluster.dbsize(target_nodes=node) > 10 for node in cluster.get_primaries())


def test_a_refused_record_is_reported_alone(cluster: RedisCluster, props: dict[str, str]) -> None:
    cluster.set("orders:3", "no hash")
    with SinkTaskHarness(RedisSink, props | {"redis.type": "HASH"}, reporting=True) as run:
        run.put([run.record({"n": n}, key=n) for n in range(10)])
        assert [record.offset for record, _ in run.context.reports] == [3]
    assert sum(cluster.exists(f"orders:{n}") for n in range(10)) == 10


def test_a_slot_that_moves_is_followed(nodes: list[RedisServer], cluster: RedisCluster, props: dict[str, str]) -> None:
    slot, owner = cluster.keyslot("orders:1"), cluster.get_node_from_key("orders:1")
    target = next(node for node in nodes if node.port != owner.port)
    with SinkTaskHarness(RedisSink, props | {"redis.type": "STRING"}) as run:
        run.put([run.record("a", key=1)])
        cluster.delete("orders:1")
        with redis_client(target.url) as client:
            target_id = str(client.execute_command("CLUSTER", "MYID"))
        for node in nodes:
            with redis_client(node.url) as client:
                client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target_id)
        assert run.put_until_done([run.record("b", key=1), run.record("c", key=2)]) == 2
    with redis_client(target.url) as client:
        assert client.get("orders:1") == "b"


def test_a_stream_is_read_where_it_is(cluster: RedisCluster, props: dict[str, str]) -> None:
    for name in ("a", "b", "c", "d"):
        cluster.xadd(name, {"n": "1"})
        with SourceTaskHarness(RedisStreamSource, props | {"redis.stream.name": name}) as run:
            assert run.poll_until(1)[0].value["body"] == {"n": "1"}
            run.commit()
        assert cluster.xpending(name, "kafka-consumer-group")["pending"] == 0


def test_keys_of_all_nodes_are_read_and_their_changes_heard(cluster: RedisCluster, props: dict[str, str]) -> None:
    for number in range(50):
        cluster.set(f"k{number}", "1")
    with SourceTaskHarness(RedisKeysSource, props) as run:
        assert {record.key for record in run.poll_until(50)} == {f"k{n}" for n in range(50)}
        for number in range(50):
            cluster.set(f"k{number}", "2")
        seen: dict[str, str] = {}
        while len(seen) < 50:
            seen |= {record.key: record.value["string"] for record in run.poll_until(1)}
    assert set(seen.values()) == {"2"}


def test_messages_reach_a_listener_at_any_node(cluster: RedisCluster, props: dict[str, str]) -> None:
    with SourceTaskHarness(RedisPubSubSource, props | {"redis.channels": "news"}) as run:
        run.poll()
        cluster.publish("news", "1")
        assert [record.value for record in run.poll_until(1)] == ["1"]


def test_a_node_that_is_gone_is_waited_for() -> None:
    with running_redis_cluster() as nodes:
        props = {"redis.uri": nodes[0].url, "redis.cluster": "true", "redis.type": "STRING"}
        with SinkTaskHarness(RedisSink, props) as run:
            records = [run.record("x", key=n) for n in range(50)]
            run.put(records)
            nodes[1].kill()
            with pytest.raises(RetriableError):
                run.put(records)
            nodes[1].start()
            run.put_until_done(records)
            assert sum(len(_keys(node)) for node in nodes) == 50


def test_the_node_of_the_uri_may_be_gone() -> None:
    with running_redis_cluster() as nodes:
        for node in nodes:
            with redis_client(node.url) as client:
                client.config_set("cluster-require-full-coverage", "no")
        props = {"redis.uri": nodes[0].url, "redis.cluster": "true", "redis.type": "STRING"}
        with SinkTaskHarness(RedisSink, props) as run:
            records = [run.record("x", key=n) for n in range(50)]
            run.put(records)
            elsewhere = [record for record in records if f"orders:{record.key}" not in _keys(nodes[0])]
            nodes[0].kill()
            with pytest.raises(RetriableError):
                run.put(records)
            run.put_until_done(elsewhere)
            assert sum(len(_keys(node)) for node in nodes[1:]) == len(elsewhere)


def test_a_server_that_is_in_no_cluster_is_named(redis_url: str) -> None:
    props = {"redis.uri": redis_url, "redis.cluster": "true", "redis.type": "STRING"}
    with pytest.raises(ConnectError, match=r"redis\.cluster=true: Redis at .* is in no cluster"):
        SinkTaskHarness(RedisSink, props).__enter__()


def test_a_node_of_a_cluster_asks_for_that_to_be_said(props: dict[str, str]) -> None:
    alone = props | {"redis.cluster": "false", "redis.type": "STRING"}
    with SinkTaskHarness(RedisSink, alone) as run, pytest.raises(ConnectError, match=r"set redis\.cluster=true"):
        run.put([run.record("x", key=n) for n in range(50)])


def _keys(node: RedisServer) -> list[str]:
    with redis_client(node.url) as client:
        return list(client.scan_iter())
