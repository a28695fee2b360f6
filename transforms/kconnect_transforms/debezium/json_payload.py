"""JSON texts as structs: the schema is inferred from the text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from kconnect.errors import DataError
from kconnect.record import SchemaAndValue
from kconnect.schema import (
    OPTIONAL_BOOLEAN_SCHEMA,
    OPTIONAL_BYTES_SCHEMA,
    OPTIONAL_FLOAT64_SCHEMA,
    OPTIONAL_INT32_SCHEMA,
    OPTIONAL_INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    Schema,
    Type,
    validate_value,
)

_SCALARS: Final = {str: OPTIONAL_STRING_SCHEMA, bool: OPTIONAL_BOOLEAN_SCHEMA, float: OPTIONAL_FLOAT64_SCHEMA}


def _refuse(constant: str) -> Any:
    raise DataError(f"{constant} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


class JsonPayload:
    """Everything inferred is optional. Names of structs are the paths to them. `null_schema` is what a null is; None
    leaves out fields that are null. `adjust` makes the names of fields."""

    def __init__(self, null_schema: Schema | None, adjust: Callable[[str], str]) -> None:
        self._null_schema = null_schema
        self._adjust = adjust

    def expand(self, name: str, text: str) -> SchemaAndValue:
        """The object or array that `text` begins with; what follows it is not read. Raises DataError for anything
        else, for an array of different kinds, and for one about whose elements nothing is known."""
        if not text.startswith(("{", "[")):
            raise DataError("it begins with neither { nor [")
        try:
            document, _ = _DECODER.raw_decode(text)
            return self._expanded(name, document)
        except ValueError as error:
            raise DataError(f"it is no JSON: {error}") from None
        except RecursionError:
            raise DataError("it is nested too deep") from None

    def _expanded(self, name: str, document: Any) -> SchemaAndValue:
        schema = self._schema(name, document)
        if schema is None:
            raise DataError("nothing says what the elements of its array are")
        value = self._value(schema, document)
        validate_value(schema, value, name)
        return SchemaAndValue(schema, value)

    def _schema(self, name: str | None, node: Any) -> Schema | None:
        """None for what is to be left out."""
        if node is None:
            return self._null_schema
        if isinstance(node, dict):
            return self._struct(name, node)
        if isinstance(node, list):
            return Schema(Type.ARRAY, optional=True, value_schema=self._element(name, node)) if node else None
        if isinstance(node, int) and not isinstance(node, bool):
            return _integer(node)
        return _SCALARS[type(node)]

    def _struct(self, name: str | None, node: dict[str, Any]) -> Schema:
        fields: dict[str, Schema] = {}
        for key, value in node.items():
            field = self._adjust(key)
            schema = self._schema(f"{name}.{field}" if name else field, value)
            if schema is not None:
                fields.setdefault(field, schema)
        return Schema(Type.STRUCT, name=name, optional=True, fields=fields)

    def _element(self, name: str | None, elements: list[Any]) -> Schema:
        present = [element for element in elements if element is not None]
        if present and all(isinstance(element, dict) for element in present):
            return self._merged(name, present)
        schema = self._schema(None, present[0]) if present else None
        if schema is None:
            raise DataError(f"nothing says what the elements of {name or 'an inner array'} are")
        for element in present:
            if type(element) is not type(present[0]) or (type(element) is int and _integer(element) is not schema):
                raise DataError(f"the elements of {name or 'an inner array'} are of different kinds")
        return schema

    def _merged(self, name: str | None, elements: list[dict[str, Any]]) -> Schema:
        """The fields of all elements. What is null in one is what another says that it is."""
        fields: dict[str, Schema] = {}
        for element in elements:
            for field in self._struct(name, element).fields:
                if fields.get(field.name) in (None, self._null_schema):
                    fields[field.name] = field.schema
        return Schema(Type.STRUCT, name=name, optional=True, fields=fields)

    def _value(self, schema: Schema, node: Any) -> Any:
        if isinstance(node, dict):
            adjusted: dict[str, Any] = {}
            for key, value in node.items():
                adjusted.setdefault(self._adjust(key), value)
            return {field.name: self._value(field.schema, adjusted.get(field.name)) for field in schema.fields}
        if isinstance(node, list) and schema.value_schema is not None:
            return [self._value(schema.value_schema, element) for element in node]
        return node


def _integer(value: int) -> Schema:
    if -(1 << 31) <= value < 1 << 31:
        return OPTIONAL_INT32_SCHEMA
    if -(1 << 63) <= value < 1 << 63:
        return OPTIONAL_INT64_SCHEMA
    raise DataError(f"{value} does not fit into int64")


NULL_SCHEMAS: Final = {"ignore": None, "optional_bytes": OPTIONAL_BYTES_SCHEMA}
"""What a null is, by `table.json.payload.null.behavior`."""
