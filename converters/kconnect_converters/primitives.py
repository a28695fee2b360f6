"""Converters for one primitive type each: text, bytes, numbers in Java's byte order, booleans."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from kconnect.config import HIGH, Config, Width, key
from kconnect.converter import Converter, Deserializer, HeaderConverter, RawHeaders, Serializer
from kconnect.errors import ConfigError, DataError
from kconnect.java_text import java_text
from kconnect.record import SchemaAndValue, Value
from kconnect.schema import (
    OPTIONAL_BOOLEAN_SCHEMA,
    OPTIONAL_BYTES_SCHEMA,
    OPTIONAL_FLOAT32_SCHEMA,
    OPTIONAL_FLOAT64_SCHEMA,
    OPTIONAL_INT16_SCHEMA,
    OPTIONAL_INT32_SCHEMA,
    OPTIONAL_INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    Schema,
    Type,
)


class _PrimitiveConverter(Converter, HeaderConverter):
    """Values read have the optional schema `schema`; a subclass says how bytes are made and read."""

    schema: ClassVar[Schema]

    def configure(self, props: Mapping[str, Any], *, is_key: bool = False) -> None:
        self.config_class.parse(props)

    def from_connect_header(self, topic: str, key: str, schema: Schema | None, value: Value) -> bytes | None:
        return self.from_connect_data(topic, schema, value)

    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue:
        return self.to_connect_data(topic, data)


class StringConverterConfig(Config):
    """The settings of StringConverter; their names are Kafka's."""

    converter_encoding: str | None = key(
        default="UTF-8",
        importance=HIGH,
        width=Width.MEDIUM,
        display_name="Encoding",
        doc="The character encoding, by its IANA name.",
    )


class StringConverter(_PrimitiveConverter):
    """Text. Values that are none are written as Java's `toString` shows them; everything is read as text.

    What the encoding does not have is written as `?` and read as U+FFFD."""

    config_class: ClassVar[type[Config]] = StringConverterConfig
    schema = OPTIONAL_STRING_SCHEMA

    def __init__(self) -> None:
        self._encode = _encoder("utf-8")
        self._decode = _decoder("utf-8")

    def configure(self, props: Mapping[str, Any], *, is_key: bool = False) -> None:
        given = StringConverterConfig.parse(props).converter_encoding
        encoding = "UTF-8" if given is None else given
        # Kafka's serializer and deserializer below the converter read keys of their own.
        side = "key" if is_key else "value"
        self._encode = _encoder(_codec(f"{side}.serializer.encoding", props, encoding))
        self._decode = _decoder(_codec(f"{side}.deserializer.encoding", props, encoding))

    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        return None if value is None else self._encode(java_text(schema, value))

    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        return SchemaAndValue(self.schema, None if data is None else self._decode(data))

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        encode = self._encode

        def serialize(value: Value, headers: RawHeaders | None) -> bytes | None:
            if type(value) is str:
                return encode(value)
            return None if value is None else encode(java_text(schema, value))

        return serialize

    def deserializer(self, topic: str) -> Deserializer:
        decode, schema = self._decode, self.schema

        def deserialize(data: bytes | None, headers: RawHeaders | None) -> SchemaAndValue:
            return SchemaAndValue(schema, None if data is None else decode(data))

        return deserialize


def _codec(key: str, props: Mapping[str, Any], default: str) -> str:
    """Python's name of the encoding that `key` or else `default` says."""
    name = str(props.get(key, default))
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        where = key if key in props else "converter.encoding"
        raise ConfigError("is no character encoding that Python knows", key=where, value=name) from None


_BYTE_ORDER_MARKS = {
    "utf-16": (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE),
    "utf-32": (codecs.BOM_UTF32_BE, codecs.BOM_UTF32_LE),
}
"""Where Java says nothing of the byte order it is big-endian, where Python does it is the machine's."""


