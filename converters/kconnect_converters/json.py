"""JsonConverter: JSON with or without the envelope that carries the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final

import msgspec

from kconnect.columnar import Columns
from kconnect.config import HIGH, LOW, Config, Width, key
from kconnect.converter import ColumnDeserializer, Converter, Deserializer, HeaderConverter, RawHeaders, Serializer
from kconnect.errors import ConfigError, DataError
from kconnect.record import SchemaAndValue, Value
from kconnect.schema import Schema
from kconnect.validators import CaseInsensitiveValidString
from kconnect_converters.json_envelope import schema_from_json, schema_to_json
from kconnect_converters.json_reader import Decode, JsonReader, parse
from kconnect_converters.json_writer import JsonWriter

PREFIX: Final = b'{"schema":'
MIDDLE: Final = b',"payload":'


class JsonConverterConfig(Config):
    """The settings of JsonConverter; their names are Kafka's."""

    schemas_enable: bool = key(
        default=True,
        importance=HIGH,
        group="Schemas",
        order_in_group=0,
        width=Width.MEDIUM,
        display_name="Enable Schemas",
        doc="Write the schema beside every value, in an envelope {schema, payload}, and expect it when reading.",
    )
    schemas_cache_size: int = key(
        default=1000,
        importance=HIGH,
        group="Schemas",
        width=Width.MEDIUM,
        display_name="Schema Cache Size",
        doc="How many schemas to remember in each direction, one at least.",
    )
    decimal_format: Annotated[str, CaseInsensitiveValidString("BASE64", "NUMERIC")] = key(
        default="BASE64",
        importance=LOW,
        group="Serialization",
        order_in_group=0,
        width=Width.MEDIUM,
        display_name="Decimal Format",
        doc="Write a Decimal as Base64 of its bytes (exact in every reader) or as a JSON number. Both are read.",
    )
    replace_null_with_default: bool = key(
        default=True,
        importance=LOW,
        group="Serialization",
        width=Width.MEDIUM,
        display_name="Replace null with default",
        doc="Write and read a schema's default in the place of null.",
    )
    schema_content: str | None = key(
        default=None,
        importance=HIGH,
        group="Schemas",
        width=Width.MEDIUM,
        display_name="Schema Content",
        doc="The schema, in the envelope's form, of every value read; the data then has no envelope.",
    )


