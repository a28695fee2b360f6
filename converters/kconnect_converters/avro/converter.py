"""AvroConverter: Avro with its schemas in a schema registry, in Confluent's wire format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from kconnect.config import Config
from kconnect.schema import Schema
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.decoder import compile_decoder
from kconnect_converters.avro.encoder import compile_encoder
from kconnect_converters.avro.from_avro import ConnectSchemas
from kconnect_converters.avro.schema import AvroSchema, parse_schema
from kconnect_converters.avro.to_avro import avro_schema
from kconnect_converters.schema_registry.client import RegisteredSchema
from kconnect_converters.schema_registry.config import SchemaRegistryConfig
from kconnect_converters.schema_registry.converter import Decode, Encode, OwnSchema, RegistryConverter
from kconnect_converters.varint import long_bytes, read_long


class AvroConverterConfig(SchemaRegistryConfig, AvroDataConfig):
    """The settings of AvroConverter; their names are Confluent's."""


class AvroConverter(RegistryConverter[AvroSchema]):
    """Avro whose first five bytes, or a header, say which schema of the registry it was written with.

    The registry is asked when a topic's first record of a schema comes; RetriableError while it does not answer."""

    config_class: ClassVar[type[Config]] = AvroConverterConfig
    schema_type = "AVRO"
    format_name = "Avro"

    def configure_format(self, props: Mapping[str, Any]) -> int:
        self._config = AvroConverterConfig.parse(props)
        self._connect_schemas = ConnectSchemas(self._config)
        return self._config.schemas_cache_config

    def own_schema(self, schema: Schema | None) -> OwnSchema[AvroSchema]:
        made = avro_schema(schema, self._config)
        return OwnSchema(made, str(made), _record_name(made))

    def parse(self, registered: RegisteredSchema, references: list[tuple[str, RegisteredSchema]]) -> AvroSchema:
        named: dict[str, AvroSchema] = {}
        for _, each in references:
            parse_schema(each.text, named)
        return parse_schema(registered.text, named)

    def compile_encoder(self, schema: Schema | None, target: AvroSchema, prefix: bytes, *, lossy: bool) -> Encode:
        if target.type != "bytes":
            return compile_encoder(schema, target, self._config, lossy=lossy, prefix=prefix)
        encode = compile_encoder(schema, target, self._config, lossy=lossy)

        def encode_bytes(value: Any) -> bytes:
            """Bytes alone go without their length: the record's end says it."""
            data = encode(value)
            return prefix + data[read_long(data, 0)[1] :]

        return encode_bytes

    def compile_decoder(
        self, parsed: AvroSchema, inner_prefix: bytes, version: Callable[[str | None], int | None]
    ) -> tuple[Schema | None, Decode]:
        schema = self._connect_schemas.schema(parsed, version(_record_name(parsed)))
        decode = compile_decoder(parsed, schema)
        if parsed.type != "bytes":
            return schema, decode
        return schema, lambda data, place: decode(long_bytes(len(data) - place) + data[place:], 0)


def _record_name(avro: AvroSchema) -> str | None:
    return avro.name if avro.type == "record" else None
