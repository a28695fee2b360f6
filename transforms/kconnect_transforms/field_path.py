"""The path to a field: a plain name, or dots and backticks for nested ones (`field.syntax.version`, KIP-821)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kconnect.config import ConfigError
from kconnect.errors import DataError
from kconnect.schema import Field, Schema, Type

V1 = "V1"
V2 = "V2"


def parse_path(text: str, version: str) -> tuple[str, ...]:
    """The steps of a path, none for an empty one. With V2 dots separate steps, and a step in backticks may hold
    dots; a backslash before a backtick that would end it makes it an ordinary character. Raises ConfigError."""
    if version.upper() == V1:
        return (text,)
    if not text:
        return ()
    steps: list[str] = []
    position = 0
    while True:
        if text.startswith("`", position):
            step, position = _quoted_step(text, position)
        else:
            end = text.find(".", position)
            end = len(text) if end < 0 else end
            step, position = text[position:end], end
        steps.append(step)
        if position >= len(text):
            return tuple(steps)
        position += 1


def _quoted_step(text: str, opening: int) -> tuple[str, int]:
    """The step between backticks, and where it ends: at a dot or the end of the text. A backtick elsewhere is an
    ordinary character."""
    step, start, position = "", opening + 1, opening
    while True:
        position = text.find("`", position + 1)
        if position < 0:
            raise ConfigError(
                f"the backtick at position {opening} of {text!r} is not closed",
                suggestion="close it before a dot or at the end, or put a backslash before it",
            )
        if text[position + 1 : position + 2] in ("", "."):
            if text[position - 1] != "\\":
                return step + text[start:position], position + 1
            step += text[start : position - 1] + "`"
            start = position + 1


def field_at(schema: Schema, path: tuple[str, ...]) -> Field | None:
    """The field at the end of `path`, None where there is none."""
    field = None
    for step in path:
        if schema.type is not Type.STRUCT:
            return None
        field = schema.field(step)
        if field is None:
            return None
        schema = field.schema
    return field


def value_at(struct: Mapping[str, Any] | None, path: tuple[str, ...]) -> Any:
    """The value at the end of `path` in nested maps, None where a step is missing."""
    value: Any = struct
    for step in path:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise DataError(f"field {'.'.join(path)}: {type(value).__name__} has no field {step!r}")
        value = value.get(step)
    return value
