"""A history's stage: its folder, its dice, its worker, and the tally of its kills."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from chaos.checker import Verdict
from chaos.worker import ChaosWorker, chaos_worker

__all__ = ["Stage", "Tally", "hosts_see"]

FLUSH_MS = 200
_HERE = Path(__file__).parent


@dataclass
class Tally:
    """Kills and what they hit, over a whole run."""

    kills: int = 0
    in_flight: int = 0
    arrived: int = 0
    duplicates: int = 0

    def killed(self, *, in_flight: bool) -> None:
        self.kills += 1
        self.in_flight += in_flight

    def compared(self, verdict: Verdict) -> None:
        self.arrived += verdict.arrived
        self.duplicates += verdict.duplicates


@dataclass
class Stage:
    folder: Path
    random: Random
    tally: Tally = field(default_factory=Tally)

    @contextmanager
    def worker(
        self, connectors: Sequence[Mapping[str, Any]] = (), props: Mapping[str, str] | None = None
    ) -> Iterator[ChaosWorker]:
        """A worker over the stage's folder, with offsets committed often, which leaves it to the history to start
        failed tasks again. What still runs is ended."""
        settings = {"offset.flush.interval.ms": str(FLUSH_MS), "errors.restart.enable": "false", **(props or {})}
        with chaos_worker(self.folder / "worker", settings, connectors) as worker:
            yield worker


def hosts_see(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which processes find the suite's plugins, and `sitecustomize` in `folder`."""
    found = [str(folder), str(_HERE / "plugins"), environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(part for part in found if part)}
