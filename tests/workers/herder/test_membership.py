"""A worker's place in its pool, beside a group that does what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from kconnect.errors import ConnectError, RebalanceInProgressError
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.group.assignment import Assignment, AssignmentError
from kconnect_workers.group.protocol import ConnectProtocol
from kconnect_workers.herder import membership as membership_module
from kconnect_workers.herder.herder import Herder
from kconnect_workers.herder.membership import Membership
from kconnect_workers.herder.peers import Answer, Peers, UnreachableError
from kconnect_workers.herder.pool import ElsewhereError, UnstoredError
from kconnect_workers.herder.session_keys import SessionKeys
from kconnect_workers.states import State, Status, TargetState, TaskId
from services.stage import eventually
from services.workbench import NotingRunner, Workbench

SOURCE = {"connector.class": "java.Source", "file": "a.txt", "tasks.max": "2"}
CONFIG = {
    "bootstrap.servers": "127.0.0.1:9",
    "group.id": "pool",
    "session.timeout.ms": "6000",
    "key.converter": "StringConverter",
    "value.converter": "StringConverter",
    "config.storage.topic": "configs",
    "offset.storage.topic": "offsets",
    "status.storage.topic": "statuses",
}


class Group:
    """What a GroupMember is to its worker."""

    def __init__(self) -> None:
        self.is_leader = False
        self.leader_url: str | None = "http://leader/"
        self.generation = 1
        self.protocol = ConnectProtocol.SESSIONED
        self.rebalancing: str | None = None
        self.heartbeat_age_s = 0.0
        self.urls: dict[str | TaskId, str] = {}
        self.rejoins = 0
        self.outages: list[float] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def request_rejoin(self) -> None:
        self.rejoins += 1

    def stay_out(self, seconds: float, reason: str) -> None:
        self.outages.append(seconds)

    def url_of(self, id: str | TaskId) -> str | None:
        return self.urls.get(id)


class NotingPeers(Peers):
    """Notes what the leader is asked."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.status = 204

    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        if self.status == 0:
            raise UnreachableError("gone")
        self.asked.append((method, url, headers or {}, body or b""))
        return Answer(self.status, {}, b"{}")


class Stage:
    """A herder of a pool's worker over stores in memory, which another worker might write, too."""

    def __init__(self, **settings: str) -> None:
        bench = Workbench()
        self.configs, self.statuses = bench.configs, bench.statuses
        self.stores = bench.stores
        self.environment, self.peers, self.group = NotingRunner(), NotingPeers(), Group()
        config = DistributedConfig.parse({**CONFIG, **{k.replace("_", "."): v for k, v in settings.items()}})
        self.membership = Membership(
            config,
            {"bootstrap.servers": "127.0.0.1:9"},
            worker_id="me:8083",
            url="http://me:8083/",
            configs=self.configs,
            keys=SessionKeys(self.configs, config),
            peers=self.peers,
        )
        self.membership.member = self.group  # type: ignore[assignment]  # as far as the worker asks it
        self.herder = Herder(self.membership, self.stores, {})
        self.environment.listener = self.herder.supervision

    async def start(self) -> None:
        await self.stores.start()
        await self.herder.start(self.environment)
        joining = asyncio.create_task(self.membership.join(self.herder.supervision))
        await asyncio.sleep(0)
        await self.given()
        await joining

    async def stop(self) -> None:
        await self.herder.stop()
        await self.herder.close()
        await self.membership.leave()

    async def given(
        self, *ids: str | TaskId, leader: bool = False, offset: int = -1, error: AssignmentError = AssignmentError.NONE
    ) -> None:
        """A rebalance ends, with these on top of what the worker has."""
        self.group.is_leader = leader
        self.group.generation += 1
        await self.membership.before_join()
        assignment = Assignment(
            error,
            "leader",
            "http://leader/",
            offset,
            connectors=tuple(id for id in ids if isinstance(id, str)),  # noqa: A001
            tasks=tuple(id for id in ids if isinstance(id, TaskId)),  # noqa: A001
        )
        await self.membership.on_assigned(assignment, self.group.generation)

    async def settle(self, *names: str) -> None:
        for name in names or self.herder.connectors():
            await self.herder.settled(name)
        await self.herder.supervision.flush()

    @property
    def running(self) -> set[str | TaskId]:
        return {*self.environment.connectors, *self.environment.running}


