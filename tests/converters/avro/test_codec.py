"""The binary form: byte for byte what fastavro writes, read back as it was."""

from __future__ import annotations

import io
import json
import math
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kconnect import float32, logical
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
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.decoder import compile_decoder
from kconnect_converters.avro.encoder import compile_encoder
from kconnect_converters.avro.from_avro import ConnectSchemas
from kconnect_converters.avro.schema import AvroSchema, parse_schema
from kconnect_converters.avro.to_avro import avro_schema

CONFIG = AvroDataConfig()
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
    FLOAT32_SCHEMA: st.floats(width=32, allow_nan=False),
    FLOAT64_SCHEMA: st.floats(allow_nan=False),
    BOOLEAN_SCHEMA: st.booleans(),
    STRING_SCHEMA: st.text(),
    BYTES_SCHEMA: st.binary(),
    DATE_SCHEMA: st.dates(),
    TIME_SCHEMA: milliseconds(0, 86_399_999).map(datetime.time),
    TIMESTAMP_SCHEMA: milliseconds(-62_135_596_800_000, 253_402_300_799_000),
    decimal_schema(3): st.integers(-(10**24), 10**24).map(lambda n: Decimal(n).scaleb(-3)),
}


@st.composite
def schemas(draw: st.DrawFn, depth: int = 2) -> Schema:
    kind = draw(st.sampled_from(("leaf", "leaf", "array", "map", "entries", "struct") if depth else ("leaf",)))
    optional = draw(st.booleans())
    if kind == "leaf":
        return draw(st.sampled_from(list(VALUES))).replace(optional=optional)
    if kind == "struct":
        held = draw(st.lists(schemas(depth - 1), max_size=4))
        fields = {f"f{index}": schema for index, schema in enumerate(held)}
        return Schema(Type.STRUCT, optional=optional, fields=fields)
    value = draw(schemas(depth - 1))
    if kind == "array":
        return Schema(Type.ARRAY, optional=optional, value_schema=value)
    key = STRING_SCHEMA if kind == "map" else INT32_SCHEMA
    return Schema(Type.MAP, optional=optional, key_schema=key, value_schema=value)


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


def as_fastavro_has_it(schema: Schema | None, value: Any) -> Any:
    """A map with other keys than strings is a list of entries to it, a decimal its unscaled bytes."""
    if value is None or schema is None:
        return None
    if schema.type is Type.STRUCT:
        return {field.name: as_fastavro_has_it(field.schema, value[field.name]) for field in schema.fields}
    if schema.type is Type.ARRAY:
        return [as_fastavro_has_it(schema.value_schema, each) for each in value]
    if schema.type is Type.MAP:
        entries = {key: as_fastavro_has_it(schema.value_schema, each) for key, each in value.items()}
        if schema.key_schema is STRING_SCHEMA:
            return entries
        return [{"key": key, "value": each} for key, each in entries.items()]
    if isinstance(value, Decimal):  # fastavro writes some in a byte more than they need, -128 among them
        return logical.unscaled_bytes(value, 3)
    return value


