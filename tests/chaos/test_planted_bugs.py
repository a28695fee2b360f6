"""The suite is tested itself: each planted bug is found by a history, which passes without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from chaos.checker import ViolationError
from chaos.histories import disk, offsets, processes
from chaos.stage import Stage, Tally, hosts_see

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

PLANTS = Path(__file__).parent / "plants"


@pytest.mark.parametrize(
    ("bug", "history", "finding"),
    [
        ("commit_before_acknowledgement", offsets.stalled_source_partition, "passes .* not acknowledged"),
        ("offsets_by_count", offsets.stalled_beside_acknowledged, "passes .* not acknowledged"),
        (
            "filter_not_counted",
            partial(offsets.source_killed_before_commit, kills=1),
            "everything of ledger is sent and committed",
        ),
        (
            "sink_commits_before_put",
            partial(offsets.sink_killed_before_commit, kills=1, at=("put",)),
            "records are lost",
        ),
        ("torn_tail_kept", disk.torn_by_a_kill, "cannot be read"),
        ("lease_never_checked", processes.worker_stopped, "ends with its lease"),
    ],
)
def test_a_planted_bug_is_found(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    bug: str,
    history: Callable[[Stage], None],
    finding: str,
) -> None:
    for variable, value in hosts_see(PLANTS, os.environ).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("KCONNECT_CHAOS_BUG", bug)
    stage.tally = Tally()
    with pytest.raises(ViolationError, match=finding):
        history(stage)
