"""The runner itself: what it calls equal, what it counts how."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from golden.compare import same
from golden.decode import Float32
from golden.rules import Rule, Rules
from golden.runner import run_suite

NO_RULES = Rules(left_out=[], deviations=[])


@pytest.mark.parametrize(
    ("expected", "ours"),
    [
        (1, 1),
        (float("nan"), float("nan")),
        (Float32(0.1), 0.1),
        (Float32(0.10000000149011612), 0.1),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([1, (2,)], (1, [2])),
        (b"x", bytearray(b"x")),
        (Decimal("1.50"), Decimal("1.50")),
        (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_same(expected: Any, ours: Any) -> None:
    assert same(expected, ours)


@pytest.mark.parametrize(
    ("expected", "ours"),
    [
        (1, True),
        (1, 1.0),
        (1.0, 1),
        (0.0, -0.0),
        (0.1, Float32(0.10000000149011612)),
        (Float32(0.1), 0.2),
        (Decimal("1.50"), Decimal("1.5")),
        ({"a": 1}, {"a": 1, "b": None}),
        ({1: "a"}, {True: "a"}),
        ({"a": None}, {"b": None}),
        ([1, 2], [2, 1]),
        (None, 0),
        ("x", b"x"),
    ],
)
def test_not_the_same(expected: Any, ours: Any) -> None:
    assert not same(expected, ours)


def write_suite(folder: Path, name: str, *cases: dict[str, Any]) -> Path:
    path = folder / f"{name}.jsonl"
    lines = [json.dumps({"id": f"{name}/{i}", "suite": name, "class": "C", **case}) for i, case in enumerate(cases)]
    path.write_text("\n".join(lines))
    return path


def projection(value: Any, **result: Any) -> dict[str, Any]:
    int32 = {"type": "int32", "optional": False}
    return {"op": "project", "input": {"source": int32, "value": value, "target": int32}, **result}


ERROR = {"class": "SchemaProjectorException", "message": "no", "stage": "run"}


def test_cases_are_counted_as_they_end(tmp_path: Path) -> None:
    path = write_suite(
        tmp_path,
        "schema_projector",
        projection(1, output=1),
        projection(1, output=2),
        projection(1, error=ERROR),
        projection({"$bigint": "1"}, output=1),
    )
    report = run_suite(path, NO_RULES)
    assert (report.passed, report.total) == (1, 3)
    assert list(report.failures) == ["schema_projector/1", "schema_projector/2"]
    assert report.left_out == {"BigInteger against int": 1}


def test_a_rule_takes_cases_out_or_forgives_them(tmp_path: Path) -> None:
    path = write_suite(tmp_path, "schema_projector", projection(1, output=2), projection(3, output=4))
    rules = Rules(
        left_out=[Rule(suite="schema_projector", reason="out", input='"value":1')],
        deviations=[Rule(suite="schema_projector", reason="on purpose", outcome="output", result="4")],
    )
    report = run_suite(path, rules)
    assert (report.passed, report.total, report.failures) == (0, 1, {})
    assert report.left_out == {"out": 1}
    assert report.deviations == {"on purpose": 1}


def test_a_suite_that_nobody_knows_is_left_out(tmp_path: Path) -> None:
    report = run_suite(write_suite(tmp_path, "unheard_of", projection(1, output=1)), NO_RULES)
    assert report.line() == "unheard_of 0/0  left out 1"


def test_an_error_that_is_none_of_ours_is_a_failure(tmp_path: Path) -> None:
    source = {"type": "array", "optional": False, "values": None}
    target = {**source, "doc": "other"}
    case = {"op": "project", "input": {"source": source, "value": 5, "target": target}, "error": ERROR}
    report = run_suite(write_suite(tmp_path, "schema_projector", case), NO_RULES)
    assert "TypeError" in report.failures["schema_projector/0"]
