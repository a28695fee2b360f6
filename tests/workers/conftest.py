"""Environments of real processes on a real log, with connectors of all manners; and a herder without any."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kconnect_workers.runtime.environment import Environment, EnvironmentSettings, OffsetBackend
from services.processes import ServiceProcess
from services.stage import Kafka, MakeEnvironment, Statuses
from services.workbench import Workbench

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture(scope="session")
def log_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded log."""
    folder = tmp_path_factory.mktemp("log")
    command = [
        sys.executable,
        "-m",
        "kconnect.log",
        "--listeners",
        "PLAINTEXT://127.0.0.1:0",
        "--data",
        folder / "data",
    ]
    with ServiceProcess("log", command, log=folder / "output") as service:
        service.wait_until(lambda: "ready" in service.output())
        ready = next(line for line in service.output().splitlines() if "ready" in line)
        yield ready.partition("PLAINTEXT://")[2].split()[0]


@pytest.fixture
def kafka(log_address: str) -> Kafka:
    return Kafka(log_address)


@pytest.fixture
def statuses() -> Statuses:
    return Statuses()


@pytest.fixture
def environment(
    log_address: str, tmp_path: Path, statuses: Statuses, monkeypatch: pytest.MonkeyPatch
) -> MakeEnvironment:
    """Makes environments whose processes see the test's plugins."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGINS), os.environ.get("PYTHONPATH", "")]))

    @contextlib.asynccontextmanager
    async def make(
        worker_props: dict[str, str] | None = None, offsets: OffsetBackend | None = None, **settings: float
    ) -> AsyncIterator[Environment]:
        props = {
            "bootstrap.servers": log_address,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "offset.storage.topic": f"offsets-{tmp_path.name}",
            "offset.flush.interval.ms": "200",
            **(worker_props or {}),
        }
        made = Environment(
            props, statuses, folder=tmp_path / "processes", settings=EnvironmentSettings(**settings), offsets=offsets
        )
        await made.start()
        try:
            yield made
        finally:
            await made.stop()

    return make


@pytest.fixture
def workbench() -> Workbench:
    return Workbench()
