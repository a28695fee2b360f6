"""Connect schemas of the Avro schemas that `output.schema.key` and `.value` hold."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from kconnect import ConfigError, DataError, Schema
from kconnect.schema import STRING_SCHEMA, Type

_PRIMITIVES: Final = {
    "string": Type.STRING,
    "bytes": Type.BYTES,
    "int": Type.INT32,
    "long": Type.INT64,
    "float": Type.FLOAT32,
    "double": Type.FLOAT64,
    "boolean": Type.BOOLEAN,
}


def schema_of_avro(key: str, text: str) -> Schema:
    """Of a record. ConfigError, naming `key`, for what is none, or has types that records here cannot have."""
    try:
        found = _Reader().read(msgspec.json.decode(text), "", "")
    except (msgspec.DecodeError, DataError, _UnfitError, RecursionError) as error:
        raise ConfigError(f"is no Avro schema that fits: {error}", key=key) from error
    if found.type is not Type.STRUCT or found.optional:
        raise ConfigError("is no record", key=key)
    return found


class _UnfitError(Exception):
    """Says where and why."""


class _Reader:
    def __init__(self) -> None:
        self._named: dict[str, Schema | None] = {}
        """None while it is read: a record within itself."""

    def read(self, avro: Any, place: str, namespace: str) -> Schema:
        if isinstance(avro, list):
            return self._optional(avro, place, namespace)
        if isinstance(avro, str):
            return self._by_name(avro, place, namespace)
        kind = avro.get("type") if isinstance(avro, dict) else None
        if kind == "record":
            return self._record(avro, place, namespace)
        if kind == "array":
            return Schema(Type.ARRAY, value_schema=self.read(avro.get("items"), place, namespace))
        if kind == "map":
            element = self.read(avro.get("values"), place, namespace)
            return Schema(Type.MAP, key_schema=STRING_SCHEMA, value_schema=element)
        if kind is None:
            raise _UnfitError(f"{_at(place)}: {avro!r:.80} is no type")
        return self.read(kind, place, namespace)

    def _by_name(self, name: str, place: str, namespace: str) -> Schema:
        if name in _PRIMITIVES:
            return Schema(_PRIMITIVES[name])
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        if full not in self._named:
            hint = {"enum": ": use string", "fixed": ": use bytes"}.get(name, "")
            raise _UnfitError(f"{_at(place)}: the type {name} is not supported{hint}")
        found = self._named[full]
        if found is None:
            raise _UnfitError(f"{_at(place)}: the record {full} is within itself")
        return found

    def _optional(self, union: list[Any], place: str, namespace: str) -> Schema:
        others = [each for each in union if each != "null"]
        if len(union) != 2 or len(others) != 1:
            raise _UnfitError(f"{_at(place)}: a union may be of null and one other type alone")
        return self.read(others[0], place, namespace).replace(optional=True)

    def _record(self, avro: dict[str, Any], place: str, namespace: str) -> Schema:
        name, own = avro.get("name"), avro.get("namespace", namespace)
        fields = avro.get("fields")
        if not isinstance(name, str) or not isinstance(fields, list) or not isinstance(own, str):
            raise _UnfitError(f"{_at(place)}: a record needs a name and fields")
        full = name if "." in name or not own else f"{own}.{name}"
        own = full.rpartition(".")[0]
        self._named[full] = None
        read: dict[str, Schema] = {}
        for each in fields:
            if not isinstance(each, dict) or not isinstance(each.get("name"), str) or "type" not in each:
                raise _UnfitError(f"{_at(place)}: a field needs a name and a type")
            below = f"{place}.{each['name']}".lstrip(".")
            schema = self.read(each["type"], below, own)
            default = each.get("default")
            if default is not None and not isinstance(each["type"], list):
                schema = schema.replace(default=default.encode("latin-1") if schema.type is Type.BYTES else default)
            read[each["name"]] = schema
        schema = self._named[full] = Schema(Type.STRUCT, name=full, fields=read)
        return schema


def _at(place: str) -> str:
    return f"field {place}" if place else "the schema"
