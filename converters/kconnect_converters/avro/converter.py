"""AvroConverter: Avro with its schemas in a schema registry, in Confluent's wire format."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from kconnect.config import Config
from kconnect.converter import Converter, Deserializer, RawHeaders, Serializer
from kconnect.errors import DataError
from kconnect.record import SchemaAndValue, Value
from kconnect.schema import Schema
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.decoder import Decode, compile_decoder
from kconnect_converters.avro.encoder import Encode, compile_encoder
from kconnect_converters.avro.from_avro import ConnectSchemas
from kconnect_converters.avro.schema import AvroSchema, parse_schema
from kconnect_converters.avro.to_avro import avro_schema
from kconnect_converters.avro.varint import long_bytes, read_long
from kconnect_converters.schema_registry.client import RegisteredSchema, SchemaRegistryClient
from kconnect_converters.schema_registry.config import SchemaRegistryConfig
from kconnect_converters.schema_registry.subjects import STRATEGIES, strategy_of
from kconnect_converters.schema_registry.wire import PREFIX_SIZE, header_id, id_prefix, schema_id_of


class AvroConverterConfig(SchemaRegistryConfig, AvroDataConfig):
    """The settings of AvroConverter; their names are Confluent's."""


class AvroConverter(Converter):
    """Avro whose first five bytes, or a header, say which schema of the registry it was written with.

    The registry is asked when a topic's first record of a schema comes; RetriableError while it does not answer."""

    config_class: ClassVar[type[Config]] = AvroConverterConfig

    def configure(self, props: Mapping[str, Any], *, is_key: bool = False) -> None:
        config = AvroConverterConfig.parse(props)
        self._config = config
        self._is_key = is_key
        self._registry = SchemaRegistryClient(config)
        named = config.key_subject_name_strategy if is_key else config.value_subject_name_strategy
        self._subject_name = strategy_of(named) or STRATEGIES["TopicNameStrategy"]
        self._connect_schemas = ConnectSchemas(config)
        remember = lru_cache(max(config.schemas_cache_config, 1))
        self._avro_schema = remember(self._to_avro)
        self._reader = remember(self._compile_reader)
        self._parsed = remember(self._parse)
        self._encoder = remember(self._compile_encoder)

    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        return self.serializer(topic, schema)(value, headers)

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        expires = self._config.use_latest_version and self._config.latest_cache_ttl_sec >= 0
        writer: Encode | None = None
        nullable = schema is None or schema.optional

        def serialize(value: Value, headers: RawHeaders | None) -> bytes | None:
            nonlocal writer
            if value is None and nullable:
                return None
            if writer is None or expires:
                writer = self._writer(topic, schema)
            return writer(value)

        return serialize

    def _writer(self, topic: str, schema: Schema | None) -> Encode:
        """What makes the whole of the data, prefix included."""
        own, text = self._avro_schema(schema)
        subject = self._subject_name(topic, self._is_key, own.name if own.type == "record" else None)
        schema_id, target, lossy = self._target(subject, own, text)
        return self._encoder(schema, schema_id, target, lossy)

    def _target(self, subject: str, own: AvroSchema, text: str) -> tuple[int, AvroSchema, bool]:
        """The id and schema to write with, and whether fields that it lacks are dropped."""
        config = self._config
        if config.auto_register_schemas:
            return self._registry.register(subject, text), own, False
        if config.use_schema_id >= 0:
            chosen = self._registry.by_id(config.use_schema_id)
            return config.use_schema_id, self._parsed(chosen), not config.id_compatibility_strict
        if config.use_latest_version:
            latest = self._registry.latest(subject)
            return latest.id, self._parsed(latest), not config.latest_compatibility_strict
        return self._registry.lookup(subject, text).id, own, False

    def _compile_encoder(self, schema: Schema | None, schema_id: int, target: AvroSchema, lossy: bool) -> Encode:
        prefix = id_prefix(schema_id)
        if target.type != "bytes":
            return compile_encoder(schema, target, self._config, lossy=lossy, prefix=prefix)
        encode = compile_encoder(schema, target, self._config, lossy=lossy)

        def encode_bytes(value: Any) -> bytes:
            """Bytes alone go without their length: the record's end says it."""
            data = encode(value)
            return prefix + data[read_long(data, 0)[1] :]

        return encode_bytes

    def _to_avro(self, schema: Schema | None) -> tuple[AvroSchema, str]:
        made = avro_schema(schema, self._config)
        return made, str(made)

    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        return self.deserializer(topic)(data, headers)

    def deserializer(self, topic: str) -> Deserializer:
        is_key, reader = self._is_key, self._reader
        last: bytes | None = None
        schema: Schema | None = None
        decode: Decode | None = None

        def deserialize(data: bytes | None, headers: RawHeaders | None) -> SchemaAndValue:
            nonlocal last, schema, decode
            if data is None:
                return SchemaAndValue(None, None)
            schema_id = header_id(headers, is_key=is_key)
            if schema_id is not None:
                header_schema, header_decode = reader(topic, schema_id)
                return _read(header_schema, header_decode(data, 0))
            prefix = data[:PREFIX_SIZE]
            if prefix != last or decode is None:
                schema, decode = reader(topic, schema_id_of(data))
                last = prefix
            return _read(schema, decode(data, PREFIX_SIZE))

        return deserialize

    def _compile_reader(self, topic: str, schema_id: int | str) -> tuple[Schema | None, Decode]:
        found = self._registry.by_guid(schema_id) if isinstance(schema_id, str) else self._registry.by_id(schema_id)
        if found.type != "AVRO":
            raise DataError(f"schema {schema_id} of the registry is {found.type}, not Avro: another converter reads it")
        avro = self._parsed(found)
        schema = self._connect_schemas.schema(avro, self._version(topic, avro, found))
        decode = compile_decoder(avro, schema)
        if avro.type != "bytes":
            return schema, decode
        return schema, lambda data, place: decode(long_bytes(len(data) - place) + data[place:], 0)

    def _version(self, topic: str, avro: AvroSchema, found: RegisteredSchema) -> int | None:
        """The number that the schema has in the subject of what is read; None where it is not in it."""
        try:
            subject = self._subject_name(topic, self._is_key, avro.name if avro.type == "record" else None)
            return self._registry.lookup(subject, found.text).version or None
        except DataError:
            return None

    def _parse(self, registered: RegisteredSchema) -> AvroSchema:
        named: dict[str, AvroSchema] = {}
        for _, each in self._registry.referenced(registered):
            parse_schema(each.text, named)
        try:
            return parse_schema(registered.text, named)
        except DataError as error:
            raise DataError(f"schema {registered.id} of the registry: {error}") from None

    def close(self) -> None:
        registry = getattr(self, "_registry", None)
        if registry is not None:
            registry.close()


def _read(schema: Schema | None, value: Value) -> SchemaAndValue:
    """A null that is all there is has no schema, as in Confluent's converter."""
    return SchemaAndValue(schema if value is not None else None, value)
