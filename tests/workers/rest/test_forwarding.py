"""Requests that a worker of a pool passes on, between a worker that does not lead and one that does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from kconnect.errors import RebalanceInProgressError
from kconnect_workers.config.worker_config import StandaloneConfig
from kconnect_workers.herder.herder import Herder
from kconnect_workers.herder.offset_admin import OffsetAdmin
from kconnect_workers.herder.peers import Peers
from kconnect_workers.herder.pool import Alone, ElsewhereError
from kconnect_workers.rest.access import AdminToken
from kconnect_workers.rest.app import create_app
from kconnect_workers.rest.endpoint import RestEndpoint
from kconnect_workers.states import TargetState, TaskId
from kconnect_workers.stores.sink_groups import SinkGroups
from services.processes import free_ports
from services.workbench import NotingRunner, Workbench

SOURCE = {"connector.class": "java.Source", "file": "a.txt"}
ADDRESS = "http://127.0.0.1:0"


@dataclass(frozen=True)
class Follower(Alone):
    """Of a pool whose leader listens at `leader_url`; None: there is none."""

    leader_url: str | None = None

    async def expect_leader(self) -> None:
        if self.leader_url is None:
            raise RebalanceInProgressError("the pool is in a rebalance: worker b has not joined; ask again soon")
        raise ElsewhereError("another worker leads the pool", self.leader_url)

    async def expect_owner(self, id: str | TaskId) -> None:
        await self.expect_leader()


class Slow(Alone):
    """A leader whose config topic takes no writes."""

    async def expect_leader(self) -> None:
        await asyncio.Event().wait()


class Serving:
    """Two workers on the same stores."""

    def __init__(self, folder: Path) -> None:
        self.bench = Workbench()
        self._folder = folder
        self._stack = AsyncExitStack()

    async def app(self, pool: Alone, **options: Any) -> Any:
        runner = NotingRunner()
        herder = Herder(pool, self.bench.stores, {})
        runner.listener = herder.supervision
        await herder.start(runner)
        peers = Peers(5)
        self._stack.push_async_callback(peers.close)
        self._stack.push_async_callback(herder.stop)
        groups = SinkGroups({"bootstrap.servers": "127.0.0.1:9"})  # nothing here asks it
        offsets = OffsetAdmin(herder, runner, self.bench.stores.offsets, groups)
        token = AdminToken(self._folder / "admin.token")
        return create_app(herder, runner, offsets=offsets, admin_token=token, peers=peers, **options)

    async def leader(self) -> str:
        """The URL of one that leads, and serves."""
        props = {"listeners": ADDRESS, "key.converter": "StringConverter", "value.converter": "StringConverter"}
        endpoint = RestEndpoint(StandaloneConfig.parse(props))
        endpoint.serve(await self.app(Alone(endpoint.worker_id, self.bench.configs)))
        self._stack.callback(endpoint.close)
        self._stack.push_async_callback(endpoint.stop)
        return endpoint.advertised_url

    async def client(self, pool: Alone, **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(await self.app(pool, **options), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://follower:8083")
        return await self._stack.enter_async_context(client)

    async def follower(self, leader_url: str | None) -> httpx.AsyncClient:
        return await self.client(Follower("follower:8083", self.bench.configs, leader_url=leader_url), hosts=["*"])

    async def __aenter__(self) -> Serving:
        await self.bench.stores.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


Scenario = Callable[[Serving], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Scenario], None]:
    def run(scenario: Scenario) -> None:
        async def whole() -> None:
            async with asyncio.timeout(20), Serving(tmp_path) as serving:
                await scenario(serving)

        asyncio.run(whole())

    return run


def test_a_change_is_made_by_the_leader_and_answered_as_if_here(run: Any) -> None:
    async def scenario(serving: Serving) -> None:
        client = await serving.follower(await serving.leader())
        created = await client.post("/connectors", json={"name": "a/b ü", "config": SOURCE})
        assert created.status_code == 201
        assert created.headers["location"] == "http://follower:8083/connectors/a%2Fb%20%C3%BC"
        assert (await client.get("/connectors")).json() == ["a/b ü"]
        deleted = await client.delete("/connectors/a%2Fb%20%C3%BC")
        assert (deleted.status_code, deleted.content) == (204, b"")

    run(scenario)


def test_what_the_leader_refuses_is_refused_in_its_words(run: Any) -> None:
    async def scenario(serving: Serving) -> None:
        client = await serving.follower(await serving.leader())
        refused = await client.put("/connectors/c/config", json={"connector.class": "java.Source"})
        assert (refused.status_code, refused.json()["error_code"]) == (400, 400)
        assert "file is missing" in refused.json()["message"]

    run(scenario)


@pytest.mark.parametrize(
    ("asked", "status"), [("", 202), ("?forward=true", 202), ("?forward=TRUE", 202), ("?forward=false", 409)]
)
def test_a_request_is_passed_on_unless_it_has_been_often_enough(run: Any, asked: str, status: int) -> None:
    async def scenario(serving: Serving) -> None:
        client = await serving.follower(await serving.leader())
        await serving.bench.configs.put_connector("c", SOURCE)
        assert (await client.put(f"/connectors/c/pause{asked}")).status_code == status

    run(scenario)


def test_two_workers_that_take_each_other_for_the_leader_soon_stop_asking(run: Any) -> None:
    async def scenario(serving: Serving) -> None:
        [port] = free_ports(1)
        own = f"http://127.0.0.1:{port}/"
        pool = Follower("f", serving.bench.configs, leader_url=own)
        props = {"listeners": own[:-1], "key.converter": "StringConverter", "value.converter": "StringConverter"}
        endpoint = RestEndpoint(StandaloneConfig.parse(props))
        endpoint.serve(await serving.app(pool))
        async with httpx.AsyncClient() as client:
            answer = await client.put(f"{own}connectors/c/pause")
        await endpoint.stop()
        endpoint.close()
        assert answer.status_code == 409
        assert "a rebalance has just moved it" in answer.json()["message"]

    run(scenario)


def test_a_task_is_restarted_by_its_owner(run: Any) -> None:
    async def scenario(serving: Serving) -> None:
        client = await serving.follower(await serving.leader())
        await serving.bench.configs.put_connector("c", SOURCE)
        await serving.bench.configs.put_tasks("c", [{}])
        assert (await client.post("/connectors/c/tasks/0/restart")).status_code == 204
        assert (await client.post("/connectors/c/tasks/7/restart")).status_code == 404

    run(scenario)


@pytest.mark.parametrize(
    ("leader", "status", "told"),
    [(None, 409, "worker b has not joined"), ("http://127.0.0.1:9/", 503, "127.0.0.1:9")],
)
def test_a_leader_that_is_not_there_is_told_of(run: Any, leader: str | None, status: int, told: str) -> None:
    async def scenario(serving: Serving) -> None:
        client = await serving.follower(leader)
        answer = await client.post("/connectors", json={"name": "c", "config": SOURCE})
        assert (answer.status_code, answer.json()["error_code"]) == (status, status)
        assert told in answer.json()["message"]

    run(scenario)


def test_a_leader_that_breaks_off_may_have_done_it(run: Any) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def scenario(serving: Serving) -> None:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            client = await serving.follower(f"http://{host}:{port}/")
            answer = await client.put("/connectors/c/pause")
        assert answer.status_code == 500
        assert "what was asked may be done: look before you ask again" in answer.json()["message"]

    run(scenario)


def test_a_request_that_takes_too_long_says_what_it_was_at(run: Any) -> None:
    async def scenario(serving: Serving) -> None:
        client = await serving.client(Slow("slow:8083", serving.bench.configs), request_timeout_s=0.1, hosts=["*"])
        answer = await client.put("/connectors/c/pause")
        assert answer.status_code == 500
        assert "Request timed out" in answer.json()["message"]
        assert "may still be done" in answer.json()["message"]
        assert "looking for the leader of the pool (since 2" in answer.json()["message"]

    run(scenario)


@pytest.mark.parametrize(("body", "status"), [(b'[{"a": "b"}]', 204), (b"{}", 400), (b"[", 400), (b'[{"a": 1}]', 400)])
def test_task_configs_are_taken_from_workers_of_the_pool(run: Any, body: bytes, status: int) -> None:
    @dataclass(frozen=True)
    class Trusting(Alone):
        def check_signature(self, headers: Mapping[str, str], body: bytes) -> None: ...

    async def scenario(serving: Serving) -> None:
        client = await serving.client(Trusting("me:8083", serving.bench.configs), hosts=["*"])
        await serving.bench.configs.put_connector("c", SOURCE, TargetState.PAUSED)
        answer = await client.post("/connectors/c/tasks", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status
        stored: Sequence[Mapping[str, str]] = serving.bench.configs.state.tasks("c")
        assert [dict(config) for config in stored] == (json.loads(body) if status == 204 else [])
        missing = await client.post("/connectors/none/tasks", json=[])
        assert missing.status_code == 404

    run(scenario)


def test_a_standalone_worker_takes_no_requests_of_other_workers(run: Any) -> None:
    async def scenario(serving: Serving) -> None:
        client = await serving.client(Alone("me:8083", serving.bench.configs), hosts=["*"])
        assert (await client.post("/connectors/c/tasks", json=[])).status_code == 403
        assert (await client.put("/connectors/c/fence")).status_code == 403

    run(scenario)