def _encoder(codec: str) -> Callable[[str], bytes]:
    if codec in _BYTE_ORDER_MARKS:
        mark = codecs.BOM_UTF16_BE if codec == "utf-16" else b""
        return lambda text: mark + text.encode(f"{codec}-be", "replace")
    return lambda text: text.encode(codec, "replace")


def _decoder(codec: str) -> Callable[[bytes], str]:
    if codec in _BYTE_ORDER_MARKS:
        marks = _BYTE_ORDER_MARKS[codec]
        return lambda data: data.decode(codec if data.startswith(marks) else f"{codec}-be", "replace")
    return lambda data: data.decode(codec, "replace")


class ByteArrayConverter(_PrimitiveConverter):
    """Bytes as they are."""

    schema = OPTIONAL_BYTES_SCHEMA

    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        if schema is not None and schema.type is not Type.BYTES:
            raise DataError(f"ByteArrayConverter writes bytes, not {schema!r}")
        if value is None or type(value) is bytes:
            return value
        if not isinstance(value, bytearray | memoryview):
            raise DataError(f"ByteArrayConverter writes bytes, not {type(value).__name__} {value!r:.60}")
        return bytes(value)

    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        return SchemaAndValue(self.schema, data)

    def deserializer(self, topic: str) -> Deserializer:
        schema = self.schema
        return lambda data, headers: SchemaAndValue(schema, data)


class _NumberConverter(_PrimitiveConverter):
    """Numbers of a fixed width, most significant byte first."""

    layout: ClassVar[struct.Struct]

    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        if schema is not None and schema.type is not self.schema.type and value is not None:
            raise DataError(f"{type(self).__name__} writes {self.schema.type.value}, not {schema!r}")
        if value is None:
            return None
        kind = float if self.schema.type in (Type.FLOAT32, Type.FLOAT64) else int
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DataError(
                f"{type(self).__name__} writes {self.schema.type.value}, not {type(value).__name__} {value!r:.60}"
            )
        try:
            return self.layout.pack(value)
        except (struct.error, OverflowError):
            raise DataError(f"{value} does not fit into {self.schema.type.value}") from None

    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        if data is None:
            return SchemaAndValue(self.schema, None)
        if len(data) != self.layout.size:
            raise DataError(f"{self.schema.type.value} has {self.layout.size} bytes, not {len(data)}: {data[:20]!r}")
        return SchemaAndValue(self.schema, self.layout.unpack(data)[0])


class ShortConverter(_NumberConverter):
    schema = OPTIONAL_INT16_SCHEMA
    layout = struct.Struct(">h")


class IntegerConverter(_NumberConverter):
    schema = OPTIONAL_INT32_SCHEMA
    layout = struct.Struct(">i")


class LongConverter(_NumberConverter):
    schema = OPTIONAL_INT64_SCHEMA
    layout = struct.Struct(">q")


class FloatConverter(_NumberConverter):
    schema = OPTIONAL_FLOAT32_SCHEMA
    layout = struct.Struct(">f")


class DoubleConverter(_NumberConverter):
    schema = OPTIONAL_FLOAT64_SCHEMA
    layout = struct.Struct(">d")


class BooleanConverter(_PrimitiveConverter):
    """One byte, 1 or 0."""

    schema = OPTIONAL_BOOLEAN_SCHEMA

    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        if schema is not None and schema.type is not Type.BOOLEAN:
            raise DataError(f"BooleanConverter writes booleans, not {schema!r}")
        if value is None:
            return None
        if not isinstance(value, bool):
            raise DataError(f"BooleanConverter writes booleans, not {type(value).__name__} {value!r:.60}")
        return b"\x01" if value else b"\x00"

    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        if data is not None and data not in (b"\x00", b"\x01"):
            raise DataError(f"a boolean is one byte, 0 or 1, not {data[:20]!r}")
        return SchemaAndValue(self.schema, None if data is None else data == b"\x01")
