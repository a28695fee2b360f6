"""The entry points of this environment, read once: by the zygote, so that what it forks need not. They are data about
plugins and none of their code."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kconnect.plugins import ENTRY_POINT_GROUP

CORE = "kconnect"
"""The distribution whose own plugins are loaded ahead."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Of a distribution's metadata, what discovery asks for."""

    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KnownEntryPoint:
    """A `PluginSource`."""

    name: str
    dist: Distribution | None
    entry_point: importlib.metadata.EntryPoint

    def load(self) -> Any:
        return self.entry_point.load()


@functools.cache
def known_entry_points() -> tuple[KnownEntryPoint, ...]:
    """Those of kconnect's group."""
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return tuple(KnownEntryPoint(e.name, _distribution(e.dist), e) for e in found)


def load_core() -> None:
    """Import what the core's own entry points name."""
    for entry_point in known_entry_points():
        if entry_point.dist is not None and entry_point.dist.metadata["Name"] == CORE:
            entry_point.load()


def _distribution(dist: importlib.metadata.Distribution | None) -> Distribution | None:
    if dist is None:
        return None
    metadata = dist.metadata  # parsed anew each time it is asked for
    return Distribution({name: metadata[name] for name in ("Name", "Version")})