class JsonConverter(Converter, HeaderConverter):
    """JSON in UTF-8. With `schemas.enable` each value travels with its schema."""

    config_class: ClassVar[type[Config]] = JsonConverterConfig

    def __init__(self) -> None:
        self.configure({})

    def configure(self, props: Mapping[str, Any], *, is_key: bool = False) -> None:
        config = JsonConverterConfig.parse(props)
        self._writer = JsonWriter(
            numeric_decimals=config.decimal_format.upper() == "NUMERIC",
            replace_null=config.replace_null_with_default,
        )
        self._reader = JsonReader(replace_null=config.replace_null_with_default)
        self._schemas_enable = config.schemas_enable
        remember = lru_cache(max(config.schemas_cache_size, 1))
        self._encoder = remember(self._writer.encoder)
        self._decoder = remember(self._reader.decoder)
        self._column_decoder = remember(self._reader.column_decoder)
        self._prefix = remember(self._written_prefix)
        self._schema = remember(self._read_schema)
        self._given_schema = self._parse_content(config.schema_content)

    def _parse_content(self, content: str | None) -> Schema | None:
        if not content:
            return None
        try:
            return schema_from_json(parse(content.encode()), self._reader)
        except DataError as error:
            raise ConfigError(f"holds no schema: {error}", key="schema.content", value=content) from error

    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        return self.serializer(topic, schema)(value, headers)

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        encode = self._encoder(schema)
        schemaless = schema is None
        if not self._schemas_enable:

            def serialize(value: Value, headers: RawHeaders | None) -> bytes | None:
                return None if value is None and schemaless else encode(value)

            return serialize
        prefix = self._prefix(schema)

        def serialize_with_envelope(value: Value, headers: RawHeaders | None) -> bytes | None:
            return None if value is None and schemaless else prefix + encode(value) + b"}"

        return serialize_with_envelope

    def _written_prefix(self, schema: Schema | None) -> bytes:
        """The envelope up to the payload."""
        written = msgspec.json.Encoder(decimal_format="number").encode(schema_to_json(schema, self._writer))
        return PREFIX + written + MIDDLE

    def _read_schema(self, written: bytes) -> Schema | None:
        return schema_from_json(parse(written), self._reader)

    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        return self.deserializer(topic)(data, headers)

    def deserializer(self, topic: str) -> Deserializer:
        if not self._schemas_enable:
            return self._plain_deserializer(None)
        if self._given_schema is not None:
            return self._plain_deserializer(self._given_schema)
        return self._envelope_deserializer()

    def _plain_deserializer(self, schema: Schema | None) -> Deserializer:
        """Blank data is null, as in Kafka."""
        decode, reader = self._decoder(schema), self._reader

        def deserialize(data: bytes | None, headers: RawHeaders | None) -> SchemaAndValue:
            if data is None:
                return SchemaAndValue(None, None)
            try:
                return SchemaAndValue(schema, decode(data))
            except DataError:
                if data.strip():
                    raise
                return SchemaAndValue(schema, reader.value(schema, None))

        return deserialize

    def _envelope_deserializer(self) -> Deserializer:
        """Remembers the last record's bytes up to its payload: as long as records begin with them, they have the
        same schema, and only the payload is read."""
        prefix = b""
        prefix_size = 0
        schema: Schema | None = None
        decode: Decode = self._decoder(None)

        def deserialize(data: bytes | None, headers: RawHeaders | None) -> SchemaAndValue:
            nonlocal prefix, prefix_size, schema, decode
            if data is None:
                return SchemaAndValue(None, None)
            if prefix and data.startswith(prefix) and data[-1] == 125:
                try:
                    return SchemaAndValue(schema, decode(memoryview(data)[prefix_size:-1]))
                except DataError:
                    pass  # maybe the envelope does not end where it seems to: read it as a whole
            read, prefix = self._read_envelope(data)
            prefix_size, schema = len(prefix), read.schema
            decode = self._decoder(schema)
            return read

        return deserialize

    def column_deserializer(self, topic: str) -> ColumnDeserializer | None:
        """For data with its schema: all of it has to begin with the same bytes up to the payload."""
        if not self._schemas_enable or self._given_schema is not None:
            return None
        prefix, schema, decode = b"", None, None

        def deserialize(data: Sequence[bytes | None]) -> Columns | None:
            nonlocal prefix, schema, decode
            first = data[0] if data else None
            if first is None:
                return None
            if not prefix or not first.startswith(prefix):
                try:
                    read, prefix = self._read_envelope(first)
                except DataError:
                    return None
                schema = read.schema
                decode = self._column_decoder(schema)
            if not prefix or schema is None or decode is None:
                return None
            size = len(prefix)
            payloads = [each[size:-1] for each in data if each and each.startswith(prefix) and each[-1] == 125]
            columns = decode(payloads) if len(payloads) == len(data) else None
            return None if columns is None else Columns(schema, columns)

        return deserialize

    def _read_envelope(self, data: bytes) -> tuple[SchemaAndValue, bytes]:
        """The record, and its bytes up to the payload where they have the usual form; none where not."""
        try:
            envelope = _decode_envelope(data)
            written, payload = bytes(envelope.schema), bytes(envelope.payload)
        except (ValueError, RecursionError):
            return self._read_odd_envelope(data), b""
        schema = self._schema(written)
        return SchemaAndValue(schema, self._decoder(schema)(payload)), PREFIX + written + MIDDLE

    def _read_odd_envelope(self, data: bytes) -> SchemaAndValue:
        envelope = parse(data)
        if not isinstance(envelope, dict) or envelope.keys() != {"schema", "payload"}:
            raise DataError(
                'with schemas.enable=true a value is {"schema": …, "payload": …} and nothing besides; '
                f"set schemas.enable=false to read plain JSON: {data[:60]!r}"
            )
        schema = schema_from_json(envelope["schema"], self._reader)
        return SchemaAndValue(schema, self._reader.value(schema, envelope["payload"]))

    def from_connect_header(self, topic: str, key: str, schema: Schema | None, value: Value) -> bytes | None:
        return self.from_connect_data(topic, schema, value)

    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue:
        return self.to_connect_data(topic, data)


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    schema: msgspec.Raw
    payload: msgspec.Raw


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
