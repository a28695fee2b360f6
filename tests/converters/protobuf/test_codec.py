"""Protobuf of any Connect schema and value: read back, and read by google's library alone."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf import json_format
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
    OPTIONAL_INT32_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect_converters.protobuf.config import ProtobufDataConfig
from kconnect_converters.protobuf.decoder import compile_decoder
from kconnect_converters.protobuf.encoder import compile_encoder
from kconnect_converters.protobuf.files import ProtoFile, file_of, message_class, parse_file, wrappers_file
from kconnect_converters.protobuf.from_protobuf import ConnectSchemas
from kconnect_converters.protobuf.names import WRAPPER_OF
from kconnect_converters.protobuf.to_protobuf import protobuf_file

CONFIG = ProtobufDataConfig()
LABELS = ProtobufDataConfig(optional_for_nullables=True)
WRAPPERS = ProtobufDataConfig(wrapper_for_nullables=True)
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
KEYS = (STRING_SCHEMA, INT32_SCHEMA, INT64_SCHEMA, BOOLEAN_SCHEMA, DATE_SCHEMA)
FIELD_NAMES = ("id", "from", "a_b", "camelCase", "x1", "None", "value", "key", "DESCRIPTOR_")


@st.composite
def structs(draw: st.DrawFn, depth: int = 2) -> Schema:
    chosen = draw(st.lists(st.sampled_from(FIELD_NAMES), max_size=5, unique=True))
    fields = {name: draw(schemas(depth - 1)) for name in chosen}
    return Schema(Type.STRUCT, fields=fields)


@st.composite
def schemas(draw: st.DrawFn, depth: int) -> Schema:
    kind = draw(st.sampled_from(("leaf", "leaf", "array", "map", "struct") if depth else ("leaf",)))
    optional = draw(st.booleans())
    leaf = draw(st.sampled_from(list(VALUES)))
    if kind == "leaf":
        return leaf.replace(optional=optional)
    if kind == "struct":
        return draw(structs(depth)).replace(optional=True)
    held = draw(st.just(leaf) | structs(depth))
    if kind == "array":
        return Schema(Type.ARRAY, optional=optional, value_schema=held)
    return Schema(Type.MAP, optional=optional, key_schema=draw(st.sampled_from(KEYS)), value_schema=held)


def values(schema: Schema, config: ProtobufDataConfig) -> st.SearchStrategy[Any]:
    """Without what Protobuf cannot tell apart: null and the default, null and nothing in an array or map."""
    made = _required(schema, config)
    tells = schema.type is Type.STRUCT or config is not CONFIG
    if not schema.optional or schema.type in (Type.ARRAY, Type.MAP) or not tells:
        return made
    return st.none() | made


def _required(schema: Schema, config: ProtobufDataConfig) -> st.SearchStrategy[Any]:
    if schema.type is Type.STRUCT:
        return st.fixed_dictionaries({field.name: values(field.schema, config) for field in schema.fields})
    if schema.type is Type.ARRAY and schema.value_schema is not None:
        return st.lists(_required(schema.value_schema, config), max_size=4)
    if schema.type is Type.MAP and schema.key_schema is not None and schema.value_schema is not None:
        return st.dictionaries(_required(schema.key_schema, config), _required(schema.value_schema, config), max_size=4)
    return VALUES[schema.replace(optional=False)]


def round_trip(schema: Schema, value: Any, config: ProtobufDataConfig, file: ProtoFile | None = None) -> Any:
    file = file or file_of(protobuf_file(schema, config))
    descriptor = file.message([0])
    data = compile_encoder(schema, descriptor, config, b"")(value)
    read_schema = ConnectSchemas(config).schema(descriptor)
    return compile_decoder(descriptor, read_schema, config)(data, 0)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([CONFIG, LABELS, WRAPPERS]))
def test_what_is_written_is_read_back(data: st.DataObject, config: ProtobufDataConfig) -> None:
    schema = data.draw(structs())
    value = data.draw(values(schema, config))
    assert round_trip(schema, value, config) == value


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_the_text_says_what_the_descriptor_says(data: st.DataObject) -> None:
    """As protoc reads it, which takes its time."""
    schema = data.draw(structs())
    config = data.draw(st.sampled_from([CONFIG, LABELS, WRAPPERS]))
    file = file_of(protobuf_file(schema, config))
    parsed = parse_file(file.text, [])
    assert ConnectSchemas(config).schema(parsed.message([0])) == ConnectSchemas(config).schema(file.message([0]))
    value = data.draw(values(schema, config))
    assert round_trip(schema, value, config, parsed) == value


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_data_that_is_cut_or_garbled_is_a_data_error_or_a_value_and_nothing_else(data: st.DataObject) -> None:
    schema = data.draw(structs())
    descriptor = file_of(protobuf_file(schema, CONFIG)).message([0])
    written = compile_encoder(schema, descriptor, CONFIG, b"")(data.draw(values(schema, CONFIG)))
    decode = compile_decoder(descriptor, ConnectSchemas(CONFIG).schema(descriptor), CONFIG)
    garbled = data.draw(st.binary(max_size=30) | st.integers(0, len(written)).map(lambda size: written[:size]))
    with suppress(DataError):
        decode(garbled, 0)


ORDER = Schema(
    Type.STRUCT,
    name="shop.Order",
    fields={
        "id": INT64_SCHEMA,
        "small": INT8_SCHEMA,
        "note": OPTIONAL_STRING_SCHEMA,
        "price": decimal_schema(2),
        "at": TIMESTAMP_SCHEMA,
        "day": DATE_SCHEMA,
        "time": TIME_SCHEMA,
        "tags": Schema(Type.ARRAY, value_schema=STRING_SCHEMA),
        "sizes": Schema(Type.MAP, key_schema=STRING_SCHEMA, value_schema=INT32_SCHEMA),
    },
)
GOOD: dict[str, Any] = {
    "id": 1,
    "small": -3,
    "note": "x",
    "price": Decimal("-1.50"),
    "at": datetime(2026, 5, 1, 12, 30, 0, 250_000, tzinfo=UTC),
    "day": date(2026, 5, 1),
    "time": time(12, 30),
    "tags": ["a", "ü"],
    "sizes": {"S": 38},
}


def test_google_reads_what_is_written() -> None:
    descriptor = file_of(protobuf_file(ORDER, CONFIG)).message([0])
    message = message_class(descriptor).FromString(compile_encoder(ORDER, descriptor, CONFIG, b"")(GOOD))
    assert json_format.MessageToDict(message) == {
        "id": "1",
        "small": -3,
        "note": "x",
        "price": {"value": "/2o=", "precision": 3, "scale": 2},
        "at": "2026-05-01T12:30:00.250Z",
        "day": {"year": 2026, "month": 5, "day": 1},
        "time": {"hours": 12, "minutes": 30},
        "tags": ["a", "ü"],
        "sizes": [{"key": "S", "value": 38}],
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"id": 2**63}, "id"),
        ({"id": True}, "id"),
        ({"id": "1"}, "id"),
        ({"id": None}, "id"),
        ({"small": 128}, "small"),
        ({"note": 5}, "note"),
        ({"note": b"x"}, "note"),
        ({"note": "\ud800"}, "surrogates"),
        ({"price": 1.5}, "price"),
        ({"price": Decimal("NaN")}, "finite"),
        ({"at": datetime(2026, 1, 1)}, "at"),
        ({"day": datetime(2026, 1, 1, tzinfo=UTC)}, "day"),
        ({"time": time(12, tzinfo=UTC)}, "zone"),
        ({"tags": ["a", None]}, r"tags\[1\]"),
        ({"tags": "ab"}, "tags"),
        ({"sizes": {"S": 2**31}}, "sizes"),
        ({"sizes": [("S", 1)]}, "sizes"),
        ({"other": 1}, "other"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_place(wrong: dict[str, Any], said: str) -> None:
    encode = compile_encoder(ORDER, file_of(protobuf_file(ORDER, CONFIG)).message([0]), CONFIG, b"")
    assert encode(GOOD)
    with pytest.raises(DataError, match=said):
        encode(GOOD | wrong)


WIDER = """syntax = "proto3"; package shop;
message Other { string x = 1; }
message Order { int64 id = 7; string note = 1; optional string added = 2;
  oneof which { int32 a = 3; string b = 4; } }"""
TWO = Schema(Type.STRUCT, name="shop.Order", fields={"id": INT32_SCHEMA, "note": OPTIONAL_STRING_SCHEMA})


def test_records_are_written_by_a_wider_schema_than_their_own() -> None:
    file = parse_file(WIDER, [])
    assert file.indexes("shop.Order") == [1]
    descriptor = file.message([1])
    written = compile_encoder(TWO, descriptor, CONFIG, b"")({"id": 5, "note": "x"})
    read = compile_decoder(descriptor, ConnectSchemas(CONFIG).schema(descriptor), CONFIG)(written, 0)
    assert read == {"id": 5, "note": "x", "added": None, "which_0": None}


def test_fields_that_the_schema_lacks_are_dropped_only_when_that_is_asked_for() -> None:
    descriptor = parse_file(WIDER, []).message([1])
    more = Schema(Type.STRUCT, name="shop.Order", fields={"id": INT32_SCHEMA, "gone": STRING_SCHEMA})
    assert compile_encoder(more, descriptor, CONFIG, b"", lossy=True)({"id": 5, "gone": "x"}) == b"\x38\x05"
    with pytest.raises(DataError, match="no field gone"):
        compile_encoder(more, descriptor, CONFIG, b"")
    changed = Schema(Type.STRUCT, name="shop.Order", fields={"id": STRING_SCHEMA})
    with pytest.raises(DataError, match=r"cannot be written as shop\.Order\.id"):
        compile_encoder(changed, descriptor, CONFIG, b"")


UNION = """syntax = "proto3"; package shop;
message M { oneof which { int32 a = 1; string b = 2; N n = 5; } string after = 3; message N { int32 i = 1; } }"""


@pytest.mark.parametrize("value", [{"a": 0}, {"b": ""}, {"n": {"i": 0}}, {"n": {"i": 4}}, None])
def test_a_oneof_is_its_one_member(value: dict[str, Any] | None) -> None:
    descriptor = parse_file(UNION, []).message([0])
    schema = ConnectSchemas(CONFIG).schema(descriptor)
    held = None if value is None else dict.fromkeys(("a", "b", "n")) | value
    record = {"which_0": held, "after": "z"}
    data = compile_encoder(schema, descriptor, CONFIG, b"")(record)
    assert compile_decoder(descriptor, schema, CONFIG)(data, 0) == record
    own = file_of(protobuf_file(schema, CONFIG)).message([0])
    assert compile_encoder(schema, own, CONFIG, b"")(record) == data


def test_the_members_of_a_oneof_can_be_fields_of_their_message() -> None:
    flat = ProtobufDataConfig(flatten_unions=True)
    descriptor = parse_file(UNION, []).message([0])
    schema = ConnectSchemas(flat).schema(descriptor)
    assert compile_decoder(descriptor, schema, flat)(b"\x12\x01x", 0) == {"a": None, "b": "x", "n": None, "after": ""}


def test_a_oneof_of_which_no_member_has_a_value_is_refused() -> None:
    descriptor = parse_file(UNION, []).message([0])
    schema = ConnectSchemas(CONFIG).schema(descriptor)
    with pytest.raises(DataError, match="oneof"):
        compile_encoder(schema, descriptor, CONFIG, b"")({"which_0": {"a": None}})


KINDS = """syntax = "proto3";
enum Kind { A = 0; B = 7; }
message M { Kind kind = 1; repeated Kind kinds = 2; map<string, Kind> by_name = 3; uint64 large = 4; fixed32 f = 5;
  sint32 s = 6; map<int32, N> nested = 7; message N { int32 i = 1; } }"""


def test_enums_unsigned_numbers_and_maps_are_read_as_java_reads_them_and_written_back() -> None:
    descriptor = parse_file(KINDS, []).message([0])
    message = message_class(descriptor)(
        kind=7, kinds=[0, 7, 9], by_name={"x": 7}, large=2**64 - 1, f=2**32 - 1, s=-5, nested={3: {"i": 4}}
    )
    schema = ConnectSchemas(CONFIG).schema(descriptor)
    read = compile_decoder(descriptor, schema, CONFIG)(message.SerializeToString(), 0)
    assert read == {
        "kind": "B",
        "kinds": ["A", "B", "UNKNOWN_ENUM_VALUE_Kind_9"],
        "by_name": {"x": "B"},
        "large": -1,
        "f": 2**32 - 1,
        "s": -5,
        "nested": {3: {"i": 4}},
    }
    known = read | {"kinds": ["A", "B"]}
    for target in (descriptor, file_of(protobuf_file(schema, CONFIG)).message([0])):
        data = compile_encoder(schema, target, CONFIG, b"")(known)
        assert compile_decoder(descriptor, schema, CONFIG)(data, 0) == known
    with pytest.raises(DataError, match="none of its symbols"):
        compile_encoder(schema, descriptor, CONFIG, b"")({"kind": "C"})


def test_enums_can_be_numbers() -> None:
    numbers = ProtobufDataConfig(int_for_enums=True)
    descriptor = parse_file(KINDS, []).message([0])
    schema = ConnectSchemas(numbers).schema(descriptor)
    read = compile_decoder(descriptor, schema, numbers)(b"\x08\x07", 0)
    assert read["kind"] == 7
    assert compile_encoder(schema, descriptor, numbers, b"")({"kind": 7}) == b"\x08\x07"


@pytest.mark.parametrize(
    ("schema", "value"),
    [(INT32_SCHEMA, 5), (INT64_SCHEMA, 0), (STRING_SCHEMA, "x"), (BYTES_SCHEMA, b"x"), (BOOLEAN_SCHEMA, True)],
)
def test_values_that_are_no_structs_are_wrappers(schema: Schema, value: Any) -> None:
    file = wrappers_file()
    descriptor = file.message(file.indexes(WRAPPER_OF[schema.type]))
    data = compile_encoder(schema, descriptor, CONFIG, b"")(value)
    assert message_class(descriptor).FromString(data).value == value
    assert ConnectSchemas(CONFIG).schema(descriptor) == schema
    assert compile_decoder(descriptor, schema, CONFIG)(data, 0) == value


def test_null_and_the_default_can_be_told_apart_by_label_or_wrapper() -> None:
    schema = Schema(Type.STRUCT, fields={"n": OPTIONAL_INT32_SCHEMA})
    assert [round_trip(schema, {"n": n}, CONFIG)["n"] for n in (None, 0, 1)] == [0, 0, 1]
    for config in (LABELS, WRAPPERS):
        assert [round_trip(schema, {"n": n}, config)["n"] for n in (None, 0, 1)] == [None, 0, 1]
