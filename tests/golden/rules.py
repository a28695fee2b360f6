"""The rules of deviations.toml: which cases are left out, and where kconnect differs on purpose."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from golden.case import Case


@dataclass(frozen=True, slots=True)
class Rule:
    """Cases of a suite, by class, operation, and patterns searched in the JSON of their config and input.

    `outcome` is what the vector ends in, `output` or `error`; `result` is searched in the JSON of that. A field
    that is None matches everything. Never case ids."""

    suite: str
    reason: str
    cls: str = "*"
    op: str | None = None
    config: str | None = None
    input: str | None = None
    outcome: str | None = None
    result: str | None = None

    def covers(self, case: Case) -> bool:
        ended = case.output if case.outputs is None else case.outputs
        return (
            case.suite == self.suite
            and fnmatchcase(case.cls, self.cls)
            and (self.op is None or fnmatchcase(case.op, self.op))
            and self.outcome in (None, "error" if case.error else "output")
            and _found(self.config, case.config)
            and _found(self.input, case.input if case.inputs is None else case.inputs)
            and _found(self.result, case.error or ended)
        )


def _found(pattern: str | None, content: Any) -> bool:
    return pattern is None or bool(re.search(pattern, json.dumps(content, separators=(",", ":"), ensure_ascii=False)))


@dataclass(frozen=True, slots=True)
class Rules:
    """`left_out` are not counted at all, `deviations` are counted and may fail."""

    left_out: Sequence[Rule]
    deviations: Sequence[Rule]


def load(path: Path) -> Rules:
    """The tables `[[left_out]]` and `[[deviation]]` of the file; `class` is the rule's `cls`."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))

    def rules(kind: str) -> list[Rule]:
        return [Rule(**{("cls" if k == "class" else k): v for k, v in t.items()}) for t in tables.get(kind, ())]

    return Rules(left_out=rules("left_out"), deviations=rules("deviation"))
