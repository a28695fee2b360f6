"""Which Connect schemas JSON Schemas are read as, and how some are written: as Confluent's converter does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kconnect.errors import DataError
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    FLOAT64_SCHEMA,
    INT8_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect_converters.json_schema.config import JsonSchemaDataConfig
from kconnect_converters.json_schema.document import Document
from kconnect_converters.json_schema.from_json_schema import ConnectSchemas
from kconnect_converters.json_schema.reader import JsonSchemaReader
from kconnect_converters.json_schema.to_json_schema import json_schema
from kconnect_converters.json_schema.writer import JsonSchemaWriter

ENUM = "io.confluent.connect.json.Enum"
ONE_OF = "io.confluent.connect.json.OneOf"


def read(described: Any, named: dict[str, Document] | None = None, **settings: Any) -> Schema | None:
    document = Document.parse(json.dumps(described), named)
    return ConnectSchemas(JsonSchemaDataConfig(**settings), JsonSchemaReader()).schema(document)


def written(schema: Schema | None, **settings: Any) -> Any:
    return json_schema(schema, JsonSchemaDataConfig(**settings), JsonSchemaWriter())


def struct(**fields: Schema) -> Schema:
    return Schema(Type.STRUCT, fields=fields)


@pytest.mark.parametrize(
    ("described", "schema"),
    [
        ({"type": "integer"}, INT64_SCHEMA),
        ({"type": "number"}, FLOAT64_SCHEMA),
        ({"type": "integer", "connect.type": "int8"}, INT8_SCHEMA),
        ({"type": "boolean"}, BOOLEAN_SCHEMA),
        ({"type": "string", "format": "date-time"}, STRING_SCHEMA),
        ({"type": "string", "connect.type": "bytes"}, BYTES_SCHEMA),
        ({"type": ["string", "null"]}, OPTIONAL_STRING_SCHEMA),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}, OPTIONAL_STRING_SCHEMA),
        ({"oneOf": [{"type": "string"}]}, STRING_SCHEMA),
        ({"minimum": 1}, FLOAT64_SCHEMA),
        ({"pattern": "x"}, STRING_SCHEMA),
        ({"properties": {"a": {"type": "string"}}}, struct(a=STRING_SCHEMA)),
        ({"const": 5, "type": "integer"}, INT64_SCHEMA),
        ({"const": "x", "type": "string"}, STRING_SCHEMA),
        ({"enum": [1, 2], "type": "integer"}, INT64_SCHEMA),
        ({"enum": ["A"], "type": "string"}, Schema(Type.STRING, parameters={ENUM: "", f"{ENUM}.A": "A"})),
        ({"enum": [None]}, Schema(Type.STRING, parameters={ENUM: "", f"{ENUM}.<NULL>": "<NULL>"})),
        ({"type": "array", "items": {"type": "string"}}, Schema(Type.ARRAY, value_schema=STRING_SCHEMA)),
        ({"type": "array", "items": {}}, Schema(Type.ARRAY)),
        (
            {"type": "object", "connect.type": "map", "additionalProperties": {"type": "integer"}},
            Schema(Type.MAP, key_schema=STRING_SCHEMA, value_schema=INT64_SCHEMA),
        ),
        ({"type": "string", "title": "T", "description": "d"}, Schema(Type.STRING, name="T", doc="d")),
        ({"type": "integer", "default": 5}, Schema(Type.INT64, default=5)),
        ({"type": "integer", "default": "five"}, Schema(Type.INT64, default=0)),
        ({"type": "object", "default": 5}, struct()),
        ({}, None),
        (True, None),
    ],
)
def test_json_schemas_are_read(described: Any, schema: Schema | None) -> None:
    assert read(described) == schema


def test_fields_come_in_the_order_of_their_index() -> None:
    properties = {"b": {"type": "string", "connect.index": 1}, "a": {"type": "string", "connect.index": 0}}
    found = read({"type": "object", "properties": properties})
    assert found is not None
    assert [field.name for field in found.fields] == ["a", "b"]


def test_properties_that_are_not_required_can_be_optional() -> None:
    described = {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["b"]}
    assert read(described, use_optional_for_nonrequired=True) == struct(a=OPTIONAL_STRING_SCHEMA, b=STRING_SCHEMA)


def test_all_of_gathers_properties_from_all_that_it_refers_to() -> None:
    described = {
        "allOf": [{"$ref": "#/definitions/Base"}, {"$ref": "other.json#/definitions/More"}],
        "type": "object",
        "properties": {"own": {"type": "string"}},
        "definitions": {"Base": {"properties": {"id": {"type": "integer"}}}},
    }
    other = Document.parse('{"definitions": {"More": {"properties": {"flag": {"type": "boolean"}}}}}')
    assert read(described, {"other.json": other}) == struct(id=INT64_SCHEMA, flag=BOOLEAN_SCHEMA, own=STRING_SCHEMA)


@pytest.mark.parametrize(
    "reference", ["#/definitions/a~1b%20c", "#here", "http://x.at/schemas/inner.json", "inner.json"]
)
def test_references_are_followed_by_pointer_anchor_and_id(reference: str) -> None:
    described = {
        "$id": "http://x.at/schemas/outer.json",
        "properties": {"f": {"$ref": reference}},
        "definitions": {"a/b c": {"$id": "inner.json", "$anchor": "here", "type": "boolean"}},
    }
    assert read(described) == struct(f=BOOLEAN_SCHEMA)


def test_unions_are_structs_with_a_field_for_each_branch() -> None:
    described = {"oneOf": [{"type": "string"}, {"type": "null"}, {"type": "integer"}]}
    fields = {f"{ONE_OF}.field.0": OPTIONAL_STRING_SCHEMA, f"{ONE_OF}.field.1": INT64_SCHEMA.replace(optional=True)}
    assert read(described) == Schema(Type.STRUCT, name=ONE_OF, optional=True, fields=fields)
    generalized = read(described, generalized_sum_type_support=True)
    assert generalized is not None
    assert (generalized.name, dict(generalized.parameters or {})) == (
        "connect_union_0",
        {"org.apache.kafka.connect.data.Union": "connect_union_0"},
    )
    assert [field.name for field in generalized.fields] == ["connect_union_field_0", "connect_union_field_1"]


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"properties": {"a": {}}}, "a: .* says nothing of its type"),
        ({"properties": {"a": {"type": "null"}}}, "a: .* is null alone"),
        ({"properties": {"a": {"properties": {"b": False}}}}, "a.b: .* allows nothing"),
        ({"properties": {"a": {"$ref": "#/definitions/none"}}}, "no 'definitions'"),
        ({"properties": {"a": {"$ref": "none.json"}}}, "neither in the JSON Schema nor among its references"),
        ({"properties": {"a": {"$ref": "#"}}}, "a: .* contains itself"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "contains itself"),
        ({"properties": {"a": {"type": "array"}}}, "does not say what all its items are"),
        ({"type": "integer", "connect.type": "int128"}, "int128"),
        ({"oneOf": []}, "oneOf .* is a list"),
        ({"properties": []}, "properties of a JSON Schema are an object"),
        ({"properties": {"a": 5}}, "a JSON Schema is an object, not 5"),
    ],
)
def test_what_connect_cannot_say_is_refused_by_its_place(described: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(described)


@pytest.mark.parametrize("text", ["", "{", "5", "[]"])
def test_a_text_that_is_no_json_schema_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="JSON Schema is"):
        Document.parse(text)


@pytest.mark.parametrize(
    ("schema", "described"),
    [
        (OPTIONAL_STRING_SCHEMA, {"oneOf": [{"type": "null"}, {"type": "string"}]}),
        (Schema(Type.INT32, default=5, doc="d"), {"type": "integer", "default": 5, "description": "d"}),
        (None, {}),
        (
            decimal_schema(2),
            {
                "type": "string",
                "title": "org.apache.kafka.connect.data.Decimal",
                "connect.type": "bytes",
                "connect.version": 1,
                "connect.parameters": {"scale": "2"},
            },
        ),
        (
            Schema(Type.STRING, parameters={ENUM: "", f"{ENUM}.A": "A", f"{ENUM}.<NULL>": "<NULL>"}),
            {"enum": ["A", None]},
        ),
    ],
)
def test_connect_schemas_are_written(schema: Schema | None, described: dict[str, Any]) -> None:
    found = written(schema)
    if schema is not None and schema.type is Type.INT32:
        found.pop("connect.type")
    assert found == described


def test_properties_carry_the_places_of_their_fields() -> None:
    properties = written(struct(a=INT32_SCHEMA, b=OPTIONAL_STRING_SCHEMA))["properties"]
    assert {name: each["connect.index"] for name, each in properties.items()} == {"a": 0, "b": 1}


def test_other_properties_can_be_forbidden() -> None:
    assert written(struct(a=INT32_SCHEMA), object_additional_properties=False)["additionalProperties"] is False
    assert "additionalProperties" not in written(struct(a=INT32_SCHEMA))
