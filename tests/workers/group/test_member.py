"""Workers in one group on an embedded log, and what becomes of them when brokers, members and requests fail."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kconnect.errors import ConfigError
from kconnect.kafka.client import Client
from kconnect.log.protocol import ApiKey, requests
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.raw_client import RawClient
from kconnect_workers.group.member import GroupMember
from kconnect_workers.group.protocol import ConnectProtocol
from kconnect_workers.group.settings import GroupSettings
from kconnect_workers.states import TaskId
from services.certificates import PASSWORD, Authority
from services.group import Configs, GroupWorker, Pool, until

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
CONFIGS = Configs({"a": 4, "b": 3}, offset=10)
SHORT = {"session_timeout_ms": 1_000, "heartbeat_interval_ms": 100}


@pytest.fixture(scope="module")
def shared_log() -> Iterator[EmbeddedLog]:
    with EmbeddedLog(settings={"group.min.session.timeout.ms": "500"}) as log:
        yield log


@pytest.fixture
def own_log() -> Iterator[EmbeddedLog]:
    """One that a test may restart."""
    with EmbeddedLog(settings={"group.min.session.timeout.ms": "500"}) as log:
        yield log


@pytest.fixture
def group(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_workers_share_connectors_and_tasks_and_the_leader_knows_where_they_are(
    shared_log: EmbeddedLog, group: str
) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            first = await pool.add()
            await pool.balanced(first)
            second, third = await pool.add(), await pool.add()
            await pool.shared(first, second, third)

            assert {len([h for h in w.held if "-" in h]) for w in pool.workers} == {2, 3}
            leader = pool.leader
            assert len({worker.member.generation for worker in pool.workers}) == 1
            assert {worker.member.leader_url for worker in pool.workers} == {f"http://{leader.name}:8083/"}
            for worker in pool.workers:
                urls = {leader.member.url_of(parsed(held)) for held in worker.held}
                assert urls == {f"http://{worker.name}:8083/"}
                assert worker.member.url_of("a") is None or worker is leader
            assert leader.member.url_of("nobody's") is None
            assert {worker.member.protocol for worker in pool.workers} == {ConnectProtocol.SESSIONED}

    run(scenario())


def test_a_worker_stops_what_is_revoked_before_another_is_given_it(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            first = await pool.add()
            await pool.balanced(first)
            second = await pool.add()
            await until(lambda: len(second.held) > 2, "the second worker is given nothing")
            await pool.balanced(first, second)

            assert first.events.index("on_revoked") < len(first.events) - 1
            assert not first.held & second.held
            assert first.events.count("on_lost") == 0

    run(scenario())


def test_a_worker_that_stops_leaves_at_once(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        pools = Pool.of(shared_log.bootstrap_servers, group, CONFIGS, scheduled_rebalance_max_delay_ms=0)
        async with pools as pool:
            first, second = await pool.add(), await pool.add()
            await pool.shared(first, second)
            await second.member.stop()
            await pool.balanced(first)  # long before the session of the second would have expired
            await second.member.stop()

            assert (second.member.member_id, second.member.generation) == ("", -1)
            assert second.member.url_of("a") is None
            assert second.events[-1] != "on_lost"

    run(scenario())


def test_what_a_worker_had_waits_for_the_delay(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        pools = Pool.of(shared_log.bootstrap_servers, group, CONFIGS, scheduled_rebalance_max_delay_ms=1_000)
        async with pools as pool:
            first, second = await pool.add(), await pool.add()
            await pool.shared(first, second)
            staying, leaving = pool.leader, pool.follower
            assigned = staying.events.count("on_assigned")
            held = set(staying.held)
            await leaving.member.stop()
            await until(lambda: staying.events.count("on_assigned") > assigned, "no rebalance without it")

            assert staying.held == held
            await pool.balanced(staying)
            assert staying.events.count("on_assigned") == assigned + 2

    run(scenario())


def test_a_request_for_a_rebalance_brings_what_has_changed(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            first, second = await pool.add(), await pool.add()
            await pool.shared(first, second)
            more = Configs({"b": 4, "c": 1}, offset=12)
            for worker in pool.workers:
                worker.configs = more
                worker.member.request_rejoin()
            await pool.balanced(first, second, configs=more)

    run(scenario())


def test_a_leader_that_is_behind_assigns_nothing_until_it_has_caught_up(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            first = await pool.add()
            await pool.balanced(first)
            more = Configs({"a": 4, "b": 3, "c": 1}, offset=20)
            first.latest = more
            second = await pool.add(configs=more)
            await until(lambda: "CONFIG_MISMATCH" in first.events, "nobody sees that the leader is behind")
            await pool.balanced(first, second, configs=more)

            assert first.events.count("on_lost") == 0

    run(scenario())


def test_heartbeats_go_on_while_a_rebalance_waits_for_another(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS, **SHORT) as pool:
            first, slow = await pool.add(), await pool.add()
            await pool.shared(first, slow)
            slow.may_join.clear()
            generation = first.member.generation
            first.member.request_rejoin()
            await until(lambda: slow.events[-1] == "before_join", "the other does not hear of it")
            # Heartbeats of both for longer than a session.
            await asyncio.gather(first.beats(15), slow.beats(15))

            assert first.member.generation == generation
            assert "rebalances since" in str(first.member.rebalancing)
            slow.may_join.set()
            await pool.balanced(first, slow)
            assert first.member.generation == generation + 1
            assert "on_lost" not in first.events + slow.events

    run(scenario())


def test_a_worker_that_was_taken_out_stops_everything_and_joins_anew(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            worker = await pool.add()
            await pool.balanced(worker)
            member_id = worker.member.member_id
            with Client({"bootstrap.servers": shared_log.bootstrap_servers}) as client:
                await asyncio.to_thread(client.leave_group, group, [member_id])
            await until(lambda: "on_lost" in worker.events, "it does not notice")
            await pool.balanced(worker)

            assert worker.member.member_id != member_id

    run(scenario())


def test_what_a_worker_had_is_kept_for_it_and_nobody_else_is_disturbed(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            first, second = await pool.add(), await pool.add()
            await pool.shared(first, second)
            staying, lost = pool.leader, pool.follower
            before, told = [set(staying.held), set(lost.held)], len(staying.events)
            with Client({"bootstrap.servers": shared_log.bootstrap_servers}) as client:
                await asyncio.to_thread(client.leave_group, group, [lost.member.member_id])
            await until(lambda: "on_lost" in lost.events, "it does not notice")
            await pool.balanced(first, second)

            assert [staying.held, lost.held] == before
            assert "on_revoked" not in staying.events[told:]

    run(scenario())


def test_what_a_worker_had_is_kept_through_an_assignment_that_fails(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            first, second = await pool.add(), await pool.add()
            await pool.shared(first, second)
            staying, out = pool.leader, pool.follower
            had = set(out.held)
            out.configs = staying.latest = replace(CONFIGS, offset=20)  # so that it knows more than the leader
            out.member.stay_out(0, "the test wants so")
            await until(lambda: "CONFIG_MISMATCH" in out.events, "nobody sees that the leader is behind")
            await pool.shared(first, second)

            assert out.held == had

    run(scenario())


def test_what_was_given_to_others_meanwhile_stays_theirs(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        pools = Pool.of(shared_log.bootstrap_servers, group, CONFIGS, scheduled_rebalance_max_delay_ms=0)
        async with pools as pool:
            first, second = await pool.add(), await pool.add()
            await pool.shared(first, second)
            out = pool.follower
            out.may_join.clear()
            out.member.stay_out(0, "the test wants so")
            await pool.balanced(pool.leader)
            out.may_join.set()
            await pool.shared(first, second)

    run(scenario())


def test_a_broker_that_comes_back_in_time_finds_its_group_as_it_was(own_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(own_log.bootstrap_servers, group, CONFIGS) as pool:
            first, second = await pool.add(), await pool.add()
            await pool.shared(first, second)
            before = [(w.member.member_id, w.member.generation, sorted(w.held)) for w in pool.workers]
            own_log.kill()
            own_log.start()
            await asyncio.gather(first.beats(2), second.beats(2))

            assert [(w.member.member_id, w.member.generation, sorted(w.held)) for w in pool.workers] == before
            assert "on_lost" not in first.events + second.events

    run(scenario())


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "silent"])
def test_a_worker_without_a_broker_is_out_of_the_group_until_there_is_one(
    own_log: EmbeddedLog, group: str, ending: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with Pool.of(own_log.bootstrap_servers, group, CONFIGS, **SHORT) as pool:
            worker = await pool.add()
            await pool.balanced(worker)
            if ending is signal.SIGKILL:
                own_log.kill()
            else:
                os.kill(own_log.pid, signal.SIGSTOP)
            await until(lambda: "on_lost" in worker.events, "it goes on without a group")

            assert worker.member.heartbeat_age_s == float("inf")
            assert worker.member.leader_url is None
            assert f"this worker has not been in group {group} since" in str(worker.member.rebalancing)
            if ending is signal.SIGKILL:
                own_log.start()
            else:
                os.kill(own_log.pid, signal.SIGCONT)
            await pool.balanced(worker)
            assert worker.events.count("on_lost") == 1

    with caplog.at_level(logging.WARNING, "kconnect_workers"):
        run(scenario())
    assert len(caplog.records) < 12  # attempts are many, and told of once


def test_a_worker_waits_for_a_broker_to_be_there(own_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        own_log.stop()
        async with Pool.of(own_log.bootstrap_servers, group, CONFIGS) as pool:
            worker = await pool.add()
            await until(
                lambda: "no broker answers" in str(worker.member.rebalancing), "it does not say what is missing"
            )
            own_log.start()
            await pool.balanced(worker)

    run(scenario())


def test_a_worker_stops_without_a_broker(own_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(own_log.bootstrap_servers, group, CONFIGS) as pool:
            worker = await pool.add()
            await pool.balanced(worker)
            own_log.kill()
            await asyncio.wait_for(worker.member.stop(), 10)

    run(scenario())


def test_an_eager_worker_has_the_whole_group_share_eagerly(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            first = await pool.add()
            await pool.balanced(first)
            eager = await pool.add(settings=replace(pool.settings, connect_protocol=ConnectProtocol.EAGER))
            await until(lambda: first.member.protocol is ConnectProtocol.EAGER and bool(eager.held), "not eager")
            # What it had in the cooperative way is in nobody's books any more: it is given all anew.
            await pool.balanced(first, eager)
            assert first.events.count("on_lost") == 0

            await eager.member.stop()
            await until(lambda: first.member.protocol is ConnectProtocol.SESSIONED, "eager for ever")
            await pool.balanced(first)

    run(scenario())


def test_a_worker_can_stay_out_for_a_while(shared_log: EmbeddedLog, group: str) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            worker = await pool.add()
            await pool.balanced(worker)
            member_id = worker.member.member_id
            worker.member.stay_out(0.1, "it cannot read the config topic")
            await until(lambda: "on_lost" in worker.events, "it stays")

            assert "it cannot read the config topic" in str(worker.member.rebalancing)
            await pool.balanced(worker)
            assert worker.member.member_id != member_id

    run(scenario())


def test_a_worker_that_fails_in_what_it_is_told_stays_in_the_group(
    shared_log: EmbeddedLog, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            first = await pool.add()
            first.failing = {"before_join", "on_revoked", "on_assigned"}
            second = await pool.add()
            await pool.shared(first, second)

    with caplog.at_level(logging.ERROR, "kconnect_workers"):
        run(scenario())
    assert "the worker failed in on_assigned" in caplog.text


def test_a_group_of_consumers_is_not_joined_and_the_reason_is_told(shared_log: EmbeddedLog, group: str) -> None:
    raw = RawClient(shared_log.bootstrap_servers)
    protocols = [requests.JoinGroup.Protocol(name="range", metadata=b"")]
    join = requests.JoinGroup(
        group_id=group,
        session_timeout_ms=60_000,
        rebalance_timeout_ms=60_000,
        protocol_type="consumer",
        protocols=protocols,
    )
    consumer = raw.call(ApiKey.JOIN_GROUP, 3, join).member_id

    async def scenario() -> None:
        async with Pool.of(shared_log.bootstrap_servers, group, CONFIGS) as pool:
            worker = await pool.add()
            await until(lambda: "INCONSISTENT_GROUP_PROTOCOL" in str(worker.member.rebalancing), "it joins consumers")

            assert "group.id" in str(worker.member.rebalancing)
            raw.call(ApiKey.LEAVE_GROUP, 2, requests.LeaveGroup(group_id=group, member_id=consumer))
            await pool.balanced(worker)

    run(scenario())
    raw.close()


def test_a_worker_joins_over_tls_with_a_password(tmp_path: Path, group: str) -> None:
    authority = Authority(tmp_path)
    broker = {
        "listeners": "SASL_SSL://127.0.0.1:0",
        "ssl.keystore.location": str(authority.issue("broker").pkcs12),
        "ssl.keystore.password": PASSWORD,
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.jaas.config": f'{PLAIN} user_worker="of the worker";',
    }
    client = {
        "security.protocol": "SASL_SSL",
        "ssl.truststore.location": str(authority.certificate),
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": f'{PLAIN} username="worker" password="of the worker";',
    }

    async def scenario() -> None:
        async with Pool.of(log.bootstrap_servers, group, CONFIGS) as pool:
            first = await pool.add(props=client)
            second = await pool.add(props=client)
            stranger = await pool.add(props={**client, "sasl.jaas.config": f'{PLAIN} username="worker" password="no";'})
            await pool.shared(first, second)
            await until(lambda: "wrong user or password" in str(stranger.member.rebalancing), "it does not say why")

            assert not stranger.held

    with EmbeddedLog(settings=broker) as log:
        run(scenario())


def test_settings_are_refused_that_cannot_work() -> None:
    with pytest.raises(ConfigError, match=r"heartbeat\.interval\.ms"):
        GroupSettings(group_id="g", session_timeout_ms=3_000)
    with pytest.raises(ConfigError, match=r"bootstrap\.servers"):
        GroupMember(GroupSettings(group_id="g"), {}, "http://w", GroupWorker("w", CONFIGS))


def parsed(text: str) -> str | TaskId:
    connector, dash, number = text.rpartition("-")
    return TaskId(connector, int(number)) if dash else text
