"""JSON and JSON Schema of any Connect schema and value: read back, and valid to an independent validator."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kconnect.errors import DataError
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_SCHEMA,
    FLOAT32_SCHEMA,
    FLOAT64_SCHEMA,
    INT8_SCHEMA,
    INT16_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
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

CONFIG = JsonSchemaDataConfig()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


def milliseconds(lowest: int, highest: int) -> st.SearchStrategy[datetime]:
    return st.integers(lowest, highest).map(lambda millis: EPOCH + timedelta(milliseconds=millis))


VALUES: dict[Schema, st.SearchStrategy[Any]] = {
    INT8_SCHEMA: integers(8),
    INT16_SCHEMA: integers(16),
    INT32_SCHEMA: integers(32),
    INT64_SCHEMA: integers(64),
    FLOAT32_SCHEMA: st.floats(width=32, allow_nan=False, allow_infinity=False),
    FLOAT64_SCHEMA: st.floats(allow_nan=False, allow_infinity=False),
    BOOLEAN_SCHEMA: st.booleans(),
    STRING_SCHEMA: st.text(),
    BYTES_SCHEMA: st.binary(),
    DATE_SCHEMA: st.dates(),
    TIME_SCHEMA: milliseconds(0, 86_399_999).map(datetime.time),
    TIMESTAMP_SCHEMA: milliseconds(-62_135_596_800_000, 253_402_300_799_000),
    decimal_schema(3): st.integers(-(10**24), 10**24).map(lambda n: Decimal(n).scaleb(-3)),
}
KEYS = (STRING_SCHEMA, OPTIONAL_STRING_SCHEMA, INT32_SCHEMA, DATE_SCHEMA)


@st.composite
def schemas(draw: st.DrawFn, depth: int = 2) -> Schema:
    kind = draw(st.sampled_from(("leaf", "leaf", "array", "map", "struct") if depth else ("leaf",)))
    optional = draw(st.booleans())
    if kind == "leaf":
        return draw(st.sampled_from(list(VALUES))).replace(optional=optional)
    if kind == "struct":
        names = draw(st.lists(st.text(min_size=1, max_size=6), max_size=4, unique=True))
        fields = {name: draw(schemas(depth - 1)) for name in names}
        return Schema(Type.STRUCT, optional=optional, name=draw(st.none() | st.just("shop.Order")), fields=fields)
    value = draw(schemas(depth - 1))
    if kind == "array":
        return Schema(Type.ARRAY, optional=optional, value_schema=value)
    return Schema(Type.MAP, optional=optional, key_schema=draw(st.sampled_from(KEYS)), value_schema=value)


def values(schema: Schema) -> st.SearchStrategy[Any]:
    made = _required(schema)
    return st.none() | made if schema.optional else made


def _required(schema: Schema) -> st.SearchStrategy[Any]:
    if schema.type is Type.STRUCT:
        return st.fixed_dictionaries({field.name: values(field.schema) for field in schema.fields})
    if schema.type is Type.ARRAY and schema.value_schema is not None:
        return st.lists(values(schema.value_schema), max_size=4)
    if schema.type is Type.MAP and schema.key_schema is not None and schema.value_schema is not None:
        return st.dictionaries(values(schema.key_schema), values(schema.value_schema), max_size=4)
    return VALUES[schema.replace(optional=False)]


def text_of(schema: Schema, writer: JsonSchemaWriter) -> str:
    return json.dumps(json_schema(schema, CONFIG, writer))


def read_schema(text: str, **settings: Any) -> Schema | None:
    return ConnectSchemas(JsonSchemaDataConfig(**settings), JsonSchemaReader()).schema(Document.parse(text))


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans())
def test_what_is_written_is_valid_and_read_back(data: st.DataObject, numeric: bool) -> None:
    schema = data.draw(schemas())
    value = data.draw(values(schema))
    writer = JsonSchemaWriter(numeric_decimals=numeric)
    text = text_of(schema, writer)
    written = writer.encoder(schema)(value)
    assert written == writer.encode(schema, value)
    jsonschema.Draft7Validator(json.loads(text)).validate(json.loads(written))
    assert read_schema(text) == schema
    assert JsonSchemaReader().decoder(schema)(written) == value
    assert JsonSchemaReader().decode(schema, written) == value


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_data_that_is_cut_or_garbled_is_a_data_error_or_a_value_and_nothing_else(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    written = JsonSchemaWriter().encode(schema, data.draw(values(schema)))
    garbled = data.draw(st.binary(max_size=30) | st.integers(0, len(written)).map(lambda size: written[:size]))
    with suppress(DataError):
        JsonSchemaReader().decoder(schema)(garbled)


UNION = Schema(
    Type.STRUCT,
    name="io.confluent.connect.json.OneOf",
    optional=True,
    fields={
        f"io.confluent.connect.json.OneOf.field.{index}": branch.replace(optional=True)
        for index, branch in enumerate(
            (
                INT64_SCHEMA,
                STRING_SCHEMA,
                Schema(Type.ARRAY, value_schema=STRING_SCHEMA),
                Schema(Type.STRUCT, name="A", fields={"a": INT64_SCHEMA}),
                Schema(Type.STRUCT, name="AB", fields={"a": INT64_SCHEMA, "b": STRING_SCHEMA}),
            )
        )
    },
)


@pytest.mark.parametrize(
    ("branch", "value"), [(0, 5), (1, "x"), (2, ["x"]), (3, {"a": 1}), (4, {"a": 1, "b": "x"}), (None, None)]
)
def test_a_union_is_its_one_value(branch: int | None, value: Any) -> None:
    held = {f.name: value if f.index == branch else None for f in UNION.fields} if branch is not None else None
    schema = Schema(Type.STRUCT, fields={"u": UNION})
    writer = JsonSchemaWriter()
    written = writer.encoder(schema)({"u": held})
    assert json.loads(written) == {"u": value}
    assert read_schema(text_of(schema, writer)) == schema
    assert JsonSchemaReader().decoder(schema)(written) == {"u": held}


@pytest.mark.parametrize(
    ("value", "said"),
    [({"u": {}}, "u: no branch"), ({"u": {"x": 1}}, "u: the union has no field x"), ({"u": 5}, "u: a union is")],
)
def test_a_union_without_a_value_is_refused(value: Any, said: str) -> None:
    schema = Schema(Type.STRUCT, fields={"u": UNION.replace(optional=False)})
    with pytest.raises(DataError, match=said):
        JsonSchemaWriter().encoder(schema)(value)


Way = Callable[[Schema], Callable[[bytes], Any]]


@pytest.mark.parametrize(
    ("schema", "data", "said"),
    [
        (UNION, b"true", "fits no branch"),
        (Schema(Type.STRUCT, fields={"a": INT64_SCHEMA}), b'{"a": null}', "a: null, but"),
        (Schema(Type.STRUCT, fields={"a": DATE_SCHEMA}), b'{"a": "x"}', "a: "),
        (Schema(Type.MAP, key_schema=INT32_SCHEMA, value_schema=INT32_SCHEMA), b'{"1": 1}', "an array of entries"),
        (Schema(Type.MAP, key_schema=INT32_SCHEMA, value_schema=INT32_SCHEMA), b"[[1, 1]]", "entry is"),
        (Schema(Type.STRUCT, fields={}), b"[]", "a struct is a JSON object"),
    ],
)
def test_json_of_another_shape_is_refused(schema: Schema, data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        JsonSchemaReader().decoder(schema)(data)


def test_a_property_that_is_absent_is_null_or_the_default() -> None:
    fields = {"a": INT64_SCHEMA, "b": DATE_SCHEMA, "c": Schema(Type.INT32, default=7)}
    read = JsonSchemaReader().decoder(Schema(Type.STRUCT, fields=fields))
    assert read(b"{}") == {"a": None, "b": None, "c": 7}
