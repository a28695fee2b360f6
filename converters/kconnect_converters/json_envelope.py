"""Schemas in JSON: the `schema` half of the envelope `{"schema": …, "payload": …}`."""

from __future__ import annotations

from typing import Any, Final

from kconnect.errors import DataError
from kconnect.schema import Schema, Type
from kconnect.schema_builder import SchemaBuilder
from kconnect_converters.json_reader import JsonReader
from kconnect_converters.json_writer import JsonWriter

_NAMES: Final = {type_: type_.value for type_ in Type} | {Type.FLOAT32: "float", Type.FLOAT64: "double"}
_TYPES: Final = {name: type_ for type_, name in _NAMES.items()}


def schema_to_json(schema: Schema | None, writer: JsonWriter) -> dict[str, Any] | None:
    """The schema in JSON's classes, keys in Kafka's order; `writer` writes defaults."""
    if schema is None:
        return None
    written: dict[str, Any] = {"type": _NAMES[schema.type]}
    if schema.type is Type.ARRAY:
        written["items"] = schema_to_json(schema.value_schema, writer)
    elif schema.type is Type.MAP:
        written["keys"] = schema_to_json(schema.key_schema, writer)
        written["values"] = schema_to_json(schema.value_schema, writer)
    elif schema.type is Type.STRUCT:
        fields = [(field.name, schema_to_json(field.schema, writer)) for field in schema.fields]
        written["fields"] = [{**(inner or {}), "field": name} for name, inner in fields]
    written["optional"] = schema.optional
    for attribute in ("name", "version", "doc"):
        if getattr(schema, attribute) is not None:
            written[attribute] = getattr(schema, attribute)
    if schema.parameters is not None:
        written["parameters"] = dict(schema.parameters)
    if schema.default is not None:
        written["default"] = writer.plain(schema, schema.default)
    return written


def schema_from_json(parsed: Any, reader: JsonReader) -> Schema | None:
    """The schema that parsed JSON describes; None for null. `reader` reads defaults.

    Attributes of a wrong kind count as absent, as in Kafka; a type that is missing or unknown, elements without a
    schema, a field twice or a default that does not fit raise DataError."""
    if parsed is None:
        return None
    name = parsed.get("type") if isinstance(parsed, dict) else None
    if not isinstance(name, str):
        raise DataError(f"a schema is a JSON object with a text `type`, not {parsed!r:.60}")
    if name not in _TYPES:
        raise DataError(f"unknown schema type {name!r}; there are {', '.join(_TYPES)}")
    builder = _builder(_TYPES[name], parsed, reader)
    if parsed.get("optional") is True:
        builder.optional()
    if isinstance(parsed.get("name"), str):
        builder.name(parsed["name"])
    if isinstance(parsed.get("version"), int) and not isinstance(parsed["version"], bool):
        builder.version(parsed["version"])
    if isinstance(parsed.get("doc"), str):
        builder.doc(parsed["doc"])
    if isinstance(parsed.get("parameters"), dict):
        for key, value in parsed["parameters"].items():
            if not isinstance(value, str):
                raise DataError(f"schema parameter {key!r} is {value!r}; parameters are text")
            builder.parameter(key, value)
    if "default" in parsed:
        builder.default(reader.value(builder.build(), parsed["default"]))
    return builder.build()


def _builder(type_: Type, parsed: dict[str, Any], reader: JsonReader) -> SchemaBuilder:
    if type_ is Type.ARRAY:
        return SchemaBuilder.array(_element(parsed, "items", reader))
    if type_ is Type.MAP:
        return SchemaBuilder.map(_element(parsed, "keys", reader), _element(parsed, "values", reader))
    builder = SchemaBuilder(type_)
    if type_ is Type.STRUCT:
        fields = parsed.get("fields")
        if not isinstance(fields, list):
            raise DataError("a struct's schema lists its `fields`")
        for field in fields:
            name = field.get("field") if isinstance(field, dict) else None
            if not isinstance(name, str):
                raise DataError(f"a field of a struct's schema has its name under `field`: {field!r:.60}")
            builder.field(name, schema_from_json(field, reader))  # type: ignore[arg-type] # refused if None
    return builder


def _element(parsed: dict[str, Any], key: str, reader: JsonReader) -> Schema:
    schema = schema_from_json(parsed.get(key), reader)
    if schema is None:
        raise DataError(f"a schema of type {parsed['type']} says under `{key}` what is in it")
    return schema
