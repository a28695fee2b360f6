"""Names made such that Avro takes them (`field.name.adjustment.mode`, `schema.name.adjustment.mode`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_]")
_NOT_IN_FULL_NAME: Final = re.compile(r"[^A-Za-z0-9_.]")
_NOT_IN_UNICODE_NAME: Final = re.compile(r"[^A-Za-z0-9]")
_NOT_IN_UNICODE_FULL_NAME: Final = re.compile(r"[^A-Za-z0-9.]")


def _plain(invalid: re.Pattern[str]) -> Callable[[str], str]:
    def adjust(name: str) -> str:
        adjusted = invalid.sub("_", name)
        return f"_{adjusted}" if adjusted[:1].isdigit() else adjusted

    return adjust


def _escaped(invalid: re.Pattern[str]) -> Callable[[str], str]:
    def escape(match: re.Match[str]) -> str:
        units = match[0].encode("utf-16-be")
        return "".join(f"_u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

    def adjust(name: str) -> str:
        first = escape(match) if (match := re.match(r"[0-9]", name)) else ""
        return first + invalid.sub(escape, name[1:] if first else name)

    return adjust


def _unchanged(name: str) -> str:
    return name


FIELD_NAMES: Final[dict[str, Callable[[str], str]]] = {
    "none": _unchanged,
    "avro": _plain(_NOT_IN_NAME),
    "avro_unicode": _escaped(_NOT_IN_UNICODE_NAME),
}
"""How a field's name is adjusted, by mode: not at all; what Avro refuses becomes an underscore; or its code."""

SCHEMA_NAMES: Final[dict[str, Callable[[str], str]]] = {
    "none": _unchanged,
    "avro": _plain(_NOT_IN_FULL_NAME),
    "avro_unicode": _escaped(_NOT_IN_UNICODE_FULL_NAME),
}
"""The same of a schema's full name, whose dots stay."""