def written_by_fastavro(avro: AvroSchema, datum: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(str(avro))), datum)
    return out.getvalue()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_is_written_is_what_fastavro_writes_and_is_read_back(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    value = data.draw(values(schema))
    avro = avro_schema(schema, CONFIG)
    written = compile_encoder(schema, avro, CONFIG)(value)
    assert written == written_by_fastavro(avro, as_fastavro_has_it(schema, value))
    parsed = parse_schema(str(avro))
    assert str(parsed) == str(avro)
    read_schema = ConnectSchemas(CONFIG).schema(parsed)
    assert read_schema is not None
    assert read_schema.type is schema.type
    assert compile_decoder(parsed, read_schema)(written, 0) == value


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | integers(64) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | integers(8), inner, max_size=3),
        max_leaves=10,
    )
)
def test_values_without_a_schema_are_read_back(value: Any) -> None:
    avro = avro_schema(None, CONFIG)
    written = compile_encoder(None, avro, CONFIG)(value)
    assert compile_decoder(avro, ConnectSchemas(CONFIG).schema(avro))(written, 0) == value


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_data_that_is_cut_or_garbled_is_a_data_error_or_a_value_and_nothing_else(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    avro = avro_schema(schema, CONFIG)
    written = compile_encoder(schema, avro, CONFIG)(data.draw(values(schema)))
    decode = compile_decoder(avro, ConnectSchemas(CONFIG).schema(avro))
    garbled = data.draw(st.binary(max_size=30) | st.just(written).map(lambda whole: whole[: len(whole) // 2]))
    with suppress(DataError):
        decode(garbled, 0)


RECORD = Schema(
    Type.STRUCT,
    name="shop.Order",
    fields={
        "id": INT32_SCHEMA,
        "price": FLOAT64_SCHEMA,
        "note": OPTIONAL_STRING_SCHEMA,
        "tags": Schema(Type.ARRAY, value_schema=STRING_SCHEMA),
    },
)
GOOD: dict[str, Any] = {"id": 1, "price": 1.5, "note": None, "tags": ["a"]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"id": 2**31}, "id"),
        ({"id": True}, "id"),
        ({"id": "1"}, "id"),
        ({"id": None}, "id"),
        ({"price": "1"}, "price"),
        ({"price": True}, "price"),
        ({"note": 5}, "note"),
        ({"note": b"x"}, "note"),
        ({"note": "\ud800"}, "surrogates"),
        ({"tags": ["a", None]}, r"tags\[1\]"),
        ({"tags": "ab"}, "tags"),
        ({"other": 1}, "other"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_place(wrong: dict[str, Any], said: str) -> None:
    encode = compile_encoder(RECORD, avro_schema(RECORD, CONFIG), CONFIG)
    assert encode(GOOD)
    with pytest.raises(DataError, match=said):
        encode(GOOD | wrong)


def test_an_absent_field_is_null_and_an_integer_does_for_a_float() -> None:
    encode = compile_encoder(RECORD, avro_schema(RECORD, CONFIG), CONFIG)
    assert encode({"id": 1, "price": 2, "tags": []}) == encode({"id": 1, "price": 2.0, "note": None, "tags": []})


def test_a_default_is_written_for_null_unless_that_is_ignored() -> None:
    held = Schema(Type.INT32, optional=True, default=7)
    schema = Schema(Type.STRUCT, name="R", fields={"n": held})
    keeps_null = AvroDataConfig(ignore_default_for_nullables=True)
    avro = avro_schema(schema, CONFIG)
    assert compile_encoder(schema, avro, CONFIG)({"n": None}) == bytes((0, 14))
    assert compile_encoder(schema, avro, keeps_null)({"n": None}) == bytes((2,))


WIDER = """{"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "added", "type": ["null", "string"], "default": null},
    {"name": "id", "type": "long"},
    {"name": "price", "type": ["double", "null"]},
    {"name": "note", "type": ["null", "string"]},
    {"name": "tags", "type": {"type": "array", "items": ["string", "null"]}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}, "default": "B"}
]}"""


def test_records_are_written_by_a_wider_schema_than_their_own() -> None:
    avro = parse_schema(WIDER)
    written = compile_encoder(RECORD, avro, CONFIG)(GOOD)
    read = fastavro.schemaless_reader(io.BytesIO(written), fastavro.parse_schema(json.loads(WIDER)), None)
    assert read == {"added": None, "id": 1, "price": 1.5, "note": None, "tags": ["a"], "kind": "B"}


@pytest.mark.parametrize(
    ("schema", "avro"),
    [
        (INT64_SCHEMA, '"int"'),
        (INT64_SCHEMA, '["null", "int"]'),
        (FLOAT64_SCHEMA, '"float"'),
        (FLOAT64_SCHEMA, '"long"'),
        (BYTES_SCHEMA, '"string"'),
        (STRING_SCHEMA, '"boolean"'),
        (BOOLEAN_SCHEMA, '"int"'),
        (Schema(Type.ARRAY, value_schema=STRING_SCHEMA), '{"type": "map", "values": "string"}'),
        (Schema(Type.STRUCT, fields={}), '"string"'),
    ],
)
def test_what_would_be_lost_in_another_type_is_refused(schema: Schema, avro: str) -> None:
    with pytest.raises(DataError, match="cannot be written as"):
        compile_encoder(schema, parse_schema(avro), CONFIG)


NARROWER = '{"type": "record", "name": "Order", "namespace": "shop", "fields": [{"name": "id", "type": "int"}]}'


def test_fields_that_the_schema_lacks_are_dropped_only_when_that_is_asked_for() -> None:
    avro = parse_schema(NARROWER)
    assert compile_encoder(RECORD, avro, CONFIG, lossy=True)(GOOD) == b"\x02"
    with pytest.raises(DataError, match="no field price, note, tags"):
        compile_encoder(RECORD, avro, CONFIG)


def test_a_field_without_a_default_that_records_lack_is_refused() -> None:
    avro = parse_schema(WIDER.replace(', "default": "B"', ""))
    with pytest.raises(DataError, match="needs field kind"):
        compile_encoder(RECORD, avro, CONFIG)


@pytest.mark.parametrize(
    ("avro", "data"),
    [
        ('"string"', b"\x08ab"),
        ('"string"', b"\x08"),
        ('"string"', b"\x01"),
        ('"bytes"', b"\x08ab"),
        ('"double"', b"1234567"),
        ('"float"', b""),
        ('"long"', b"\x80"),
        ('"int"', b"\x80\x80\x80\x80\x10"),
        ('{"type": "int", "connect.type": "int8"}', b"\x80\x02"),
        ('["null", "int"]', b"\x04\x02"),
        ('["null", "int", "string"]', b"\x06"),
        ('{"type": "enum", "name": "E", "symbols": ["A"]}', b"\x02"),
        ('{"type": "fixed", "name": "F", "size": 4}', b"abc"),
        ('{"type": "array", "items": "int"}', b"\x04\x02"),
        ('{"type": "map", "values": "int"}', b"\x02\x04ab"),
        ('{"type": "bytes", "logicalType": "decimal", "precision": 4}', b"\x00"),
        ('{"type": "int", "logicalType": "time-millis"}', b"\x01"),
        ('{"type": "record", "name": "R", "fields": [{"name": "s", "type": "string"}]}', b"\x08ab"),
    ],
)
def test_data_that_its_schema_did_not_write_is_refused(avro: str, data: bytes) -> None:
    parsed = parse_schema(avro)
    with pytest.raises(DataError, match="no Avro of"):
        compile_decoder(parsed, ConnectSchemas(CONFIG).schema(parsed))(data, 0)


def test_a_block_that_claims_more_items_than_there_are_bytes_is_refused_at_once() -> None:
    avro = parse_schema('{"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}}')
    decode = compile_decoder(avro, ConnectSchemas(CONFIG).schema(avro))
    assert decode(bytes((6, 0)), 0) == [{}, {}, {}]
    with pytest.raises(DataError, match="items"):
        decode(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00", 0)


def test_arrays_in_several_blocks_with_sizes_are_read() -> None:
    avro = parse_schema('{"type": "array", "items": "int"}')
    decode = compile_decoder(avro, ConnectSchemas(CONFIG).schema(avro))
    assert decode(bytes((3, 4, 2, 4, 2, 6, 0)), 0) == [1, 2, 3]


def test_single_precision_is_kept() -> None:
    encode = compile_encoder(FLOAT32_SCHEMA, avro_schema(FLOAT32_SCHEMA, CONFIG), CONFIG)
    avro = avro_schema(FLOAT32_SCHEMA, CONFIG)
    decode = compile_decoder(avro, ConnectSchemas(CONFIG).schema(avro))
    assert decode(encode(0.1), 0) == float32.rounded(0.1)
    assert math.isnan(decode(encode(math.nan), 0))


@pytest.mark.parametrize("moment", [date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31)])
def test_days_at_the_ends_of_time_are_kept(moment: date) -> None:
    avro = avro_schema(DATE_SCHEMA, CONFIG)
    written = compile_encoder(DATE_SCHEMA, avro, CONFIG)(moment)
    assert compile_decoder(avro, DATE_SCHEMA)(written, 0) == moment


def test_a_time_with_a_zone_is_refused() -> None:
    encode = compile_encoder(TIME_SCHEMA, avro_schema(TIME_SCHEMA, CONFIG), CONFIG)
    with pytest.raises(DataError, match="zone"):
        encode(time(12, 0, tzinfo=UTC))
