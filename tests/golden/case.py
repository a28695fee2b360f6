"""One golden vector: what Kafka's own class made of an input."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class LeftOutError(Exception):
    """The case says something that plain Python values cannot say; the argument names the rule."""


@dataclass(slots=True)
class Case:
    """A vector as its line has it; `op` is empty where a suite has one operation only.

    `output` and `outputs` are None beside an `error`.

    `stage` is for the adapter to keep: the step it is in (configure, apply, convert …), so that an error raised
    there is known to be of that stage. It starts as `run`."""

    id: str
    suite: str
    cls: str
    note: str
    op: str
    config: dict[str, Any]
    input: Any
    inputs: list[Any] | None
    output: Any
    outputs: list[Any] | None
    error: dict[str, Any] | None
    raw: dict[str, Any]
    stage: str = field(default="run")

    @property
    def is_key(self) -> bool:
        return bool(self.raw.get("isKey", False))


def parse(line: str) -> Case:
    raw = json.loads(line)
    return Case(
        id=raw["id"],
        suite=raw["suite"],
        cls=raw["class"],
        note=raw.get("note", ""),
        op=raw.get("op", ""),
        config=raw.get("config") or {},
        input=raw.get("input"),
        inputs=raw.get("inputs"),
        output=raw.get("output"),
        outputs=raw.get("outputs"),
        error=raw.get("error"),
        raw=raw,
    )


def load(path: Path) -> Iterator[Case]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield parse(line)
