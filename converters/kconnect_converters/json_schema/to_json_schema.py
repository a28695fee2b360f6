"""Connect schemas to JSON Schemas, as Confluent's converter writes them."""

from __future__ import annotations

from typing import Any, Final

from kconnect.errors import DataError
from kconnect.schema import DECIMAL_NAME, Schema, Type
from kconnect_converters.json_schema import names
from kconnect_converters.json_schema.config import JsonSchemaDataConfig
from kconnect_converters.json_schema.writer import JsonSchemaWriter

_NUMBERS: Final = {
    Type.INT8: ("integer", "int8"),
    Type.INT16: ("integer", "int16"),
    Type.INT32: ("integer", "int32"),
    Type.INT64: ("integer", "int64"),
    Type.FLOAT32: ("number", "float32"),
    Type.FLOAT64: ("number", "float64"),
}
_NULL: Final[dict[str, Any]] = {"type": "null"}


def json_schema(schema: Schema | None, config: JsonSchemaDataConfig, writer: JsonSchemaWriter) -> dict[str, Any]:
    """The JSON Schema of `schema`, as JSON values; for values without a schema the one that allows everything.
    DataError for a schema that is nested too deeply."""
    try:
        return _Mapping(config, writer).schema(schema)
    except RecursionError:
        raise DataError(f"{schema!r} is nested too deeply for a JSON Schema") from None


class _Mapping:
    def __init__(self, config: JsonSchemaDataConfig, writer: JsonSchemaWriter) -> None:
        self._config = config
        self._writer = writer

    def schema(self, schema: Schema | None, index: int | None = None) -> dict[str, Any]:
        """`index` is the place of the field whose schema it is."""
        if schema is None:
            return {}
        if names.is_union(schema):
            described = self._union(schema)
        elif schema.optional:
            described = {"oneOf": [_NULL, self._required(schema)]}
        else:
            described = self._required(schema)
        return described if index is None else described | {names.CONNECT_INDEX: index}

    def _union(self, schema: Schema) -> dict[str, Any]:
        branches = [
            (self._union(field.schema) if names.is_union(field.schema) else self._required(field.schema))
            | {names.CONNECT_INDEX: field.index}
            for field in schema.fields
        ]
        return {"oneOf": [_NULL, *branches] if schema.optional else branches}

    def _required(self, schema: Schema) -> dict[str, Any]:
        """As if `schema` were not optional."""
        described = self._shape(schema)
        if schema.name is not None:
            described["title"] = schema.name
        if schema.doc is not None:
            described["description"] = schema.doc
        if schema.default is not None:
            described["default"] = self._writer.plain(schema, schema.default)
        if schema.version is not None:
            described[names.CONNECT_VERSION] = schema.version
        own = {name: value for name, value in (schema.parameters or {}).items() if not name.startswith(names.NAMESPACE)}
        if own:
            described[names.CONNECT_PARAMETERS] = own
        return described

    def _shape(self, schema: Schema) -> dict[str, Any]:
        """What the type alone decides."""
        if schema.type in _NUMBERS:
            kind, connect_type = _NUMBERS[schema.type]
            return {"type": kind, names.CONNECT_TYPE: connect_type}
        match schema.type:
            case Type.BOOLEAN:
                return {"type": "boolean"}
            case Type.STRING:
                return self._string(schema)
            case Type.BYTES:
                numeric = schema.name == DECIMAL_NAME and self._writer.numeric_decimals
                return {"type": "number" if numeric else "string", names.CONNECT_TYPE: "bytes"}
            case Type.ARRAY:
                return {"type": "array", "items": self.schema(schema.value_schema)}
            case Type.MAP:
                return self._map(schema)
        return self._struct(schema)

    def _string(self, schema: Schema) -> dict[str, Any]:
        parameter = names.enum_parameter(schema, generalized=self._config.generalized_sum_type_support)
        if parameter is None:
            return {"type": "string"}
        prefix = f"{parameter}."
        symbols = [name.removeprefix(prefix) for name in schema.parameters or {} if name.startswith(prefix)]
        return {"enum": [None if symbol == names.NULL_SYMBOL else symbol for symbol in symbols]}

    def _map(self, schema: Schema) -> dict[str, Any]:
        if names.has_text_keys(schema):
            held = self.schema(schema.value_schema)
            return {"type": "object", "additionalProperties": held, names.CONNECT_TYPE: "map"}
        entry = {names.KEY: self.schema(schema.key_schema, 0), names.VALUE: self.schema(schema.value_schema, 1)}
        return {"type": "array", "items": {"type": "object", "properties": entry}, names.CONNECT_TYPE: "map"}

    def _struct(self, schema: Schema) -> dict[str, Any]:
        fields = {field.name: self.schema(field.schema, field.index) for field in schema.fields}
        described: dict[str, Any] = {"type": "object", "properties": fields}
        if not self._config.object_additional_properties:
            described["additionalProperties"] = False
        return described
