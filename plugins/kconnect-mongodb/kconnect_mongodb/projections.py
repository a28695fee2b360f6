"""Fields that are kept or removed, by lists of paths with wildcards, as mongo-kafka's projectors do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import product
from typing import Any

from kconnect_mongodb.client import Document

Projection = Callable[[Document], None]
"""Changes the document in place."""

ALLOW = ("allowlist", "whitelist")
BLOCK = ("blocklist", "blacklist")
TYPES = ("none", *ALLOW, *BLOCK)


def projection_of(kind: str, paths: str) -> Projection | None:
    """None for the kind `none`. `paths` are separated by commas."""
    fields = [path for path in (each.strip() for each in paths.split(",")) if path]
    if kind.lower() in ALLOW:
        return allowing(fields)
    return blocking(fields) if kind.lower() in BLOCK else None


def allowing(paths: Iterable[str]) -> Projection:
    """`*` stands for one name within a path, `**` at its end for all below; a name that ends with `*` for its like."""
    allowed = set(paths)
    for path in list(allowed):  # what leads to a field stays
        steps = path.split(".")
        allowed.update(".".join(steps[:length]) for length in range(1, len(steps)))
    prefixes = tuple(each[:-1] for each in allowed if "." not in each and each.endswith("*") and each.strip("*"))

    @lru_cache(maxsize=10_000)
    def is_allowed(path: str) -> bool:
        if path in allowed or (prefixes and path.startswith(prefixes)):
            return True
        return any(".".join(steps) in allowed for steps in product(*((step, "*") for step in path.split("."))))

    def project(document: Document, above: str = "") -> None:
        for name in list(document):
            path = f"{above}{name}"
            if not is_allowed(path):
                del document[name]
            elif f"{path}.**" not in allowed:
                for below in _documents(document[name]):
                    project(below, f"{path}.")

    return (lambda _: None) if "**" in allowed else project


def blocking(paths: Iterable[str]) -> Projection:
    steps_of = [path.split(".") for path in dict.fromkeys(paths)]

    def project(document: Document) -> None:
        for steps in steps_of:
            _remove(document, steps)

    return project


def _remove(document: Document, steps: list[str]) -> None:
    name, below = steps[0], steps[1:]
    if name == "**":
        document.clear()
    elif name == "*":
        for found in list(document):
            if not isinstance(document[found], dict):
                del document[found]
            elif below:
                _remove(document[found], below)
    elif below:
        for nested in _documents(document.get(name)):
            _remove(nested, below)
    elif name.endswith("*"):
        for found in [each for each in document if each.startswith(name[:-1])]:
            del document[found]
    else:
        document.pop(name, None)


def _documents(value: Any) -> list[Document]:
    """What to go on with: a document, or those of an array."""
    if isinstance(value, dict):
        return [value]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
