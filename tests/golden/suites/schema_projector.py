"""SchemaProjector.project."""

from __future__ import annotations

from typing import Any

from golden import decode
from golden.case import Case
from kconnect.schema_projector import project


def built(case: Case) -> bool:
    return True


def run(case: Case) -> Any:
    source, target = decode.schema(case.input["source"]), decode.schema(case.input["target"])
    assert source is not None
    assert target is not None
    return project(source, decode.value(source, case.input["value"]), target)


def expected(case: Case) -> Any:
    return decode.value(decode.schema(case.input["target"]), case.output, expected=True)
