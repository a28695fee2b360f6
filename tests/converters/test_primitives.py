"""Converters of one primitive type, and the registration of all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kconnect_converters
from kconnect.errors import ConfigError, DataError
from kconnect.plugin import PluginKind, load_class
from kconnect.plugins import Plugins
from kconnect.schema import (
    BYTES_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_FLOAT64_SCHEMA,
    OPTIONAL_INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    Schema,
    Type,
)
from kconnect_converters.header import SimpleHeaderConverter
from kconnect_converters.primitives import (
    BooleanConverter,
    ByteArrayConverter,
    DoubleConverter,
    LongConverter,
    ShortConverter,
    StringConverter,
)


@given(st.text())
def test_text_round_trips(text: str) -> None:
    converter = StringConverter()
    serialize, deserialize = converter.serializer("t", STRING_SCHEMA), converter.deserializer("t")
    assert deserialize(serialize(text, None), None) == (OPTIONAL_STRING_SCHEMA, text.encode(errors="replace").decode())


@given(st.text(), st.sampled_from(["UTF-16", "UTF-16LE", "UTF-32"]))
def test_text_round_trips_in_other_encodings(text: str, encoding: str) -> None:
    converter = StringConverter()
    converter.configure({"converter.encoding": encoding})
    written = text.encode(errors="replace").decode()
    assert converter.to_connect_data("t", converter.from_connect_data("t", None, written)).value == written


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(ConfigError, match=r"converter\.encoding='utf-9'"):
        StringConverter().configure({"converter.encoding": "utf-9"})


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (None, {"a": [1, None, True]}, b"{a=[1, null, true]}"),
        (Schema(Type.STRUCT, fields={"a": INT32_SCHEMA, "b": STRING_SCHEMA}), {"a": 1, "b": None}, b"Struct{a=1}"),
        (None, datetime(2017, 1, 3, 6, 30, 1, tzinfo=UTC), b"Tue Jan 03 06:30:01 UTC 2017"),
        (None, 1e7, b"1.0E7"),
    ],
)
def test_other_values_are_written_as_java_shows_them(schema: Schema | None, value: Any, text: bytes) -> None:
    assert StringConverter().serializer("t", schema)(value, None) == text


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_longs_round_trip(number: int) -> None:
    converter = LongConverter()
    data = converter.from_connect_data("t", INT64_SCHEMA, number)
    assert data is not None
    assert len(data) == 8
    assert converter.to_connect_data("t", data) == (OPTIONAL_INT64_SCHEMA, number)


@given(st.floats(allow_nan=False))
def test_doubles_round_trip(number: float) -> None:
    converter = DoubleConverter()
    read = converter.to_connect_data("t", converter.from_connect_data("t", None, number))
    assert read == (OPTIONAL_FLOAT64_SCHEMA, number)


@pytest.mark.parametrize(
    ("converter", "schema", "value", "message"),
    [
        (ShortConverter(), None, 40_000, "40000 does not fit into int16"),
        (ShortConverter(), None, True, "ShortConverter writes int16, not bool"),
        (LongConverter(), INT32_SCHEMA, 1, r"LongConverter writes int64, not Schema\(int32\)"),
        (DoubleConverter(), None, "1.5", "DoubleConverter writes float64, not str"),
        (BooleanConverter(), None, 1, "BooleanConverter writes booleans, not int"),
        (ByteArrayConverter(), None, "x", "ByteArrayConverter writes bytes, not str"),
        (ByteArrayConverter(), STRING_SCHEMA, b"x", "ByteArrayConverter writes bytes, not Schema"),
        (StringConverter(), BYTES_SCHEMA, b"x", "ByteArrayConverter"),
    ],
)
def test_what_a_converter_is_not_for_is_refused(
    converter: Any, schema: Schema | None, value: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        converter.from_connect_data("t", schema, value)


@pytest.mark.parametrize(
    ("converter", "data"),
    [(LongConverter(), b"1234567"), (ShortConverter(), b""), (BooleanConverter(), b"\x02"), (BooleanConverter(), b"")],
)
def test_bytes_of_another_length_are_refused(converter: Any, data: bytes) -> None:
    with pytest.raises(DataError):
        converter.to_connect_data("t", data)


@given(st.binary(max_size=40))
def test_any_header_can_be_read(data: bytes) -> None:
    header = SimpleHeaderConverter().to_connect_header("t", "key", data)

    assert (header.schema is None) == (header.value is None)


def test_headers_find_their_type_again() -> None:
    converter = SimpleHeaderConverter()
    data = converter.from_connect_header("t", "key", None, {"a": [1, 2.5]})
    assert data == b'{"a":[1,2.5]}'
    assert converter.to_connect_header("t", "key", data).value == {"a": [1.0, 2.5]}


def test_every_converter_is_registered_and_can_be_loaded() -> None:
    converters = kconnect_converters.register_converters()
    header_converters = kconnect_converters.register_header_converters()
    own = [plugin.target for plugin in converters + header_converters if not plugin.java_names]
    assert own == ["kconnect_converters.avro:PlainAvroConverter"]
    for plugin in converters + header_converters:
        assert isinstance(load_class(plugin.target, "kconnect"), type)


@pytest.mark.parametrize(
    "name",
    ["JsonConverter", "Json", "org.apache.kafka.connect.json.JsonConverter", "kconnect_converters.json.JsonConverter"],
)
def test_a_converter_has_all_its_names(name: str) -> None:
    class Built:
        name = "converters"
        dist = None

        def load(self) -> Any:
            return kconnect_converters

    plugins = Plugins.discover([Built()])
    assert plugins.faults == ()
    assert plugins.resolve(PluginKind.CONVERTER, name).class_name == "kconnect_converters.json:JsonConverter"
