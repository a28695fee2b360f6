"""What Kafka's messages consist of: messages.jsonl, one line per message, each parsed when asked for."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

TABLES = Path(__file__).with_name("messages.jsonl")
LATEST = 0x7FFF

FIXED_FORMATS = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "float64": "d",
    "uuid": "16s",
}
"""The `struct` format of each type of fixed size."""

_ZEROS: dict[str, Any] = {
    "bool": False,
    "float64": 0.0,
    "string": "",
    "bytes": b"",
    "uuid": bytes(16),
    "records": None,
}


class Versions(NamedTuple):
    """An inclusive range of versions, written as Kafka writes it: `3`, `3-12`, `3+` or `none`."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> "Versions":
        if text == "none":
            return cls(1, 0)
        first, dash, last = text.rstrip("+").partition("-")
        if text.endswith("+"):
            return cls(int(first), LATEST)
        return cls(int(first), int(last if dash else first))

    def covers(self, version: int) -> bool:
        return self.first <= version <= self.last


class FieldDefinition(msgspec.Struct, frozen=True, gc=False):
    """A field of a struct; `type` is a wire type, a struct's name, or either with `[]` before it."""

    name: str
    type: str
    versions: str
    nullable: str = "none"
    tagged: str = "none"
    tag: int | None = None
    ignorable: bool = False
    default: bool | int | float | str | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def is_array(self) -> bool:
        return self.type.startswith("[]")

    @property
    def element(self) -> str:
        """The type of one element of an array, of the value itself otherwise."""
        return self.type.removeprefix("[]")

    @property
    def is_struct(self) -> bool:
        return self.element not in FIXED_FORMATS and self.element not in _ZEROS

    @property
    def zero(self) -> Any:
        """The value where a version leaves the field out; arrays and structs have none of their own."""
        return _ZEROS.get(self.type, 0) if self.default is msgspec.UNSET else self.default

    @property
    def may_be_none(self) -> bool:
        return self.nullable != "none" or self.default is None or self.type == "records"

    def exists_in(self, version: int) -> bool:
        return Versions.parse(self.versions).covers(version)

    def nullable_in(self, version: int) -> bool:
        return Versions.parse(self.nullable).covers(version)

    def tagged_in(self, version: int) -> bool:
        return Versions.parse(self.tagged).covers(version)


class MessageDefinition(msgspec.Struct, frozen=True, gc=False):
    """One message in all its versions; in `structs` inner ones come first and the message itself last."""

    name: str
    versions: str
    structs: dict[str, list[FieldDefinition]]
    key: int = -1
    flexible: str = "none"
    prefixed_by_key: bool = False

    @property
    def short_name(self) -> str:
        return self.name.partition(".")[2]

    def flexible_in(self, version: int) -> bool:
        return Versions.parse(self.flexible).covers(version)


@cache
def definition(module: str, name: str) -> MessageDefinition:
    """The definition of a message of `requests`, `responses` or `payloads`.

    Raises KeyError when there is none.
    """
    return msgspec.json.decode(_lines()[f"{module}.{name}"], type=MessageDefinition)


@cache
def api_names() -> dict[int, str]:
    """The name of each API, by its key."""
    return {definition("requests", name).key: name for name in names("requests")}


def names(module: str) -> list[str]:
    """The messages of a module, in the order of their API keys."""
    prefix = module + "."
    return [name.removeprefix(prefix) for name in _lines() if name.startswith(prefix)]


@cache
def _lines() -> dict[str, str]:
    lines = TABLES.read_text(encoding="ascii").splitlines()
    return {line.split('"', 4)[3]: line for line in lines}