Scenario = Callable[[Stage], Awaitable[None]]


@asynccontextmanager
async def staged(**settings: str) -> Any:
    stage = Stage(**settings)
    async with asyncio.timeout(20):
        await stage.start()
        yield stage
        await stage.stop()


def run(scenario: Scenario, **settings: str) -> None:
    async def whole() -> None:
        async with staged(**settings) as stage:
            await scenario(stage)

    asyncio.run(whole())


def test_only_what_is_given_runs_here() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}, {"n": "1"}])
        await stage.settle()
        assert stage.running == set()
        await stage.given(TaskId("c", 1))
        await stage.settle()
        assert stage.running == {TaskId("c", 1)}
        await stage.given("c", TaskId("c", 0))
        await stage.settle()
        assert stage.running == {"c", TaskId("c", 0), TaskId("c", 1)}
        assert stage.environment.starts.count(TaskId("c", 1)) == 1

    run(scenario)


def test_what_is_revoked_has_stopped_when_the_group_goes_on() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}, {"n": "1"}])
        await stage.given(TaskId("c", 0), TaskId("c", 1))
        await stage.settle()
        await stage.membership.on_revoked([], [TaskId("c", 1)])
        assert stage.running == {TaskId("c", 0)}
        await stage.membership.on_lost()
        assert stage.running == set()

    run(scenario)


def test_while_the_worker_stops_what_is_revoked_is_waited_for() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.given("c")
        await stage.herder.stop()
        revoked = asyncio.create_task(stage.membership.on_revoked(["c"], []))
        done, _ = await asyncio.wait([revoked], timeout=0.1)
        assert not done
        await stage.herder.close()  # what runs has been stopped before
        await revoked

    run(scenario)


def test_what_another_worker_stores_takes_effect_here() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}])
        await stage.given(TaskId("c", 0))
        await stage.settle()
        await stage.configs.put_target_state("c", TargetState.PAUSED)
        await stage.settle()
        assert stage.herder.task_status(TaskId("c", 0)).state == "PAUSED"
        await stage.configs.put_target_state("c", TargetState.STARTED)
        await stage.configs.put_tasks("c", [{"n": "new"}])
        await stage.settle()
        assert stage.environment.running[TaskId("c", 0)][1] == {"n": "new"}
        await stage.configs.remove_connector("c")
        await eventually(lambda: stage.running == set())

    run(scenario)


def test_tasks_keep_the_config_that_they_were_configured_with_until_they_are_configured_again() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}])
        await stage.given(TaskId("c", 0))
        await stage.settle()
        await stage.configs.put_connector("c", {**SOURCE, "file": "b.txt"})
        await stage.settle()
        assert stage.environment.starts == [TaskId("c", 0)]
        await stage.configs.put_tasks("c", [{"n": "0"}])
        await stage.settle()
        assert stage.environment.running[TaskId("c", 0)][0]["file"] == "b.txt"

    run(scenario)


@pytest.mark.parametrize("leads", [True, False])
def test_task_configs_go_to_the_leader(leads: bool) -> None:
    async def scenario(stage: Stage) -> None:
        await SessionKeys(stage.configs, DistributedConfig.parse(CONFIG)).renew()
        await stage.configs.put_connector("c", SOURCE)
        await stage.given("c", leader=leads)
        await stage.settle()
        wanted = [{"file": "a.txt", "task": "0"}, {"file": "a.txt", "task": "1"}]
        if leads:
            assert [dict(config) for config in stage.configs.state.tasks("c")] == wanted
            return
        [(method, url, headers, body)] = stage.peers.asked
        assert (method, url) == ("POST", "http://leader/connectors/c/tasks?forward=false")
        assert msgspec.json.decode(body) == wanted
        stage.herder.check_signature(headers, body)

    run(scenario)


