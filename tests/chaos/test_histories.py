"""Failure histories on whole workers: real processes, real kills. `make chaos SEED=…` replays a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chaos.histories import offsets
from chaos.stage import Stage

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

HISTORIES: list[Callable[[Stage], None]] = [
    offsets.source_killed_before_commit,
    offsets.sink_killed_before_commit,
    offsets.stalled_beside_acknowledged,
    offsets.stalled_source_partition,
]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_history(stage: Stage, history: Callable[[Stage], None]) -> None:
    history(stage)
