"""All cases by name."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.cases import broker, files, recovery, rows, start

__all__ = ["CASES"]

CASES: dict[str, Case] = {case.name: case for module in (broker, recovery, start, files, rows) for case in module.CASES}
