"""JsonSchemaConverter: JSON with its JSON Schema in a schema registry, in Confluent's wire format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec

from kconnect.config import Config
from kconnect.schema import Schema
from kconnect_converters.json_schema.config import JsonSchemaDataConfig
from kconnect_converters.json_schema.document import Document
from kconnect_converters.json_schema.fit import check_fits
from kconnect_converters.json_schema.from_json_schema import ConnectSchemas
from kconnect_converters.json_schema.reader import JsonSchemaReader
from kconnect_converters.json_schema.to_json_schema import json_schema
from kconnect_converters.json_schema.validation import compile_validator, require_library
from kconnect_converters.json_schema.writer import JsonSchemaWriter
from kconnect_converters.schema_registry.client import RegisteredSchema
from kconnect_converters.schema_registry.config import SchemaRegistryConfig
from kconnect_converters.schema_registry.converter import Decode, Encode, OwnSchema, RegistryConverter

_encode_json = msgspec.json.Encoder(decimal_format="number").encode


class JsonSchemaConverterConfig(SchemaRegistryConfig, JsonSchemaDataConfig):
    """The settings of JsonSchemaConverter; their names are Confluent's."""


class JsonSchemaConverter(RegistryConverter[Document]):
    """JSON whose first five bytes, or a header, say which schema of the registry it was written with.

    The registry is asked when a topic's first record of a schema comes; RetriableError while it does not answer. A null
    of an optional schema is written as JSON's null, as Confluent's converter does; without a schema it is a tombstone.
    Values without a schema are written with the empty JSON Schema, and read so."""

    config_class: ClassVar[type[Config]] = JsonSchemaConverterConfig
    schema_type = "JSON"
    format_name = "JSON Schema"

    def configure_format(self, props: Mapping[str, Any]) -> int:
        config = self._config = JsonSchemaConverterConfig.parse(props)
        if config.json_fail_invalid_schema:
            require_library()
        self._json_writer = JsonSchemaWriter(
            numeric_decimals=config.decimal_format.upper() == "NUMERIC",
            replace_null=not config.ignore_default_for_nullables,
        )
        self._json_reader = JsonSchemaReader()
        self._connect_schemas = ConnectSchemas(config, self._json_reader)
        return config.schemas_cache_config

    def writes_null(self, schema: Schema | None) -> bool:
        return schema is not None

    def own_schema(self, schema: Schema | None) -> OwnSchema[Document]:
        made = json_schema(schema, self._config, self._json_writer)
        text = _encode_json(made).decode()
        return OwnSchema(Document.parse(text), text, made.get("title"))

    def parse(self, registered: RegisteredSchema, references: list[tuple[str, RegisteredSchema]]) -> Document:
        named: dict[str, Document] = {}
        for name, each in references:
            named[name] = Document.parse(each.text, named)
        return Document.parse(registered.text, named)

    def compile_encoder(self, schema: Schema | None, target: Document, prefix: bytes, *, lossy: bool) -> Encode:
        if schema is not None and not lossy:
            check_fits(schema, target)
        encode = self._json_writer.encoder(schema)
        if not self._config.json_fail_invalid_schema:
            return lambda value: prefix + encode(value)
        validate = compile_validator(target)

        def encode_valid(value: Any) -> bytes:
            data = encode(value)
            validate(data)
            return prefix + data

        return encode_valid

    def compile_decoder(
        self, parsed: Document, inner_prefix: bytes, version: Callable[[str | None], int | None]
    ) -> tuple[Schema | None, Decode]:
        title = parsed.node.get("title")
        schema = self._connect_schemas.schema(parsed, version(title if isinstance(title, str) else None))
        decode = self._json_reader.decoder(schema)
        if not self._config.json_fail_invalid_schema:
            return schema, lambda data, place: decode(memoryview(data)[place:])
        validate = compile_validator(parsed)

        def decode_valid(data: bytes, place: int) -> Any:
            validate(data[place:])
            return decode(memoryview(data)[place:])

        return schema, decode_valid
