"""Values out of text and into it, and from one type to another."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect import float32
from kconnect.errors import DataError
from kconnect.java_text import java_text, value_text
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    DATE_SCHEMA,
    FLOAT32_SCHEMA,
    FLOAT64_SCHEMA,
    INT8_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
)
from kconnect.schema_builder import SchemaBuilder
from kconnect.schema_projector import project
from kconnect.values import convert, infer_schema, parse_string


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    parsed = parse_string(text)
    assert parsed.schema is not None or parsed.value is None


@given(st.text(alphabet='[]{}:,"\\ 1-na.tru', max_size=30))
def test_any_heap_of_delimiters_can_be_parsed(text: str) -> None:
    parsed = parse_string(text)

    assert (parsed.schema is None) == (parsed.value is None)


@pytest.mark.parametrize("text", ["[" * 5000, '{"a":' * 5000, "[" * 400 + "]" * 399])
def test_what_nests_too_deeply_or_does_not_end_is_text(text: str) -> None:
    assert parse_string(text) == (STRING_SCHEMA, text)


@pytest.mark.parametrize("text", [' "abc"', "  :", ' "', "a [1]", '"[1]"'])
def test_text_that_is_nothing_else_stays_whole(text: str) -> None:
    assert parse_string(text) == (STRING_SCHEMA, text)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_integers_survive_as_text(number: int) -> None:
    assert parse_string(value_text(None, number)).value == number


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_form_of_32_bits_is_the_same_number_there(number: float) -> None:
    short = float32.shortest(number)
    assert struct.pack("<f", short) == struct.pack("<f", number)
    assert len(repr(short)) <= len(repr(number))


NESTED = st.recursive(
    st.booleans() | st.integers(-(1 << 31), (1 << 31) - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(NESTED)
def test_lists_and_maps_read_back_from_their_text(value: Any) -> None:
    parsed = parse_string(value_text(None, value))
    assert value_text(parsed.schema, parsed.value) == value_text(None, value)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (1, INT64_SCHEMA),
        (1.5, FLOAT64_SCHEMA),
        (True, BOOLEAN_SCHEMA),
        ("a", STRING_SCHEMA),
        ([1, None], SchemaBuilder.array(Schema(Type.INT64, optional=True)).build()),
        ({"a": 1}, SchemaBuilder.map(STRING_SCHEMA, INT64_SCHEMA).build()),
        ([], None),
        ([1, "a"], None),
        ([None], None),
        (None, None),
        (object(), None),
    ],
)
def test_schemas_are_inferred_where_they_can_be(value: Any, schema: Schema | None) -> None:
    assert infer_schema(value) is schema


@pytest.mark.parametrize(
    ("target", "value", "converted"),
    [
        (INT8_SCHEMA, 300, 44),
        (INT32_SCHEMA, "1e3", 1000),
        (INT64_SCHEMA, float("nan"), 0),
        (INT64_SCHEMA, 1e300, (1 << 63) - 1),
        (INT64_SCHEMA, -1e300, -(1 << 63)),
        (FLOAT32_SCHEMA, 1e39, math.inf),
        (FLOAT64_SCHEMA, 10**400, math.inf),
        (STRING_SCHEMA, [1, "a"], '[1,"a"]'),
        (STRING_SCHEMA, date(2020, 1, 2), "2020-01-02"),
        (BOOLEAN_SCHEMA, "true", True),
        (DATE_SCHEMA, "2020-01-02T03:04:05.006Z", date(2020, 1, 2)),
        (TIME_SCHEMA, datetime(2020, 1, 2, 3, 4, tzinfo=UTC), time(3, 4)),
        (TIMESTAMP_SCHEMA, 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (Schema(Type.ARRAY), "[1,2]", [1, 2]),
    ],
)
def test_values_convert(target: Schema, value: Any, converted: Any) -> None:
    assert convert(target, None, value) == converted


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (INT32_SCHEMA, "x"),
        (INT32_SCHEMA, None),
        (Schema(Type.MAP), "[1]"),
        (TIMESTAMP_SCHEMA, 1 << 62),
        (INT8_SCHEMA, []),
    ],
)
def test_what_has_no_form_in_the_target_is_refused(target: Schema, value: Any) -> None:
    with pytest.raises(DataError):
        convert(target, None, value)


def test_bytes_have_no_java_text() -> None:
    with pytest.raises(DataError, match="ByteArrayConverter"):
        java_text(None, b"x")


def test_projection_names_the_field_that_cannot_be_reconciled() -> None:
    inner = SchemaBuilder.struct().field("b", INT64_SCHEMA).build()
    source = SchemaBuilder.struct().field("a", inner).build()
    target = SchemaBuilder.struct().field("a", inner.replace(fields={"b": STRING_SCHEMA})).build()
    with pytest.raises(DataError, match=r"^field a: field b: Schema\(int64\) cannot become Schema\(string\)"):
        project(source, {"a": {"b": 1}}, target)


def test_projection_does_not_hand_out_the_schema_s_own_default() -> None:
    target = Schema(Type.STRUCT, fields={"a": Schema(Type.ARRAY, value_schema=INT32_SCHEMA, default=[1])})
    source = Schema(Type.STRUCT)
    project(source, {}, target)["a"].append(2)
    assert project(source, {}, target) == {"a": [1]}
