"""ProtobufConverter: Protobuf with its schema in a schema registry, in Confluent's wire format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from kconnect.config import Config
from kconnect.errors import ConfigError, DataError
from kconnect.schema import Schema, Type
from kconnect_converters.protobuf import names
from kconnect_converters.protobuf.config import ProtobufDataConfig
from kconnect_converters.protobuf.indexes import index_bytes, read_indexes
from kconnect_converters.schema_registry.client import RegisteredSchema
from kconnect_converters.schema_registry.config import SchemaRegistryConfig
from kconnect_converters.schema_registry.converter import Decode, Encode, OwnSchema, RegistryConverter

if TYPE_CHECKING:
    from kconnect_converters.protobuf.files import ProtoFile


class ProtobufConverterConfig(SchemaRegistryConfig, ProtobufDataConfig):
    """The settings of ProtobufConverter; their names are Confluent's."""


class ProtobufConverter(RegistryConverter["ProtoFile"]):
    """Protobuf whose first bytes, or a header, say which schema of the registry it was written with, and which of its
    messages it is.

    The registry is asked when a topic's first record of a schema comes; RetriableError while it does not answer. A
    struct is a message; text, bytes, numbers and booleans alone are google.protobuf's wrappers; nothing else can be a
    record. The libraries of kconnect[protobuf] are imported when it is configured."""

    config_class: ClassVar[type[Config]] = ProtobufConverterConfig
    schema_type = "PROTOBUF"
    format_name = "Protobuf"

    def configure_format(self, props: Mapping[str, Any]) -> int:
        try:
            from kconnect_converters.protobuf.files import require_tools
            from kconnect_converters.protobuf.from_protobuf import ConnectSchemas
        except ImportError as error:
            raise ConfigError(
                f"ProtobufConverter needs Google's library ({error})", suggestion="install kconnect[protobuf]"
            ) from None
        require_tools()
        self._config = ProtobufConverterConfig.parse(props)
        self._connect_schemas = ConnectSchemas(self._config)
        return self._config.schemas_cache_config

    def own_schema(self, schema: Schema | None) -> OwnSchema[ProtoFile]:
        from kconnect_converters.protobuf.files import file_of, wrappers_file
        from kconnect_converters.protobuf.to_protobuf import protobuf_file

        if schema is None:
            raise DataError("values without a schema cannot be written as Protobuf: JsonConverter can write them")
        if schema.type in names.WRAPPER_OF and schema.name not in names.MESSAGES:
            file = wrappers_file()
            return OwnSchema(file, file.text, names.WRAPPER_OF[schema.type])
        if schema.type is not Type.STRUCT or names.is_union(schema):
            raise DataError(
                f"{schema!r} cannot be a record of Protobuf, which takes structs: put it into one with HoistField"
            )
        file = file_of(protobuf_file(schema, self._config))
        return OwnSchema(file, file.text, file.first_name)

    def parse(self, registered: RegisteredSchema, references: list[tuple[str, RegisteredSchema]]) -> ProtoFile:
        from kconnect_converters.protobuf.files import parse_file

        return parse_file(registered.text, [(name, each.text) for name, each in references])

    def compile_encoder(self, schema: Schema | None, target: ProtoFile, prefix: bytes, *, lossy: bool) -> Encode:
        from kconnect_converters.protobuf.encoder import compile_encoder

        record = self._own(schema).record
        assert schema is not None
        assert record is not None
        indexes = target.indexes(record)
        descriptor = target.message(indexes)
        return compile_encoder(schema, descriptor, self._config, prefix + index_bytes(indexes), lossy=lossy)

    def compile_decoder(
        self, parsed: ProtoFile, inner_prefix: bytes, version: Callable[[str | None], int | None]
    ) -> tuple[Schema | None, Decode]:
        from kconnect_converters.protobuf.decoder import compile_decoder

        descriptor = parsed.message(read_indexes(inner_prefix, 0)[0] if inner_prefix else [0])
        schema = self._connect_schemas.schema(descriptor, version(descriptor.full_name))
        return schema, compile_decoder(descriptor, schema, self._config)

    def inner_prefix_end(self, data: bytes, place: int) -> int:
        return read_indexes(data, place)[1]
