"""Our group members on the embedded log and on the real Apache Kafka: what each coordinator has to say, and when it
moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from interop.conftest import Cluster, unique
from kconnect.kafka.client import Client
from kconnect.log.protocol import ApiKey, requests
from kconnect.testing.raw_client import RawClient
from services.group import Configs, Pool, until
from services.kafka.broker import RunningKafka, random_cluster_id, running_kafka
from services.processes import free_ports

pytestmark = pytest.mark.interop

CONFIGS = Configs({"a": 4, "b": 3}, offset=10)


def test_members_share_leave_and_come_back(cluster: Cluster) -> None:
    group = unique("group")

    async def scenario() -> None:
        async with Pool.of(cluster.bootstrap, group, CONFIGS, scheduled_rebalance_max_delay_ms=0) as pool:
            first, second = await pool.add(), await pool.add()
            await pool.shared(first, second)
            out = pool.follower
            with Client({"bootstrap.servers": cluster.bootstrap}) as client:
                await asyncio.to_thread(client.leave_group, group, [out.member.member_id])
            await until(lambda: "on_lost" in out.events, "it does not notice")
            await pool.shared(first, second)
            staying, leaving = pool.follower, pool.leader
            await leaving.member.stop()
            await pool.balanced(staying)

    asyncio.run(scenario())


def test_heartbeats_during_a_long_rebalance_keep_the_session(kafka_bootstrap: str) -> None:
    async def scenario() -> None:
        async with Pool.of(kafka_bootstrap, unique("group"), CONFIGS, heartbeat_interval_ms=500) as pool:
            first, slow = await pool.add(), await pool.add()
            await pool.shared(first, slow)
            slow.may_join.clear()
            generation = first.member.generation
            first.member.request_rejoin()
            await until(lambda: slow.events[-1] == "before_join", "the other does not hear of it")
            # Longer than a session of six seconds.
            await asyncio.gather(first.beats(14), slow.beats(14))
            slow.may_join.set()
            await pool.balanced(first, slow)

            assert first.member.generation == generation + 1
            assert "on_lost" not in first.events + slow.events

    asyncio.run(scenario())


@pytest.fixture
def two_brokers(tmp_path: Path) -> Iterator[Mapping[str, RunningKafka]]:
    """A cluster of a controller that is a broker as well, and of a second broker, by their addresses."""
    first_port, controller_port, second_port = free_ports(3)
    common = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "offsets.topic.replication.factor": "2",
        "offsets.topic.num.partitions": "4",
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }
    first = {
        "listeners": f"PLAINTEXT://127.0.0.1:{first_port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{first_port}",
    }
    second = {
        "process.roles": "broker",
        "node.id": "2",
        "listeners": f"PLAINTEXT://127.0.0.1:{second_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{second_port}",
    }
    cluster_id = random_cluster_id()
    folders = tmp_path / "1", tmp_path / "2"
    for folder in folders:
        folder.mkdir()
    with (
        running_kafka(folders[0], settings=common | first, cluster_id=cluster_id) as one,
        running_kafka(folders[1], settings=common | second, cluster_id=cluster_id) as two,
    ):
        yield {f"127.0.0.1:{first_port}": one, f"127.0.0.1:{second_port}": two}


def coordinator_of(bootstrap: str, group: str) -> str | None:
    """The address of a group's coordinator; None while there is none."""
    raw = RawClient(bootstrap)
    found = raw.call(ApiKey.FIND_COORDINATOR, 3, requests.FindCoordinator(key=group, key_type=0))
    raw.close()
    return None if found.error_code else f"{found.host}:{found.port}"


@pytest.mark.needs("kafka")
@pytest.mark.timeout(300)  # two brokers start
def test_a_group_goes_on_when_the_broker_of_its_coordinator_is_killed(
    two_brokers: Mapping[str, RunningKafka],
) -> None:
    first, second = two_brokers

    async def scenario() -> None:
        await until(lambda: coordinator_of(first, "any") is not None, "no coordinator comes up")
        group = next(name for name in map(str, range(100)) if coordinator_of(first, name) == second)
        async with Pool.of(f"{second},{first}", group, CONFIGS, session_timeout_ms=40_000) as pool:
            leader, follower = await pool.add(), await pool.add()
            await pool.shared(leader, follower)
            before = [(w.member.member_id, w.member.generation, sorted(w.held)) for w in pool.workers]
            two_brokers[second].process.kill()
            await until(lambda: coordinator_of(first, group) == first, "the coordinator does not move")
            await asyncio.gather(leader.beats(2), follower.beats(2))

            assert [(w.member.member_id, w.member.generation, sorted(w.held)) for w in pool.workers] == before
            assert "on_lost" not in leader.events + follower.events
            leader.member.request_rejoin()
            await until(lambda: leader.member.generation > before[0][1], "no rebalance at the new coordinator")
            await pool.balanced(leader, follower)

    asyncio.run(scenario())
