"""The config topic as several workers see it, over a running log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from kconnect.errors import ConfigError
from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.states import TargetState, TaskId
from kconnect_workers.stores.config_records import RestartRequest, SessionKey
from kconnect_workers.stores.config_store import ConfigStore, PrivilegedWriteError
from kconnect_workers.stores.entry_log import MemoryLog
from kconnect_workers.stores.stores import Stores
from services.stage import eventually


@pytest.fixture(scope="module")
def log() -> Iterator[EmbeddedLog]:
    with EmbeddedLog() as running:
        yield running


class Heard:
    """A ConfigListener that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def on_connector_config_update(self, connector: str) -> None:
        self.events.append(("config", connector))

    def on_connector_config_remove(self, connector: str) -> None:
        self.events.append(("removed", connector))

    def on_task_config_update(self, connector: str, tasks: Sequence[TaskId]) -> None:
        self.events.append(("tasks", connector, *map(str, tasks)))

    def on_connector_target_state_change(self, connector: str) -> None:
        self.events.append(("target state", connector))

    def on_session_key_update(self, session_key: SessionKey) -> None:
        self.events.append(("session key", session_key.key))

    def on_restart_request(self, request: RestartRequest) -> None:
        self.events.append(("restart", request))

    def on_logging_level_update(self, logger: str, level: str) -> None:
        self.events.append(("level", logger, level))


@asynccontextmanager
async def opened(log: EmbeddedLog, name: str, exactly_once: str = "disabled") -> AsyncIterator[Stores]:
    config = DistributedConfig.parse(
        {
            "bootstrap.servers": log.bootstrap_servers,
            "group.id": name,
            "key.converter": "JsonConverter",
            "value.converter": "JsonConverter",
            "exactly.once.source.support": exactly_once,
            **{f"{store}.storage.topic": f"{name}-{store}" for store in ("config", "offset", "status")},
        }
    )
    stores = Stores.of_pool(config, {"bootstrap.servers": log.bootstrap_servers})
    try:
        await stores.start()
        yield stores
    finally:
        await stores.stop()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(whole())


def test_another_worker_is_told_what_is_written_in_its_order(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "told") as writer, opened(log, "told") as other:
            heard = other.configs.listener = Heard()
            configs = writer.configs
            await configs.put_target_state("c", TargetState.PAUSED)  # of no connector yet
            await configs.put_connector("c", {"name": "c"}, TargetState.STOPPED)
            await configs.put_tasks("c", [{"n": "0"}, {"n": "1"}])
            await configs.put_target_state("c", TargetState.STARTED)
            await configs.put_target_state("c", TargetState.STARTED)
            await configs.put_session_key(SessionKey(b"k", "HmacSHA256", 1))
            await configs.put_restart_request(RestartRequest("c", True, False))
            await configs.put_logger_level("root", "DEBUG")
            await configs.put_task_count("c", 2)
            await configs.remove_connector("c")
            await other.configs.refresh(30)
            assert heard.events == [
                ("config", "c"),
                ("tasks", "c", "c-0", "c-1"),
                ("target state", "c"),
                ("session key", b"k"),
                ("restart", RestartRequest("c", True, False)),
                ("level", "root", "DEBUG"),
                ("removed", "c"),
            ]
            assert other.configs.offset == configs.offset == 14
            assert other.configs.state.task_count("c") == 2
        async with opened(log, "told") as late:
            assert late.configs.offset == 14
            assert late.configs.state.session_key == SessionKey(b"k", "HmacSHA256", 1)

    run(scenario)


def test_what_is_there_when_a_store_starts_is_not_told(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "before") as writer:
            await writer.configs.put_connector("c", {"name": "c"})
        late = Heard()
        async with opened(log, "before") as stores:
            stores.configs.listener = late
            await stores.configs.refresh(30)
            assert (late.events, stores.configs.state.connectors()) == ([], ["c"])

    run(scenario)


def test_an_empty_log_has_the_offset_that_kafka_connect_gives_it() -> None:
    async def scenario() -> None:
        store = ConfigStore(MemoryLog)
        assert store.offset == -1
        await store.put_connector("c", {"name": "c"})
        assert store.offset == 1

    run(scenario)


def test_a_refresh_that_takes_too_long_is_given_up(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "slow") as stores:
            with pytest.raises(TimeoutError):
                await stores.configs.refresh(0)

    run(scenario)


def test_a_new_leader_fences_the_writes_of_the_old_one(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "led", "enabled") as old, opened(log, "led", "preparing") as new:
            with pytest.raises(PrivilegedWriteError, match="not been claimed"):
                await old.configs.put_connector("c", {"name": "c"})
            await old.configs.claim_write_privileges()
            await old.configs.put_connector("c", {"name": "c"})
            await old.configs.put_tasks("c", [{"n": "0"}])
            await new.configs.claim_write_privileges()
            with pytest.raises(PrivilegedWriteError):
                await old.configs.put_connector("c", {"name": "c", "by": "the old one"})
            await new.configs.put_connector("c", {"name": "c", "by": "the new one"})
            await old.configs.put_target_state("c", TargetState.PAUSED)  # which everybody may
            for stores in (old, new):
                await stores.configs.refresh(30)
                assert stores.configs.state.config("c") == {"name": "c", "by": "the new one"}
            assert new.configs.state.target_state("c") is TargetState.PAUSED
            await eventually(lambda: old.configs.offset == new.configs.offset, what="the same offset")
            await old.configs.claim_write_privileges()
            await old.configs.put_connector("c", {"name": "c"})

    run(scenario)


def test_a_config_that_is_too_large_costs_the_leader_nothing(log: EmbeddedLog) -> None:
    async def scenario() -> None:
        async with opened(log, "large", "enabled") as stores:
            await stores.configs.claim_write_privileges()
            with pytest.raises(ConfigError, match="more than topic large-config keeps of connector-c"):
                await stores.configs.put_connector("c", {"name": "c", "doc": 3_000_000 * "x"}, TargetState.PAUSED)
            await stores.configs.put_connector("d", {"name": "d"})
            assert stores.configs.state.connectors() == ["d"]
            assert stores.configs.state.target_state("c") is TargetState.STARTED

    run(scenario)
