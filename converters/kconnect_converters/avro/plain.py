"""PlainAvroConverter: Avro without a schema registry."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final

from kconnect.bounds import allow_path, allowed_path
from kconnect.config import HIGH, MEDIUM, Config, key
from kconnect.converter import Converter, Deserializer, RawHeaders, Serializer
from kconnect.errors import ConfigError, DataError
from kconnect.record import SchemaAndValue, Value
from kconnect.schema import Schema
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.decoder import Decode, compile_decoder
from kconnect_converters.avro.encoder import Encode, compile_encoder
from kconnect_converters.avro.from_avro import ConnectSchemas
from kconnect_converters.avro.schema import AvroSchema, parse_schema
from kconnect_converters.avro.to_avro import avro_schema
from kconnect_converters.varint import long_bytes, read_long

_MAGIC: Final = b"Obj\x01"
_SYNC_SIZE: Final = 16
_MAX_BLOCK: Final = 256 << 20
_CODECS: Final = (b"null", b"deflate")


class PlainAvroConverterConfig(AvroDataConfig):
    """The settings of PlainAvroConverter."""

    schema_content: str | None = key(
        default=None,
        importance=HIGH,
        group="Schema",
        doc="The Avro schema of all data, as JSON. Data is then Avro's bare binary form. Without it and schema.file, "
        "each record is a small Avro file that carries its own schema.",
    )
    schema_file: str | None = key(
        default=None,
        validator=allowed_path,
        importance=MEDIUM,
        group="Schema",
        doc="A file (.avsc) that holds the schema, in the place of schema.content.",
    )

    def _check(self) -> None:
        if self.schema_content and self.schema_file:
            raise ConfigError("schema.content says the schema already", key="schema.file", value=self.schema_file)


class PlainAvroConverter(Converter):
    """Avro whose schema is in the configuration, or in every record: an Avro object container of one datum."""

    config_class: ClassVar[type[Config]] = PlainAvroConverterConfig

    def configure(self, props: Mapping[str, Any], *, is_key: bool = False) -> None:
        config = PlainAvroConverterConfig.parse(props)
        self._config = config
        self._connect_schemas = ConnectSchemas(config)
        self._given = _given_schema(config)
        remember = lru_cache(max(config.schemas_cache_config, 1))
        self._writer = remember(self._compile_writer)
        self._reader = remember(self._compile_reader)

    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        return self.serializer(topic, schema)(value, headers)

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        nullable = schema is None or schema.optional

        def serialize(value: Value, headers: RawHeaders | None) -> bytes | None:
            return None if value is None and nullable else self._writer(schema)(value)

        return serialize

    def _compile_writer(self, schema: Schema | None) -> Encode:
        if self._given is not None:
            return compile_encoder(schema, self._given, self._config)
        avro = avro_schema(schema, self._config)
        text = str(avro).encode()
        sync = hashlib.md5(text, usedforsecurity=False).digest()
        head = _container_head(text, sync)
        encode = compile_encoder(schema, avro, self._config)

        def write_container(value: Any) -> bytes:
            data = encode(value)
            return b"".join((head, b"\x02", long_bytes(len(data)), data, sync))

        return write_container

    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        return self.deserializer(topic)(data, headers)

    def deserializer(self, topic: str) -> Deserializer:
        given, reader = self._given, self._reader

        def deserialize(data: bytes | None, headers: RawHeaders | None) -> SchemaAndValue:
            if data is None:
                return SchemaAndValue(None, None)
            if given is not None:
                schema, decode = reader(given)
                return SchemaAndValue(schema, decode(data, 0))
            text, datum = _datum_of(data)
            schema, decode = reader(text)
            return SchemaAndValue(schema, decode(datum, 0))

        return deserialize

    def _compile_reader(self, source: AvroSchema | bytes) -> tuple[Schema | None, Decode]:
        avro = parse_schema(source.decode(errors="replace")) if isinstance(source, bytes) else source
        schema = self._connect_schemas.schema(avro)
        return schema, compile_decoder(avro, schema)


def _given_schema(config: PlainAvroConverterConfig) -> AvroSchema | None:
    setting, text = "schema.content", config.schema_content
    if config.schema_file:
        setting = "schema.file"
        try:
            text = Path(allow_path(setting, config.schema_file)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot be read: {error}", key=setting, value=config.schema_file) from error
    if not text:
        return None
    try:
        return parse_schema(text)
    except DataError as error:
        raise ConfigError(f"holds no Avro schema: {error}", key=setting) from error


def _container_head(schema: bytes, sync: bytes) -> bytes:
    entries = {b"avro.schema": schema, b"avro.codec": b"null"}
    pairs = b"".join(long_bytes(len(part)) + part for pair in entries.items() for part in pair)
    return b"".join((_MAGIC, long_bytes(len(entries)), pairs, b"\x00", sync))


def _datum_of(data: bytes) -> tuple[bytes, bytes]:
    """The schema and the one datum in an Avro object container. DataError for anything else."""
    if not data.startswith(_MAGIC):
        raise DataError(
            f"{len(data)} bytes that are no Avro file with its schema (set schema.content for data without one; "
            f"AvroConverter reads what has a schema registry's id): {data[:20]!r}"
        )
    try:
        entries, place = _metadata(data)
        place += _SYNC_SIZE
        count, place = read_long(data, place)
        size, place = read_long(data, place)
    except IndexError:
        raise DataError(f"an Avro file that ends too early, after {len(data)} bytes") from None
    if count != 1 or place + size + _SYNC_SIZE != len(data):
        raise DataError(f"an Avro file of {count} values, or more than one block: a record holds one value")
    codec = entries.get(b"avro.codec", b"null")
    if codec not in _CODECS:
        raise DataError(f"an Avro file with codec {codec.decode(errors='replace')}; null and deflate can be read")
    datum = data[place : place + size]
    return entries.get(b"avro.schema", b""), datum if codec == b"null" else _inflated(datum)


def _metadata(data: bytes) -> tuple[dict[bytes, bytes], int]:
    entries: dict[bytes, bytes] = {}
    count, place = read_long(data, len(_MAGIC))
    while count:
        if count < 0:
            count, (_, place) = -count, read_long(data, place)
        for _ in range(min(count, len(data))):
            name, place = _sized(data, place)
            entries[name], place = _sized(data, place)
        count, place = read_long(data, place)
    return entries, place


def _sized(data: bytes, place: int) -> tuple[bytes, int]:
    size, place = read_long(data, place)
    end = place + size
    if not place <= end <= len(data):
        raise IndexError
    return data[place:end], end


def _inflated(datum: bytes) -> bytes:
    try:
        inflater = zlib.decompressobj(-15)
        content = inflater.decompress(datum, _MAX_BLOCK)
    except zlib.error as error:
        raise DataError(f"an Avro file whose data cannot be inflated: {error}") from None
    if inflater.unconsumed_tail:
        raise DataError(f"an Avro file that inflates to more than {_MAX_BLOCK} bytes")
    return content
