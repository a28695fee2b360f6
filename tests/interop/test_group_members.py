"""Our group members on the embedded log and on the real Apache Kafka: what each coordinator has to say."""

from __future__ import annotations

import asyncio

import pytest

from interop.conftest import Cluster, unique
from kconnect.kafka.client import Client
from services.group import Configs, Pool, until

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
