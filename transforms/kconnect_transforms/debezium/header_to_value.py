"""HeaderToValue: copies or moves headers to fields of the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from kconnect.config import HIGH, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.record import Header
from kconnect.schema import Schema, Type
from kconnect.transform import R, Transform
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.structs import struct_like

_MOVE: Final = "move"
_MAX_SCHEMAS: Final = 1000


def _valid_headers(name: str, value: list[str] | None) -> None:
    if not value:
        raise ConfigError("names nothing", key=name, suggestion="separate names by commas")
    for item in _names(value):
        if any(character.isspace() for character in item):
            raise ConfigError(f"{item!r} is no name", key=name, value=value)


def _valid_fields(name: str, value: list[str] | None) -> None:
    _valid_headers(name, value)
    for item in _names(value or []):
        if "" in item.split("."):
            raise ConfigError(f"{item!r} is no path", key=name, value=value, suggestion="such as after.tenant")


def _names(items: list[str]) -> list[str]:
    """Without those that a comma at the end makes."""
    return [item for item in items if item]


class HeaderToValueConfig(Config):
    headers: list[str] = key(
        importance=HIGH, validator=_valid_headers, doc="Keys of the headers; of several, the last."
    )
    fields: list[str] = key(
        importance=HIGH,
        validator=_valid_fields,
        doc="The fields that they become, in the same order; dots lead into structs, which are made where there are "
        "none. A field of that name is replaced.",
    )
    operation: Annotated[str, CaseInsensitiveValidString("move", "copy")] = key(
        importance=HIGH, doc="Whether the headers go (move) or stay (copy)."
    )

    def _check(self) -> None:
        headers, fields = _names(self.headers), _names(self.fields)
        if len(headers) != len(fields):
            raise ConfigError(
                f"names {len(fields)} fields for {len(headers)} headers",
                key="fields",
                value=self.fields,
                suggestion="name one field for each header",
            )


class HeaderToValue(Transform[HeaderToValueConfig]):
    """Tombstones, and records that have none of the headers, pass as they are."""

    def configure(self, config: HeaderToValueConfig) -> None:
        headers, fields = _names(config.headers), _names(config.fields)
        self._paths = [(header, tuple(field.split("."))) for header, field in zip(headers, fields, strict=True)]
        self._keys = frozenset(headers)
        self._moves = config.operation.lower() == _MOVE
        self._schemas: dict[tuple[Schema | None, ...], Schema] = {}

    def apply(self, record: R) -> R | None:
        if record.value is None:
            return record
        schema = record.value_schema
        if schema is None or schema.type is not Type.STRUCT:
            raise DataError(f"adding headers needs a struct with a schema, not {type(record.value).__name__}")
        found = {header.key: header for header in record.headers if header.key in self._keys}
        if not found:
            return record
        new_schema = self._schema(schema, found)
        value = record.value
        for key_, path in self._paths:
            if key_ in found:
                value = _with(value, path, found[key_].value)
        kept = tuple(header for header in record.headers if header.key not in self._keys)
        return msgspec.structs.replace(
            record,
            value_schema=new_schema,
            value=value,
            headers=kept if self._moves else record.headers,
        )

    def _schema(self, schema: Schema, found: Mapping[str, Header]) -> Schema:
        for header in found.values():
            if header.schema is None:
                raise DataError(f"header {header.key!r} has no schema, and so no field can be made of it")
        added = [found[key_].schema if key_ in found else None for key_, _ in self._paths]
        identity = (schema, *added)
        made = self._schemas.get(identity)
        if made is None:
            made = schema
            for (_, path), header_schema in zip(self._paths, added, strict=True):
                if header_schema is not None:
                    made = _grown(made, path, header_schema)
            if len(self._schemas) >= _MAX_SCHEMAS:
                self._schemas.clear()
            self._schemas[identity] = made
        return made


def _with(struct: Mapping[str, Any] | None, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy of the struct that has `value` at the end of `path`."""
    copied = dict(struct or {})
    copied[path[0]] = value if len(path) == 1 else _with(copied.get(path[0]), path[1:], value)
    return copied


def _grown(schema: Schema, path: tuple[str, ...], added: Schema) -> Schema:
    """The schema of what `_with` makes."""
    fields = {field.name: field.schema for field in schema.fields}
    name = path[0]
    if len(path) > 1:
        inner = fields.get(name)
        if inner is None:
            inner = Schema(Type.STRUCT, optional=True)
        if inner.type is not Type.STRUCT:
            raise DataError(
                f"fields: {name!r} is {inner.type.value}, not a struct, and can have no {'.'.join(path[1:])!r}"
            )
        added = _grown(inner, path[1:], added)
        if inner.optional and name not in fields:
            added = added.replace(optional=True)
    fields[name] = added
    return struct_like(schema, fields)
