"""JsonConverter reads many structs at once as it reads each, or leaves them alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.columnar import Columns
from kconnect.errors import DataError
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_NAME,
    DATE_SCHEMA,
    FLOAT32_SCHEMA,
    FLOAT64_SCHEMA,
    INT8_SCHEMA,
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
from kconnect_converters.json import JsonConverter
from kconnect_converters.json_reader import JsonReader

VALUES: dict[Schema, st.SearchStrategy[Any]] = {
    INT8_SCHEMA: st.integers(-128, 127),
    INT64_SCHEMA: st.integers(-(1 << 63), (1 << 63) - 1),
    FLOAT32_SCHEMA: st.floats(width=32, allow_nan=False, allow_infinity=False),
    FLOAT64_SCHEMA: st.floats(allow_nan=False, allow_infinity=False),
    BOOLEAN_SCHEMA: st.booleans(),
    STRING_SCHEMA: st.text(),
    BYTES_SCHEMA: st.binary(max_size=9),
    DATE_SCHEMA: st.dates(),
    TIME_SCHEMA: st.integers(0, 86_399).map(lambda s: time(s // 3600, s // 60 % 60, s % 60, 5000)),
    TIMESTAMP_SCHEMA: st.integers(0, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    decimal_schema(2): st.integers(-(10**20), 10**20).map(lambda n: Decimal(n).scaleb(-2)),
    Schema(Type.ARRAY, value_schema=DATE_SCHEMA): st.lists(st.dates(), max_size=2),
    Schema(Type.STRUCT, fields={"inner": OPTIONAL_STRING_SCHEMA}): st.fixed_dictionaries({"inner": st.text()}),
}
DEFAULTS = {STRING_SCHEMA: "some", DATE_SCHEMA: date(2026, 1, 1), INT64_SCHEMA: 7}


@st.composite
def fields(draw: st.DrawFn) -> tuple[Schema, st.SearchStrategy[Any]]:
    """A field's schema, required, optional or with a default, and values for it."""
    schema = draw(st.sampled_from(sorted(VALUES, key=repr)))
    values = VALUES[schema]
    if schema in DEFAULTS and draw(st.booleans()):
        return schema.replace(default=DEFAULTS[schema]), values | st.none()
    if draw(st.booleans()):
        return schema.replace(optional=True), values | st.none()
    return schema, values


@st.composite
def structs(draw: st.DrawFn) -> tuple[Schema, list[dict[str, Any]]]:
    names = draw(st.lists(st.text('ab"\\é ', min_size=1, max_size=3), min_size=1, max_size=5, unique=True))
    drawn = {name: draw(fields()) for name in names}
    schema = Schema(Type.STRUCT, fields={name: schema for name, (schema, _) in drawn.items()})
    value = st.fixed_dictionaries({name: values for name, (_, values) in drawn.items()})
    return schema, draw(st.lists(value, min_size=1, max_size=4))


def rows(columns: Columns) -> list[dict[str, Any]]:
    names = [field.name for field in columns.schema.fields]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values, strict=True)]


def columns_of(converter: JsonConverter, data: Sequence[bytes | None]) -> Columns | None:
    deserialize = converter.column_deserializer("t")
    assert deserialize is not None
    return deserialize(data)


def one_by_one(converter: JsonConverter, data: Sequence[bytes | None]) -> list[tuple[Schema | None, Any]]:
    return [tuple(converter.to_connect_data("t", each)) for each in data]


@given(structs(), st.booleans())
def test_columns_hold_what_is_read_one_by_one(drawn: tuple[Schema, list[dict[str, Any]]], replace: bool) -> None:
    schema, values = drawn
    converter = JsonConverter()
    converter.configure({"replace.null.with.default": str(replace).lower()})
    written = [converter.from_connect_data("t", schema, value) for value in values if _fits(converter, schema, value)]
    columns = columns_of(converter, written)
    if columns is None:
        assert not written or any(set(field.name) & set('"\\é') for field in schema.fields)
    else:
        assert columns.schema is schema
        assert [(schema, value) for value in rows(columns)] == one_by_one(converter, written)


def _fits(converter: JsonConverter, schema: Schema, value: Any) -> bool:
    """Without replacement a required field with a default takes no null."""
    try:
        converter.from_connect_data("t", schema, value)
    except DataError:
        return False
    return True


