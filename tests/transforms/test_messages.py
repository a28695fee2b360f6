"""What is wrong is said: which key, which field, and what to write."""

from __future__ import annotations

from typing import Any

import pytest

from kconnect.errors import ConfigError, DataError
from kconnect.record import SourceRecord
from kconnect.schema import INT32_SCHEMA, INT64_SCHEMA, STRING_SCHEMA, Schema
from kconnect.schema_builder import SchemaBuilder

ORDER = SchemaBuilder.struct().field("id", INT64_SCHEMA).field("note", STRING_SCHEMA).build()


def record(schema: Schema | None, value: Any) -> SourceRecord:
    return SourceRecord(None, None, "orders", value_schema=schema, value=value)


@pytest.mark.parametrize(
    ("name", "settings", "key", "says"),
    [
        ("InsertField$Value", {}, None, "topic.field"),
        ("InsertField$Value", {"static.field": "f"}, "static.value", "needs a text"),
        ("ReplaceField$Value", {"renames": "a:b:c"}, "renames", "old:new"),
        ("Cast$Value", {"spec": "a:int128"}, "spec", "field:type"),
        ("Cast$Value", {"spec": "int8,a:int8"}, "spec", "the whole value"),
        ("Cast$Value", {}, "spec", "spec"),
        ("ExtractField$Value", {"field": "`a", "field.syntax.version": "V2"}, None, "not closed"),
        ("RegexRouter", {"regex": "(", "replacement": "x"}, "regex", "regular expression"),
        ("ValueToKey", {"fields": ""}, "fields", "at least one"),
    ],
)
def test_a_wrong_setting_is_named(transform, name: str, settings: dict[str, str], key: str | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refusal:
        transform(name, settings)
    assert refusal.value.key == key


@pytest.mark.parametrize(
    ("name", "settings", "given", "says"),
    [
        ("Cast$Value", {"spec": "note:int8"}, record(ORDER, {"id": 1, "note": "x1"}), "note: 'x1' is not a number"),
        (
            "Cast$Value",
            {"spec": "note:int8"},
            record(None, {"note": "300"}),
            "note: '300' is not a number of type int8",
        ),
        ("Cast$Value", {"spec": "a:int8"}, record(None, 3), "needs a map, not int"),
        ("InsertField$Value", {"topic.field": "id"}, record(ORDER, {"id": 1, "note": ""}), "two fields 'id'"),
        ("InsertField$Value", {"topic.field": "t"}, record(INT32_SCHEMA, 1), "needs a struct, not int"),
        ("InsertField$Value", {"offset.field": "o"}, record(None, {}), "only records that a sink reads"),
        ("ReplaceField$Value", {"renames": "id:note"}, record(ORDER, {"id": 1, "note": ""}), "two fields 'note'"),
        ("ExtractField$Value", {"field": "nme"}, record(ORDER, {"id": 1, "note": ""}), "no field 'nme'"),
        ("ValueToKey", {"fields": "nme"}, record(ORDER, {"id": 1, "note": ""}), "no field 'nme'"),
        ("RegexRouter", {"regex": "(o).*", "replacement": "$2"}, record(None, 1), "no group 2"),
    ],
)
def test_a_bad_record_is_explained(
    transform, name: str, settings: dict[str, str], given: SourceRecord, says: str
) -> None:
    with pytest.raises(DataError, match=says.replace("$", r"\$")):
        transform(name, settings).apply(given)
