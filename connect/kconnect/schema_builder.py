"""Schemas built step by step, with Kafka's words."""

from __future__ import annotations

from typing import Any

from kconnect.errors import DataError
from kconnect.schema import Schema, Type, validate_value


class SchemaBuilder:
    """Builds a schema step by step: `SchemaBuilder.struct().field("id", INT64_SCHEMA).optional().build()`.

    As with Kafka's, an attribute may be set once; a second, different value is a DataError."""

    def __init__(self, type: Type) -> None:
        self._type = type
        self._attributes: dict[str, Any] = {}
        self._parameters: dict[str, str] | None = None
        self._fields: dict[str, Schema] = {}

    @classmethod
    def struct(cls) -> SchemaBuilder:
        return cls(Type.STRUCT)

    @classmethod
    def array(cls, value_schema: Schema) -> SchemaBuilder:
        return cls(Type.ARRAY)._element("value_schema", value_schema)

    @classmethod
    def map(cls, key_schema: Schema, value_schema: Schema) -> SchemaBuilder:
        return cls(Type.MAP)._element("key_schema", key_schema)._element("value_schema", value_schema)

    def optional(self) -> SchemaBuilder:
        return self._set("optional", True)

    def required(self) -> SchemaBuilder:
        return self._set("optional", False)

    def name(self, name: str) -> SchemaBuilder:
        return self._set("name", name)

    def version(self, version: int) -> SchemaBuilder:
        return self._set("version", version)

    def doc(self, doc: str) -> SchemaBuilder:
        return self._set("doc", doc)

    def default(self, value: Any) -> SchemaBuilder:
        """The value that stands in for a null. It must fit what has been said so far: say `optional` and the
        fields first."""
        validate_value(self.build(), value, "default value")
        return self._set("default", value)

    def parameter(self, name: str, value: str) -> SchemaBuilder:
        """Add (or overwrite) one parameter."""
        self._parameters = {**(self._parameters or {}), name: value}
        return self

    def field(self, name: str, schema: Schema) -> SchemaBuilder:
        """Add a field after those added so far."""
        if self._type is not Type.STRUCT:
            raise DataError(f"field {name}: cannot add fields to a schema of type {self._type.value}")
        if not name:
            raise DataError("a field needs a name")
        if not isinstance(schema, Schema):
            raise DataError(f"field {name} needs a schema, not {schema!r}")
        if name in self._fields:
            raise DataError(f"field {name} is there already")
        self._fields[name] = schema
        return self

    def build(self) -> Schema:
        return Schema(self._type, parameters=self._parameters, fields=self._fields, **self._attributes)

    def _element(self, attribute: str, schema: Schema) -> SchemaBuilder:
        if not isinstance(schema, Schema):
            raise DataError(f"{attribute} must be a schema, not {schema!r}")
        return self._set(attribute, schema)

    def _set(self, attribute: str, value: Any) -> SchemaBuilder:
        present = self._attributes.get(attribute)
        if present is not None and present is not value:
            raise DataError(f"{attribute} is {present!r} already, it cannot become {value!r}")
        self._attributes[attribute] = value
        return self
