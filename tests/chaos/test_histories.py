"""Failure histories on whole workers: real processes, real kills. `make chaos SEED=…` replays a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.histories import demo, disk, offsets, processes
from chaos.stage import Stage, Tally

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

HISTORIES: list[Callable[[Stage], None]] = [
    offsets.source_killed_before_commit,
    offsets.sink_killed_before_commit,
    offsets.stalled_beside_acknowledged,
    offsets.stalled_source_partition,
    disk.file_size_limited,
    disk.torn_by_a_kill,
    processes.worker_killed,
    processes.worker_stopped,
    processes.one_process_killed,
    demo.everything_killed,
]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_history(stage: Stage, history: Callable[[Stage], None]) -> None:
    history(stage)


@pytest.mark.parametrize("kill", [False, True], ids=["alive", "killed"])
def test_full_disk(stage: Stage, tmp_path: Path, kill: bool) -> None:
    if not disk.may_mount(tmp_path / "trial"):
        assert "CI" not in os.environ, "a small file system cannot be mounted here"
        pytest.skip("a small file system cannot be mounted here")
    disk.disk_full(stage, kill=kill)


def test_most_kills_hit_work_in_flight(tally: Tally) -> None:
    assert tally.in_flight >= 0.8 * tally.kills
