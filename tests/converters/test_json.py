"""JsonConverter: round trips, envelopes, the errors' places, and what the quick ways must not change."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import ConfigError, DataError
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_SCHEMA,
    FLOAT32_SCHEMA,
    FLOAT64_SCHEMA,
    INT8_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_DATE_SCHEMA,
    OPTIONAL_INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect.schema_builder import SchemaBuilder
from kconnect_converters.json import JsonConverter
from kconnect_converters.json_reader import JsonReader
from kconnect_converters.json_writer import JsonWriter

MILLIS = st.integers(0, 4_000_000_000_000)
VALUES: dict[Schema, st.SearchStrategy[Any]] = {
    INT8_SCHEMA: st.integers(-128, 127),
    INT32_SCHEMA: st.integers(-(1 << 31), (1 << 31) - 1),
    INT64_SCHEMA: st.integers(-(1 << 63), (1 << 63) - 1),
    FLOAT32_SCHEMA: st.floats(width=32, allow_nan=False, allow_infinity=False),
    FLOAT64_SCHEMA: st.floats(allow_nan=False, allow_infinity=False),
    BOOLEAN_SCHEMA: st.booleans(),
    STRING_SCHEMA: st.text(),
    BYTES_SCHEMA: st.binary(max_size=20),
    DATE_SCHEMA: st.dates(),
    TIME_SCHEMA: MILLIS.map(lambda ms: time(ms // 1000 % 24, ms % 60, 0, ms % 1000 * 1000)),
    TIMESTAMP_SCHEMA: MILLIS.map(lambda ms: datetime.fromtimestamp(ms // 1000, UTC)),
    decimal_schema(2): st.integers().map(lambda n: Decimal((n < 0, tuple(map(int, str(abs(n)))), -2))),
}


def optional(schema: Schema, values: st.SearchStrategy[Any]) -> tuple[Schema, st.SearchStrategy[Any]]:
    return schema.replace(optional=True), st.none() | values


@st.composite
def typed_values(draw: st.DrawFn, depth: int = 2) -> tuple[Schema, Any]:
    schema, strategy = draw(schemas(depth))
    return schema, draw(strategy)


@st.composite
def schemas(draw: st.DrawFn, depth: int) -> tuple[Schema, st.SearchStrategy[Any]]:
    kind = draw(st.sampled_from(["bare", "bare", "array", "map", "struct"] if depth else ["bare"]))
    if kind == "bare":
        schema = draw(st.sampled_from(sorted(VALUES, key=repr)))
        found = (schema, VALUES[schema])
    elif kind == "array":
        inner, values = draw(schemas(depth - 1))
        found = (SchemaBuilder.array(inner).build(), st.lists(values, max_size=3))
    elif kind == "map":
        inner, values = draw(schemas(depth - 1))
        keys = draw(st.sampled_from([STRING_SCHEMA, INT32_SCHEMA, DATE_SCHEMA]))
        found = (SchemaBuilder.map(keys, inner).build(), st.dictionaries(VALUES[keys], values, max_size=3))
    else:
        names = draw(st.lists(st.text('ab"\\é ', min_size=1, max_size=3), max_size=4, unique=True))
        fields = {name: draw(schemas(depth - 1)) for name in names}
        schema = Schema(Type.STRUCT, fields={name: schema for name, (schema, _) in fields.items()})
        found = (schema, st.fixed_dictionaries({name: values for name, (_, values) in fields.items()}))
    return optional(*found) if draw(st.booleans()) else found


def configured(**props: str) -> JsonConverter:
    converter = JsonConverter()
    converter.configure({name.replace("_", "."): value for name, value in props.items()})
    return converter


@given(typed_values(), st.sampled_from(["BASE64", "NUMERIC"]))
def test_what_is_written_is_read_back(typed: tuple[Schema, Any], decimals: str) -> None:
    schema, value = typed
    converter = configured(decimal_format=decimals)
    data = converter.from_connect_data("t", schema, value)
    read = converter.to_connect_data("t", data)
    assert read.schema is schema
    assert read.value == value


@given(typed_values(), st.sampled_from(["BASE64", "NUMERIC"]))
def test_the_quick_ways_do_what_the_careful_ways_do(typed: tuple[Schema, Any], decimals: str) -> None:
    schema, value = typed
    writer, reader = JsonWriter(numeric_decimals=decimals == "NUMERIC"), JsonReader()
    data = writer.encoder(schema)(value)
    assert data == writer.encode(schema, value)
    assert reader.decoder(schema)(data) == reader.decode(schema, data) == value


ANYTHING = st.sampled_from(
    [
        None,
        True,
        128,
        1 << 64,
        1.5,
        float("nan"),
        "AQ==",
        "\ud800",
        b"x",
        bytearray(b"x"),
        [1],
        [True],
        (1, 2),
        {1, 2},
        {"a": 1},
        {1: 2},
        {None: 1},
        object(),
        Decimal("1.50"),
        Decimal("NaN"),
        date(2020, 1, 1),
        datetime(2020, 1, 1),
        datetime(2020, 1, 1, tzinfo=UTC),
        time(1, tzinfo=UTC),
    ]
)


def outcome(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except DataError:
        return DataError


@given(schemas(1), st.lists(ANYTHING, max_size=3), st.booleans())
def test_the_quick_ways_refuse_what_the_careful_ways_refuse(
    typed: tuple[Schema, Any], items: list[Any], numeric: bool
) -> None:
    inner, _ = typed
    schema = Schema(Type.STRUCT, fields={"a": inner, "b": Schema(Type.ARRAY, value_schema=inner, optional=True)})
    value = {"a": items[0], "b": items[1:]} if items else {}
    writer = JsonWriter(numeric_decimals=numeric)
    assert outcome(writer.encoder(schema), value) == outcome(writer.encode, schema, value)


@given(schemas(1), schemas(1), st.data())
def test_the_quick_ways_read_what_the_careful_ways_read(
    written: tuple[Schema, Any], read: tuple[Schema, Any], data: st.DataObject
) -> None:
    text = JsonWriter().encode(written[0], data.draw(written[1]))
    reader = JsonReader()
    assert outcome(reader.decoder(read[0]), text) == outcome(reader.decode, read[0], text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_schemaless_values_are_read_back(value: Any) -> None:
    converter = configured(schemas_enable="false")
    read = converter.to_connect_data("t", converter.from_connect_data("t", None, value))
    assert read.schema is None
    assert read.value == json.loads(
        json.dumps(value), parse_constant=lambda name: name
    )  # the infinities are written as text


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_are_a_data_error(data: bytes) -> None:
    for converter in (configured(), configured(schemas_enable="false")):
        with suppress(DataError):
            converter.to_connect_data("t", data)


ORDER = (
    SchemaBuilder.struct()
    .name("order")
    .field("id", INT64_SCHEMA)
    .field("day", OPTIONAL_DATE_SCHEMA)
    .field("items", SchemaBuilder.array(SchemaBuilder.struct().field("price", decimal_schema(2)).build()).build())
    .build()
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"id": "1", "items": []}, r"^id: Schema\(int64\) takes int, not str '1'"),
        ({"id": True, "items": []}, r"^id: .* not bool True"),
        ({"id": 1 << 63, "items": []}, r"^id: 9223372036854775808 does not fit"),
        ({"id": 1, "items": [{"price": Decimal("NaN")}]}, r"^items\[0\]\.price: decimal NaN"),
        ({"id": 1, "day": "2020-01-01", "items": []}, r"^day: .* takes date"),
        ({"id": 1, "day": datetime(2020, 1, 1, tzinfo=UTC), "items": []}, r"^day: .* takes date"),
        (
            {"id": 1, "items": [{"price": Decimal("1.00")}, {"price": Decimal("1.0")}]},
            r"^items\[1\]\.price: decimal 1\.0 ",
        ),
        ({"id": 1, "items": None}, "^items: null, but"),
        ({"id": 1}, "^items: null, but"),
        ({"id": 1, "items": [], "extra": 1}, r"has no field extra"),
        ([], "^value: .* takes dict"),
        (None, "^value: null, but"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_place(value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        configured().from_connect_data("t", ORDER, value)


@pytest.mark.parametrize(
    "value",
    [Decimal("1.5"), datetime(2020, 1, 1, tzinfo=UTC), date(2020, 1, 1), {"a": {"b": object()}}, [{1, 2}]],
)
def test_schemaless_values_that_json_has_no_word_for_are_refused(value: Any) -> None:
    converter = configured(schemas_enable="false")
    with pytest.raises(DataError):
        converter.from_connect_data("t", None, value)
    with pytest.raises(DataError):
        converter.from_connect_data("t", None, {"field": value})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_lacks_are_written_by_name_not_as_null(number: float) -> None:
    schema = Schema(Type.STRUCT, fields={"n": Schema(Type.FLOAT64, optional=True)})
    converter = configured(schemas_enable="false")
    for of in (schema, None):
        data = converter.from_connect_data("t", of, {"n": number})
        assert data in (b'{"n":"NaN"}', b'{"n":"Infinity"}', b'{"n":"-Infinity"}')
        assert repr(JsonReader().decoder(schema)(data)) == repr({"n": number})


@pytest.mark.parametrize("schema", [FLOAT32_SCHEMA, FLOAT64_SCHEMA])
def test_an_integer_may_stand_for_a_float_if_it_fits(schema: Schema) -> None:
    converter = configured(schemas_enable="false")
    struct = Schema(Type.STRUCT, fields={"n": schema})
    assert converter.from_connect_data("t", struct, {"n": 5}) == b'{"n":5.0}'
    with pytest.raises(DataError, match=r"^n: 1000.* does not fit into float"):
        converter.from_connect_data("t", struct, {"n": 10**400})


def test_half_a_surrogate_pair_is_a_data_error() -> None:
    with pytest.raises(DataError, match="UTF-8"):
        configured().from_connect_data("t", STRING_SCHEMA, "\ud800")


def test_fields_come_in_the_schema_s_order_whatever_the_dict_s() -> None:
    schema = SchemaBuilder.struct().field("a", INT32_SCHEMA).field("b", OPTIONAL_STRING_SCHEMA).build()
    converter = configured(schemas_enable="false")
    assert converter.from_connect_data("t", schema, {"b": "x", "a": 1}) == b'{"a":1,"b":"x"}'
    assert converter.from_connect_data("t", schema, {"a": 1}) == b'{"a":1,"b":null}'


def test_an_absent_optional_field_is_read_as_null() -> None:
    schema = SchemaBuilder.struct().field("a", INT32_SCHEMA).field("b", OPTIONAL_INT64_SCHEMA).build()
    assert JsonReader().decoder(schema)(b'{"a":1,"unknown":2}') == {"a": 1, "b": None}


def test_an_absent_field_is_read_into_its_place_in_the_schema() -> None:
    schema = SchemaBuilder.struct().field("a", OPTIONAL_INT64_SCHEMA).field("b", INT32_SCHEMA).build()
    outer = (
        SchemaBuilder.struct().field("in", schema).field("day", OPTIONAL_DATE_SCHEMA).field("c", INT32_SCHEMA).build()
    )
    value = JsonReader().decoder(outer)(b'{"in":{"b":1},"c":2}')
    assert json.dumps(value) == '{"in": {"a": null, "b": 1}, "day": null, "c": 2}'


@pytest.mark.parametrize(("replace", "read"), [("true", 7), ("false", None)])
def test_defaults_stand_in_for_null_unless_told_otherwise(replace: str, read: int | None) -> None:
    schema = Schema(Type.STRUCT, fields={"a": Schema(Type.INT32, optional=True, default=7)})
    converter = configured(replace_null_with_default=replace)
    data = converter.from_connect_data("t", schema, {"a": None})
    assert data is not None
    assert json.loads(data)["payload"] == {"a": read}
    assert converter.to_connect_data("t", data).value == {"a": read}
    absent = data.replace(b'"payload":' + data.partition(b'"payload":')[2][:-1], b'"payload":{}')
    assert converter.to_connect_data("t", absent).value == {"a": read}


def test_a_default_is_not_shared_with_what_is_read() -> None:
    schema = Schema(Type.STRUCT, fields={"a": Schema(Type.ARRAY, value_schema=INT32_SCHEMA, default=[1])})
    decode = JsonReader().decoder(schema)
    decode(b"{}")["a"].append(2)
    assert decode(b"{}") == {"a": [1]}


def test_a_deserializer_follows_a_change_of_schema() -> None:
    converter = configured()
    small, large = (
        Schema(Type.STRUCT, fields={"a": INT32_SCHEMA}),
        Schema(Type.STRUCT, fields={"a": INT32_SCHEMA, "b": DATE_SCHEMA}),
    )
    records = [(small, {"a": 1}), (small, {"a": 2}), (large, {"a": 3, "b": date(2020, 1, 1)}), (small, {"a": 4})]
    deserialize = converter.deserializer("t")
    for schema, value in records:
        assert deserialize(converter.from_connect_data("t", schema, value), None) == (schema, value)


def test_a_bad_record_does_not_spoil_the_next() -> None:
    converter = configured()
    good = converter.from_connect_data("t", ORDER, {"id": 1, "items": []})
    assert good is not None
    deserialize = converter.deserializer("t")
    deserialize(good, None)
    empty = good.partition(b'"payload":')[0] + b'"payload":}'
    for bad in (empty, good[:-1], good + b"}", good.replace(b'{"id":1', b'{"id":nul'), b"", b"{}", b"\xff"):
        with pytest.raises(DataError):
            deserialize(bad, None)
        assert deserialize(good, None) == (ORDER, {"id": 1, "day": None, "items": []})


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"schema":{"type":"int32"},"payload":1,"payload":2}', 2),
        (b'{"payload":3,"schema":{"type":"int32"}}', 3),
        (b'{ "schema": {"type":"int32"}, "payload": 4 }', 4),
        (b'{"schema":{"type":"int32"},"payload":1}', 1),
    ],
)
def test_envelopes_of_unusual_form_are_read(data: bytes, value: int) -> None:
    deserialize = configured().deserializer("t")
    deserialize(b'{"schema":{"type":"int32"},"payload":0}', None)
    assert deserialize(data, None) == (INT32_SCHEMA, value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"schema":{"type":"struct","fields":[{"field":"a","type":"int32"}]},"payload":{"a":null}}', "^a: null, but"),
        (b'{"schema":{"type":"array","items":{"type":"int32"}},"payload":[1,null]}', r"^\[1\]: null, but"),
        (b'{"schema":{"type":"nope"},"payload":1}', "unknown schema type 'nope'; there are int8"),
        (b'{"a":1}', "schemas.enable=false"),
        (b"plain text", "not JSON"),
    ],
)
def test_data_that_cannot_be_read_says_where_and_why(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        configured().to_connect_data("t", data)


def test_a_number_of_a_billion_digits_is_refused_not_written_out() -> None:
    with pytest.raises(DataError, match="digits"):
        JsonReader().decode(INT64_SCHEMA, b"1e1000000000")


@pytest.mark.parametrize(
    ("props", "key"),
    [
        ({"schemas_enable": "maybe"}, "schemas.enable"),
        ({"decimal_format": "HEX"}, "decimal.format"),
        ({"schema_content": "{bad"}, "schema.content"),
        ({"schema_content": '{"type":"nope"}'}, "schema.content"),
    ],
)
def test_a_wrong_setting_is_named(props: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        configured(**props)


def test_the_content_of_a_given_schema_needs_no_envelope() -> None:
    content = '{"type":"struct","fields":[{"field":"a","type":"int32"}]}'
    read = configured(schema_content=content).to_connect_data("t", b'{"a":1}')
    assert read == (Schema(Type.STRUCT, fields={"a": INT32_SCHEMA}), {"a": 1})


@pytest.mark.parametrize("blank", [b"", b" ", b"\n"])
def test_blank_data_without_an_envelope_is_null(blank: bytes) -> None:
    assert configured(schemas_enable="false").to_connect_data("t", blank) == (None, None)
    with pytest.raises(DataError):
        configured().to_connect_data("t", blank)


def test_a_tombstone_stays_one() -> None:
    for converter in (configured(), configured(schemas_enable="false")):
        assert converter.serializer("t", None)(None, None) is None
        assert converter.deserializer("t")(None, None) == (None, None)
