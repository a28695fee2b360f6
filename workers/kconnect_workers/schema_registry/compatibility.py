"""The levels of compatibility, and which versions a new schema is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kconnect_workers.schema_registry.formats import ParsedSchema

LEVELS: Final = (
    *("NONE", "BACKWARD", "FORWARD", "FULL"),
    *("BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE"),
)


def faults(level: str, new: ParsedSchema, versions: Sequence[tuple[int, ParsedSchema]]) -> list[str]:
    """Why `new` may not follow `versions`, the oldest first; nothing if it may."""
    direction = level.removesuffix("_TRANSITIVE")
    if direction == "NONE" or not versions:
        return []
    found = []
    for number, old in versions if direction != level else versions[-1:]:
        if type(old) is not type(new):
            found.append(f"version {number} is of another format")
            continue
        if direction in ("BACKWARD", "FULL"):
            found += [f"data of version {number} could not be read: {each}" for each in new.unreadable(old)]
        if direction in ("FORWARD", "FULL"):
            found += [f"version {number} could not read the new data: {each}" for each in old.unreadable(new)]
    return found