@pytest.mark.parametrize(
    ("connector", "task"),
    [
        ("org.apache.kafka.connect.file.FileStreamSinkConnector", "org.apache.kafka.connect.file.FileStreamSinkTask"),
        ("FileStreamSink", None),
        ("kconnect_file.stream_sink:FileStreamSink", None),
        ("Connector", None),
    ],
)
def test_a_task_of_a_java_name_tells_its_class_to_workers_of_the_jvm(connector: str, task: str | None) -> None:
    config = Stage().membership.task_config({"connector.class": connector}, {"file": "a.txt"})
    assert config == {"file": "a.txt", **({} if task is None else {"task.class": task})}


def test_task_configs_wait_for_a_leader_while_the_connector_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kconnect_workers.herder.supervisor._RETRY_SECONDS", 0.01)

    async def scenario(stage: Stage) -> None:
        await SessionKeys(stage.configs, DistributedConfig.parse(CONFIG)).renew()
        stage.peers.status = 0
        await stage.configs.put_connector("c", SOURCE)
        await stage.given("c")
        await stage.settle()
        assert stage.herder.status("c").connector.state == "RUNNING"
        stage.peers.status = 204
        await eventually(lambda: len(stage.peers.asked) > 0)
        stage.peers.status = 409
        with pytest.raises(UnstoredError):
            await stage.membership.put_tasks("c", [])

    run(scenario)


def test_only_the_leader_takes_changes() -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(ElsewhereError) as refused:
            await stage.herder.create("c", SOURCE)
        assert refused.value.url == "http://leader/"
        await stage.given(leader=True)
        await stage.herder.create("c", SOURCE)
        await stage.given(leader=False)
        with pytest.raises(ElsewhereError):
            await stage.herder.delete("c")

    run(scenario)


def test_a_request_in_a_rebalance_is_told_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership_module, "_PATIENCE_SECONDS", 0.1)

    async def scenario(stage: Stage) -> None:
        stage.group.rebalancing = "worker b has not joined"
        with pytest.raises(RebalanceInProgressError, match="worker b has not joined"):
            await stage.herder.create("c", SOURCE)
        stage.group.rebalancing, stage.group.leader_url = None, None
        with pytest.raises(RebalanceInProgressError, match="no leader"):
            await stage.herder.create("c", SOURCE)

    run(scenario)


def test_a_task_is_restarted_by_its_owner_whom_the_leader_knows() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}, {"n": "1"}])
        await stage.given(TaskId("c", 0))
        await stage.settle()
        await stage.herder.restart_task(TaskId("c", 0))
        await eventually(lambda: stage.environment.starts.count(TaskId("c", 0)) == 2)
        with pytest.raises(ElsewhereError) as asked:
            await stage.herder.restart_task(TaskId("c", 1))
        assert asked.value.url == "http://leader/"
        await stage.given(leader=True)
        stage.group.urls[TaskId("c", 1)] = "http://owner/"
        with pytest.raises(ElsewhereError) as asked:
            await stage.herder.restart_task(TaskId("c", 1))
        assert asked.value.url == "http://owner/"
        stage.group.urls.clear()
        with pytest.raises(RebalanceInProgressError, match="c-1"):
            await stage.herder.restart_task(TaskId("c", 1))

    run(scenario)


def test_a_restart_is_done_by_each_worker_for_what_it_runs() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}, {"n": "1"}])
        theirs = Status(id=TaskId("c", 1), state=State.FAILED, worker_id="other:8083", generation=3)
        await stage.statuses.put(theirs)
        await stage.given(TaskId("c", 0), leader=True)
        await stage.settle()
        answer = await stage.herder.restart("c", include_tasks=True, only_failed=False)
        assert [task.state for task in answer.tasks] == ["RESTARTING", "RESTARTING"]
        await eventually(lambda: stage.environment.starts.count(TaskId("c", 0)) == 2)
        await stage.settle()
        assert stage.statuses.task(TaskId("c", 1)) == theirs  # whose worker will say so

    run(scenario)


