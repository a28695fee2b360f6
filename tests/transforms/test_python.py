"""The Python transform: what the worker allows, what code makes of records."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from kconnect.bounds import Bounds, set_bounds
from kconnect.errors import ConfigError, DataError, RetriableError
from kconnect.record import Header, SourceRecord
from kconnect.schema import (
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_FLOAT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    Schema,
)
from kconnect.schema_builder import SchemaBuilder

SCHEMA = SchemaBuilder.struct().name("Order").field("n", INT64_SCHEMA).field("sku", STRING_SCHEMA).build()
VALUE = {"n": 2, "sku": "a"}
MODULE = "test_python_functions"


@pytest.fixture
def allow() -> Iterator[Any]:
    yield lambda items: set_bounds(Bounds.from_props({"python.transform.allow": items}))
    set_bounds(Bounds())


@pytest.fixture
def functions(tmp_path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed module with functions."""
    (tmp_path / f"{MODULE}.py").write_text(
        "import msgspec\n"
        "from kconnect import RetriableError, SchemaAndValue\n"
        "from kconnect.schema import INT32_SCHEMA\n"
        "def double(value): return {**value, 'n': value['n'] * 2}\n"
        "def renamed(record): return msgspec.structs.replace(record, topic=record.topic + '-x')\n"
        "def dropped(record): return None\n"
        "def counted(value): return SchemaAndValue(INT32_SCHEMA, len(value))\n"
        "def later(value): raise RetriableError('later')\n"
        "CONSTANT = 5\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return MODULE


def record(schema: Schema | None = None, value: Any = None, **more: Any) -> SourceRecord:
    return SourceRecord(None, None, "orders", value_schema=schema, value=value, **more)


@pytest.mark.parametrize(
    ("allowed", "settings", "key"),
    [
        ("", {"expression": "value"}, "expression"),
        ("os,shop", {"expression": "value"}, "expression"),
        ("", {"function": "json.decoder:scanstring"}, "function"),
        ("expressions", {"function": "json:dumps"}, "function"),
        ("jsons,j", {"function": "json:dumps"}, "function"),
        ("json", {"function": "json:codecs.open"}, "function"),
    ],
)
def test_nothing_runs_unless_the_worker_allows_it(transform, allow, allowed: str, settings, key: str) -> None:
    allow(allowed)
    with pytest.raises(ConfigError, match=r"this worker's python\.transform\.allow .*can set python") as refusal:
        transform("Python", settings)
    assert refusal.value.key == key


@pytest.mark.parametrize("allowed", ["json", "json.decoder", "x, json.decoder", "*"])
def test_a_module_is_allowed_by_its_name_or_its_packages(transform, allow, allowed: str) -> None:
    allow(allowed)
    transform("Python", {"function": "json.decoder:JSONDecodeError", "target": "key"})


@pytest.mark.parametrize("schema", [SCHEMA, None])
@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"expression": "{**value, 'n': value['n'] + 1}"}, {"value": {"n": 3, "sku": "a"}}),
        ({"expression": "f'{topic}-{value[\"sku\"]}'", "target": "topic"}, {"topic": "orders-a"}),
        ({"expression": "headers['at'] * 1000", "target": "timestamp"}, {"timestamp": 7000}),
        ({"expression": "json.dumps([x for x in value.values()])", "target": "key"}, {"key": '[2, "a"]'}),
        ({"expression": "value['n'] > 1", "target": "keep"}, {}),
    ],
)
def test_an_expression_makes_a_part_of_the_record(transform, allow, schema, settings, changes) -> None:
    allow("expressions")
    given = record(schema, VALUE, headers=(Header("at", None, 5), Header("at", INT32_SCHEMA, 7)))
    assert transform("Python", settings).apply(given) == msgspec.structs.replace(given, **changes)


def test_a_record_that_is_not_kept_is_dropped(transform, allow) -> None:
    allow("*")
    assert transform("Python", expression="value['n'] > 2", target="keep").apply(record(None, VALUE)) is None


def test_new_fields_get_schemas_and_others_keep_theirs(transform, allow) -> None:
    allow("*")
    made = transform("Python", expression="{'sku': value['sku'], 'total': 1.5}").apply(record(SCHEMA, VALUE))
    assert made.value == {"sku": "a", "total": 1.5}
    expected = SchemaBuilder.struct().name("Order").field("sku", STRING_SCHEMA)
    assert made.value_schema is expected.field("total", OPTIONAL_FLOAT64_SCHEMA).build()


def test_a_field_that_was_absent_is_not_lost(transform, allow) -> None:
    allow("*")
    schema = SchemaBuilder.struct().field("n", INT64_SCHEMA).field("note", OPTIONAL_STRING_SCHEMA).build()
    assert transform("Python", expression="{**value}").apply(record(schema, {"n": 1})) == record(schema, {"n": 1})


def test_functions_change_values_and_records(transform, allow, functions: str) -> None:
    allow(functions)
    given = record(SCHEMA, VALUE)
    assert transform("Python", function=f"{functions}:double").apply(given).value == {"n": 4, "sku": "a"}
    assert given.value == VALUE
    assert transform("Python", function=f"{functions}:counted").apply(given) == record(INT32_SCHEMA, 2)
    assert transform("Python", function=f"{functions}:renamed", target="record").apply(given).topic == "orders-x"
    assert transform("Python", function=f"{functions}:dropped", target="record").apply(given) is None
    with pytest.raises(RetriableError, match="later"):
        transform("Python", function=f"{functions}:later").apply(given)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"expression": "value['x']"}, r"expression=value\['x'\] raised KeyError: 'x'"),
        ({"expression": "{**value, 'n': 'two'}"}, r"n: .*int64.*SchemaAndValue"),
        ({"expression": "{**value, 'o': object}"}, "new field 'o'"),
        ({"expression": "5", "target": "topic"}, "made int 5, and target=topic is a topic"),
        ({"expression": "''", "target": "topic"}, "target=topic"),
        ({"expression": "'x'", "target": "timestamp"}, "milliseconds since 1970"),
        ({"function": "builtins:repr", "target": "record"}, "SourceRecord or None"),
    ],
)
def test_a_bad_record_is_explained(transform, allow, settings: dict[str, str], says: str) -> None:
    allow("*")
    with pytest.raises(DataError, match=says):
        transform("Python", settings).apply(record(SCHEMA, VALUE))


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        ({}, None, "either a function or an expression"),
        ({"expression": "value", "function": "os:getcwd"}, None, "either a function or an expression"),
        ({"expression": "value +"}, "expression", "is no Python expression"),
        ({"expression": "import os"}, "expression", "is no Python expression"),
        ({"expression": "record", "target": "record"}, "target", "whole record"),
        ({"function": "os"}, "function", "module:function"),
        ({"function": "no_such_module:f"}, "function", "must be installed"),
        ({"function": "os:no_such_function"}, "function", "AttributeError"),
        ({"function": "os:sep"}, "function", "no function"),
    ],
)
def test_a_wrong_setting_is_named(transform, allow, settings: dict[str, str], key: str | None, says: str) -> None:
    allow("*")
    with pytest.raises(ConfigError, match=says) as refusal:
        transform("Python", settings)
    assert refusal.value.key == key
