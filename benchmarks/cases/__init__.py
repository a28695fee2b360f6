"""All cases by name."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.cases import broker

__all__ = ["CASES"]

CASES: dict[str, Case] = {case.name: case for case in broker.CASES}
