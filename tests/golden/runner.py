"""Runs the vectors of a suite through its adapter and counts.

An adapter is the module `golden.suites.<suite>` with two or three functions:

    built(case) -> bool      False while kconnect has no such class: the case is left out
    run(case) -> object      what kconnect makes of the input; sets `case.stage` as it goes on; ConnectErrors rise
    expected(case) -> object the vector's output in the same form (absent: as it stands in the file)

Values come from `golden.decode`, which raises LeftOutError for what Python values cannot say.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from golden import case as vectors
from golden.case import Case, LeftOutError
from golden.compare import same
from golden.rules import Rules
from kconnect.errors import ConfigError, ConnectError, DataError, RetriableError

CONFIGURING = frozenset({"configure", "define"})


@dataclass(slots=True)
class Report:
    """The counts of one suite. `total` holds what ran, deviations included; `left_out` counts per rule."""

    suite: str
    total: int = 0
    passed: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    deviations: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        parts = [f"{self.suite} {self.passed}/{self.total}"]
        if self.deviations:
            parts.append(f"deviations {self.deviations.total()}")
        if self.left_out:
            parts.append(f"left out {self.left_out.total()}")
        return "  ".join(parts)

    def details(self) -> list[str]:
        return [
            f"    {kind} {count}: {rule}"
            for kind, counts in (("deviation", self.deviations), ("left out", self.left_out))
            for rule, count in counts.most_common()
        ]


def run_suite(path: Path, rules: Rules) -> Report:
    """Every case of the file `path`, named after its suite."""
    report = Report(path.stem)
    adapter = _adapter(path.stem)
    for case in vectors.load(path):
        rule = next((r for r in rules.left_out if r.covers(case)), None)
        if rule is not None:
            report.left_out[rule.reason] += 1
            continue
        if adapter is None or not adapter.built(case):
            report.left_out["not built yet"] += 1
            continue
        try:
            complaint = _complaint(adapter, case)
        except LeftOutError as left_out:
            report.left_out[str(left_out)] += 1
            continue
        report.total += 1
        if complaint is None:
            report.passed += 1
            continue
        deviation = next((r for r in rules.deviations if r.covers(case)), None)
        if deviation is not None:
            report.deviations[deviation.reason] += 1
        else:
            report.failures[case.id] = complaint
    return report


def _adapter(suite: str) -> ModuleType | None:
    name = f"golden.suites.{suite}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


def _complaint(adapter: ModuleType, case: Case) -> str | None:
    """What is wrong with our answer; None when it is right."""
    with _deep_stack():
        expected = None if case.error is not None else _expected(adapter, case)
    try:
        ours = adapter.run(case)
    except LeftOutError:
        raise
    except ConnectError as error:
        return _compare_error(case, error)
    except Exception:
        return f"{case.note}: not a ConnectError\n{traceback.format_exc(limit=-4)}"
    if case.error is not None:
        return f"{case.note}: {ours!r} instead of {case.error['class']}: {case.error['message']}"
    with _deep_stack():
        return None if same(expected, ours) else f"{case.note}: {ours!r} instead of {expected!r}"


@contextmanager
def _deep_stack() -> Iterator[None]:
    """Room to decode and compare what is nested a thousand deep. kconnect itself runs without it."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _expected(adapter: ModuleType, case: Case) -> Any:
    decode = getattr(adapter, "expected", None)
    if decode is not None:
        return decode(case)
    return case.output if case.outputs is None else case.outputs


def _compare_error(case: Case, error: ConnectError) -> str | None:
    found = f"{type(error).__name__} in {case.stage}: {error}"
    if case.error is None:
        return f"{case.note}: {found}, instead of an output"
    kafka = case.error
    if case.stage != kafka["stage"] or not isinstance(error, _consequence(kafka)):
        return f"{case.note}: {found}, instead of {kafka['class']} in {kafka['stage']}: {kafka['message']}"
    return None


def _consequence(kafka: dict[str, Any]) -> type[ConnectError] | tuple[type[ConnectError], ...]:
    """The branch of our error tree that has the consequence of Kafka's error.

    What escapes the JVM (NullPointerException …) from a converter or transform counts there as a bad record."""
    if kafka["stage"] in CONFIGURING or kafka["class"] == "ConfigException":
        return ConfigError
    if kafka["class"] == "RetriableException":
        return RetriableError
    if kafka["class"] in ("ConnectException", "DebeziumException"):
        return (DataError, ConfigError, ConnectError)
    return DataError
