"""JSON Schema: a converter, and below it documents, their mapping to Connect's schemas, and the values."""

from kconnect_converters.json_schema.converter import JsonSchemaConverter, JsonSchemaConverterConfig

__all__ = ["JsonSchemaConverter", "JsonSchemaConverterConfig"]
