"""References to fields of an envelope, as `add.fields` and `add.headers` write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kconnect.config import ConfigError
from kconnect.schema import Schema
from kconnect_transforms.debezium.envelope import required_field

_OF_TRANSACTION: Final = frozenset({"id", "data_collection_order", "total_order"})
_OF_ENVELOPE: Final = frozenset({"op", "ts_ms", "ts_us", "ts_ns"})


@dataclass(frozen=True, slots=True)
class FieldReference:
    """A field of an envelope's `struct` (None: of the envelope itself), and the name that it gets."""

    struct: str | None
    field: str
    new_name: str

    @classmethod
    def parse(cls, text: str, prefix: str, key: str) -> FieldReference:
        """`op`, `source.ts_ms`, `lsn:position`. ConfigError naming `key` for anything else."""
        path, _, new_name = text.partition(":")
        steps = path.split(".")
        if ":" in new_name or not path or not steps[-1] or not steps[0]:
            raise ConfigError(
                f"{text!r} names no field", key=key, suggestion="write field, struct.field or field:new_name"
            )
        if len(steps) == 1:
            return cls(_struct_of(path), path, prefix + (new_name or path))
        return cls(steps[0], steps[1], prefix + (new_name or f"{steps[0]}_{steps[1]}"))

    def schema(self, envelope: Schema) -> Schema | None:
        """The schema of the added field, optional and without default; None where the envelope has no such field.
        Raises DataError where it has no such struct."""
        parent = envelope
        if self.struct is not None:
            parent = required_field(envelope, self.struct, f"adding {self.new_name}").schema
        field = parent.field(self.field) or envelope.field(self.field)
        return None if field is None else field.schema.replace(optional=True, default=None)

    def value(self, envelope: Schema, value: Mapping[str, Any]) -> Any:
        """Null where the struct is."""
        parent: Any = value
        parent_schema = envelope
        if self.struct is not None:
            parent_schema = required_field(envelope, self.struct, f"adding {self.new_name}").schema
            parent = value.get(self.struct)
            if parent is None:
                return None
        return (parent if parent_schema.field(self.field) is not None else value).get(self.field)


def parse_references(texts: list[str], prefix: str, key: str) -> tuple[FieldReference, ...]:
    return tuple(FieldReference.parse(text.strip(), prefix, key) for text in texts if text.strip())


def _struct_of(field: str) -> str | None:
    """The struct that a field without one is looked for in first."""
    if field in _OF_ENVELOPE:
        return None
    if field in _OF_TRANSACTION:
        return "transaction"
    return "updateDescription" if field == "updateDescription" else "source"
