"""The worker that the transcripts are replayed on, and their counts in the terminal summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.pool import running_pool
from services.worker import RunningWorker, running_worker

counts_key = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[counts_key] = Counter()


@pytest.fixture(scope="module", params=["standalone", "distributed"])
def mode(request: pytest.FixtureRequest) -> str:
    """Of the worker that the exchanges are replayed on; they were recorded on a distributed one."""
    return str(request.param)


@pytest.fixture(scope="module")
def recorded_data(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the recording had under /data: a source of ten lines."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "src-1795357587.txt").write_text("".join(f"line {number}\n" for number in range(10)))
    return folder


@pytest.fixture(scope="module")
def replay_worker(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    json_converter = "org.apache.kafka.connect.json.JsonConverter"
    props = {
        "key.converter": json_converter,
        "value.converter": json_converter,
        "errors.restart.enable": "false",
        "rest.show.passwords": "true",
    }
    folder = tmp_path_factory.mktemp("worker")
    if mode == "standalone":
        with running_worker(folder, props) as worker:
            yield worker
    else:
        as_recorded = {"exactly.once.source.support": "disabled", "offset.flush.interval.ms": "60000"}
        with running_pool(folder, {**props, **as_recorded}) as pool:
            yield pool.add("worker")[0]


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Counter[str]:
    return request.config.stash[counts_key]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash.get(counts_key, Counter())
    if counts:
        terminalreporter.section("REST transcripts")
        told = {key: number for key, number in counts.items() if key not in ("replayed", "as recorded")}
        terminalreporter.write_line(f"as recorded {counts['as recorded']}/{counts['replayed']}")
        for key, number in told.items():
            terminalreporter.write_line(f"{key} {number}")
