"""Which schemas may follow which, format by format and level by level."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kconnect.errors import DataError
from kconnect_workers.schema_registry.compatibility import LEVELS, faults
from kconnect_workers.schema_registry.formats import parse


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "R", "fields": list(fields)})


ONE = record({"name": "a", "type": "int"})
OPTIONAL_MORE = record({"name": "a", "type": "int"}, {"name": "b", "type": ["null", "int"], "default": None})
REQUIRED_MORE = record({"name": "a", "type": "int"}, {"name": "b", "type": "int"})


@pytest.mark.parametrize(
    ("level", "old", "new", "compatible"),
    [
        ("BACKWARD", [ONE], OPTIONAL_MORE, True),
        ("BACKWARD", [ONE], REQUIRED_MORE, False),
        ("BACKWARD", [REQUIRED_MORE], ONE, True),
        ("FORWARD", [ONE], REQUIRED_MORE, True),
        ("FORWARD", [REQUIRED_MORE], ONE, False),
        ("FULL", [ONE], OPTIONAL_MORE, True),
        ("FULL", [ONE], REQUIRED_MORE, False),
        ("FULL", [REQUIRED_MORE], ONE, False),
        ("NONE", [ONE], '"string"', True),
        ("BACKWARD", [ONE, '"string"'], '"string"', True),
        ("BACKWARD_TRANSITIVE", [ONE, '"string"'], '"string"', False),
        ("BACKWARD", [], ONE, True),
    ],
)
def test_levels_say_which_versions_are_compared_and_how(level: str, old: list[str], new: str, compatible: bool) -> None:
    versions = [(number, parse("AVRO", text, [])) for number, text in enumerate(old, 1)]
    assert level in LEVELS
    assert (not faults(level, parse("AVRO", new, []), versions)) is compatible


def test_another_format_does_not_follow() -> None:
    assert faults("BACKWARD", parse("JSON", "{}", []), [(1, parse("AVRO", '"int"', []))])


def obj(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
NULLABLE = {"oneOf": [{"type": "null"}, INTEGER]}


@pytest.mark.parametrize(
    ("reader", "writer", "said"),
    [
        (NUMBER, INTEGER, None),
        (INTEGER, NUMBER, "is integer now, and was number"),
        ({}, INTEGER, None),
        (INTEGER, {}, "was anything"),
        (NULLABLE, INTEGER, None),
        (INTEGER, NULLABLE, "was null"),
        ({"type": ["null", "integer"]}, NULLABLE, None),
        ({"enum": ["A", "B"]}, {"enum": ["A"]}, None),
        ({"enum": ["A"]}, {"enum": ["A", "B"]}, "'B' is not among"),
        (TEXT, {"enum": ["A"]}, None),
        ({"enum": ["A"]}, TEXT, "is enum now"),
        (TEXT | {"maxLength": 5}, TEXT, "maxLength: is 5 now, and was not set"),
        (TEXT | {"maxLength": 5}, TEXT | {"maxLength": 4}, None),
        ({"type": "array", "items": INTEGER}, {"type": "array", "items": TEXT}, "#/items: is integer now"),
        (obj({"a": INTEGER, "b": TEXT}), obj({"a": INTEGER}), None),
        (obj({"a": INTEGER}, required=["a"]), obj({"a": INTEGER}), "a is required now"),
        (obj({"a": INTEGER | {"default": 1}}, required=["a"]), obj({}), None),
        (obj({}, additionalProperties=False), obj({"a": INTEGER}, additionalProperties=False), "a: is not allowed"),
        (obj({}, additionalProperties=False), obj({}), "additionalProperties: are not allowed any more"),
        (obj({"a": TEXT}), obj({"a": INTEGER}), "#/properties/a: is string now, and was integer"),
        (obj({"a": {"$ref": "#"}}), obj({"a": {"$ref": "#"}}, title="same"), None),
        ({"allOf": [obj({"a": TEXT})]}, obj({"a": INTEGER}), "is string now"),
    ],
)
def test_json_schemas_read_what_others_wrote(reader: Any, writer: Any, said: str | None) -> None:
    found = parse("JSON", json.dumps(reader), []).unreadable(parse("JSON", json.dumps(writer), []))
    assert (said is None and not found) or (said is not None and said in "; ".join(found)), found


def proto(body: str, package: str = "p") -> str:
    return f'syntax = "proto3"; package {package}; message M {{ {body} }} message N {{}} enum E {{ A = 0; }}'


@pytest.mark.parametrize(
    ("reader", "writer", "said"),
    [
        (proto("int32 a = 1; string b = 2;"), proto("int32 a = 1;"), None),
        (proto("int32 a = 1;"), proto("int32 a = 1; string b = 2;"), None),
        (proto("int64 a = 1;"), proto("E a = 1;"), None),
        (proto("bytes a = 1;"), proto("repeated string a = 1;"), None),
        (proto("string a = 1;"), proto("int32 a = 1;"), "M.a is string now, and was int32"),
        (proto("repeated int32 a = 1;"), proto("int32 a = 1;"), "M.a is repeated now"),
        (proto("N a = 1;"), proto("M a = 1;"), "M.a is N now, and was M"),
        (proto(""), proto("oneof o { int32 a = 1; }"), "was in a oneof"),
        ('syntax = "proto3"; package p; message M {}', proto(""), "message N is gone"),
        (proto("", "q"), proto(""), "package is 'q' now"),
    ],
)
def test_protobuf_files_read_what_others_wrote(reader: str, writer: str, said: str | None) -> None:
    found = parse("PROTOBUF", reader, []).unreadable(parse("PROTOBUF", writer, []))
    assert (said is None and not found) or (said is not None and said in "; ".join(found)), found


@pytest.mark.parametrize(
    ("kind", "text"),
    [("AVRO", "int"), ("AVRO", '{"type": "none"}'), ("JSON", "{"), ("PROTOBUF", "message"), ("XML", "<a/>")],
)
def test_what_is_no_schema_is_refused(kind: str, text: str) -> None:
    with pytest.raises(DataError):
        parse(kind, text, [])


def test_schemas_that_differ_in_what_means_nothing_have_the_same_text() -> None:
    assert parse("AVRO", '{"type": "string"}', []).text == parse("AVRO", '"string"', []).text
    assert parse("JSON", '{"type":  "string"}', []).text == parse("JSON", '{"type":"string"}', []).text
