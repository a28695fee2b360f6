"""Prometheus' text format (version 0.0.4): families of samples, as lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(slots=True)
class Family:
    """A metric, with a sample for each set of labels; the name of a sample is the family's and its `suffix`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    lines: list[str] = field(default_factory=list)

    def add(self, value: float, suffix: str = "", /, **labels: object) -> None:
        """One sample; labels that may be anything, such as the ids of groups, are escaped."""
        shown = ",".join(f'{name}="{str(text).translate(_ESCAPES)}"' for name, text in labels.items())
        self.lines.append(f"{self.name}{suffix}{{{shown}}} {value}" if shown else f"{self.name}{suffix} {value}")


def render(families: list[Family]) -> bytes:
    """The families, in their order, those without samples left out."""
    lines: list[str] = []
    for family in families:
        if family.lines:
            lines += (f"# HELP {family.name} {family.about}", f"# TYPE {family.name} {family.kind}", *family.lines)
    return "\n".join([*lines, ""]).encode()