def test_the_group_rebalances_when_there_is_other_work_and_not_when_configs_change() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        assert stage.group.rejoins == 1
        await stage.given("c")
        await stage.configs.put_tasks("c", [{"n": "0"}])
        assert stage.group.rejoins == 2
        await stage.given(TaskId("c", 0))
        await stage.configs.put_connector("c", {**SOURCE, "file": "b.txt"})
        await stage.configs.put_tasks("c", [{"n": "other"}])
        await stage.configs.put_target_state("c", TargetState.PAUSED)
        assert stage.group.rejoins == 2
        await stage.configs.remove_connector("c")
        assert stage.group.rejoins == 3

    run(scenario)


def test_a_worker_that_cannot_catch_up_stays_out() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.given("c", offset=1000)
        assert stage.group.outages == [7]
        assert not stage.membership.runs("c")

    run(scenario, worker_unsync_backoff_ms="7000")


def test_nothing_is_taken_from_a_leader_that_could_not_assign() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.given("c", error=AssignmentError.CONFIG_MISMATCH)
        assert not stage.membership.runs("c")

    run(scenario)


def test_leases_are_renewed_only_while_nobody_else_can_be_given_the_work() -> None:
    async def scenario(stage: Stage) -> None:
        stage.group.heartbeat_age_s = float("inf")
        assert stage.membership.holds_lease(2)  # nothing runs that could be given to others
        await stage.given("c")
        assert not stage.membership.holds_lease(2)
        stage.group.heartbeat_age_s = 3.9
        assert stage.membership.holds_lease(2)
        stage.group.heartbeat_age_s = 4.0
        assert not stage.membership.holds_lease(2)
        await stage.membership.on_lost()
        assert stage.membership.holds_lease(2)

    run(scenario)


def test_a_status_of_a_worker_that_was_overtaken_is_not_written() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}])
        await stage.given(TaskId("c", 0))
        await stage.settle()
        theirs = Status(id=TaskId("c", 0), state=State.RUNNING, worker_id="other:8083", generation=99)
        await stage.statuses.put(theirs)
        stage.herder.supervision.on_status(TaskId("c", 0), State.UNASSIGNED)
        await stage.settle()
        assert stage.statuses.task(TaskId("c", 0)) == theirs

    run(scenario)


def test_what_ends_when_the_worker_has_lost_its_place_has_not_failed() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}])
        await stage.given(TaskId("c", 0))
        await stage.settle()
        await stage.membership.on_lost()
        stage.herder.supervision.on_status(TaskId("c", 0), State.FAILED, "its lease has run out")
        stage.herder.supervision.on_status(TaskId("c", 0), State.UNASSIGNED)
        await stage.settle()
        assert stage.herder.task_status(TaskId("c", 0)).state == "UNASSIGNED"

    run(scenario)


def test_the_leader_removes_statuses_of_what_is_gone() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE)
        await stage.configs.put_tasks("c", [{"n": "0"}])
        for id in ("c", TaskId("c", 0), TaskId("c", 1), "gone", TaskId("gone", 0)):  # noqa: A001
            await stage.statuses.put(Status(id=id, state=State.RUNNING, worker_id="dead:8083"))
        await stage.given(leader=True)
        await stage.herder.supervision.flush()
        assert stage.statuses.connectors() == ["c"]
        assert [status.id for status in stage.statuses.tasks("c")] == [TaskId("c", 0)]
        assert stage.statuses.tasks("gone") == []

    run(scenario)


def test_offsets_wait_for_tasks_of_other_workers_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kconnect_workers.herder.herder._STOPPING_SECONDS", 0.1)

    async def scenario(stage: Stage) -> None:
        await stage.configs.put_connector("c", SOURCE, TargetState.STOPPED)
        await stage.given("c", leader=True)
        await stage.settle()
        await stage.statuses.put(Status(id=TaskId("c", 0), state=State.RUNNING, worker_id="other:8083"))
        with pytest.raises(ConnectError, match="c-0 on other:8083"):
            async with stage.herder.while_stopped("c"):
                pytest.fail("its task runs")
        await stage.statuses.remove_tasks(TaskId("c", 0))
        async with stage.herder.while_stopped("c"):
            pass

    run(scenario)


def test_a_leader_that_joins_makes_a_session_key() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.given(leader=True)
        await eventually(lambda: stage.configs.state.session_key is not None)

    run(scenario)