ODD = st.sampled_from(
    [None, True, 1, 1 << 70, 1.5, -0.0, "", "x", "AQ==", "1.50", [], [1], {}, {"a": 1}, "\x00", 99_999_999_999_999_999]
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), ODD), min_size=1, max_size=3), st.data())
def test_columns_of_odd_payloads_hold_what_is_read_one_by_one(
    payloads: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Kafka reads leniently what is not what its schema says."""
    drawn = {name: data.draw(fields())[0] for name in ("a", "b")}
    prefix = JsonConverter().from_connect_data("t", Schema(Type.STRUCT, fields=drawn, optional=True), None)
    assert prefix is not None
    written = [prefix.removesuffix(b"null}") + json.dumps(payload).encode() + b"}" for payload in payloads]
    converter = JsonConverter()
    columns = columns_of(converter, written)
    if columns is not None:
        assert [value for _, value in one_by_one(converter, written)] == rows(columns)


ORDER = Schema(Type.STRUCT, fields={"id": INT32_SCHEMA, "note": OPTIONAL_STRING_SCHEMA})


def order(id: int, schema: Schema = ORDER) -> bytes:
    data = JsonConverter().from_connect_data("t", schema, {"id": id})
    assert data is not None
    return data


@pytest.mark.parametrize(
    "other",
    [
        None,
        b"",
        b"}",
        b"\x00}",
        b"no JSON",
        b'{"id": 1}',
        order(1, Schema(Type.STRUCT, fields={"id": INT64_SCHEMA})),
        order(1)[:-1],
        order(1)[:-1] + b"]",
        order(1) + b"}",
        order(1).replace(b'"id":1', b'"id":"one"'),
        order(1).replace(b'"id":1', b'"id":4294967296'),
        order(1).replace(b'"id":1,', b""),
        order(1).replace(b'{"id":1,"note":null}', b"null"),
        order(1).replace(b'{"id":1,"note":null}', b'{"id":1},"payload":{"id":2}'),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_data_that_is_not_like_its_neighbours_is_left_alone(other: bytes | None, first: bool) -> None:
    deserialize = JsonConverter().column_deserializer("t")
    assert deserialize is not None
    batch = [other, order(2)] if first else [order(2), other]
    assert deserialize(batch) is None
    assert deserialize([order(2), order(3)]) == Columns(ORDER, ((2, 3), (None, None)))


def test_what_follows_an_envelope_of_unusual_form_is_read_by_its_own() -> None:
    """UTF-16, say, is JSON too; what comes next can have nothing in common with it."""
    odd = order(1).decode().encode("utf-16")
    _, _, payload = order(1)[:-1].partition(b',"payload":')
    converter = JsonConverter()
    deserialize, deserialize_columns = converter.deserializer("t"), converter.column_deserializer("t")
    assert deserialize_columns is not None
    assert deserialize(odd, None) == (ORDER, {"id": 1, "note": None})
    assert deserialize_columns([odd]) is None
    for bare in (payload + b"}", b"\x00" + payload + b"}"):
        assert deserialize_columns([bare]) is None
        with pytest.raises(DataError):
            deserialize(bare, None)


@pytest.mark.parametrize("payload", ["7", '"x"', "[1]", "null"])
def test_values_that_are_no_structs_are_left_alone(payload: str) -> None:
    assert columns_of(JsonConverter(), [b'{"schema":{"type":"int32"},"payload":%b}' % payload.encode()]) is None
    assert columns_of(JsonConverter(), [b'{"schema":null,"payload":%b}' % payload.encode()]) is None


def test_structs_that_are_no_rows_are_left_alone() -> None:
    """One has no fields, one is said to be a date."""
    data = b'{"schema":{"type":"struct","fields":[]},"payload":{"a":1}}'
    assert columns_of(JsonConverter(), [data, data]) is None
    assert JsonReader().column_decoder(ORDER) is not None
    assert JsonReader().column_decoder(ORDER.replace(name=DATE_NAME)) is None


def test_an_absent_field_has_its_default_or_is_null() -> None:
    fields = {"id": INT32_SCHEMA, "note": OPTIONAL_STRING_SCHEMA, "state": STRING_SCHEMA.replace(default="new")}
    data = order(1, Schema(Type.STRUCT, fields=fields))
    shortened = data.replace(b',"note":null,"state":"new"', b"")
    assert shortened != data
    columns = columns_of(JsonConverter(), [shortened])
    assert columns is not None
    assert rows(columns) == [{"id": 1, "note": None, "state": "new"}]


def test_a_list_that_is_a_default_is_not_shared() -> None:
    schema = (
        b'{"type":"struct","fields":[{"type":"array","items":{"type":"string"},"default":[],"field":"tags"}],'
        b'"optional":false}'
    )
    columns = columns_of(JsonConverter(), [b'{"schema":%b,"payload":{}}' % schema] * 2)
    assert columns is not None
    first, second = columns.values[0]
    assert first == second == []
    assert first is not second


@pytest.mark.parametrize("props", [{"schemas.enable": "false"}, {"schema.content": '{"type": "struct", "fields": []}'}])
def test_there_are_no_columns_without_the_envelope(props: dict[str, str]) -> None:
    converter = JsonConverter()
    converter.configure(props)
    assert converter.column_deserializer("t") is None
