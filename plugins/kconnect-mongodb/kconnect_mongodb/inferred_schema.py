"""The schema of a document, found in the document: `output.schema.infer.value`.

A null has any type: in arrays of documents the others say which. What differs within an array becomes text.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.timestamp import Timestamp

from kconnect import DataError, Schema
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DECIMAL_NAME,
    FLOAT64_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    STRING_SCHEMA,
    TIMESTAMP_SCHEMA,
    Type,
)
from kconnect_mongodb.client import Document

Shape: TypeAlias = "Schema | tuple[Any, ...] | None"
"""A leaf's schema; (STRUCT, name, ((field, shape), …)); (ARRAY, name, shape); None of a null."""

_ROOT: Final = "default"
_TEXT: Final = STRING_SCHEMA.replace(optional=True)
_LEAVES: Final[dict[type, Schema]] = {
    bool: BOOLEAN_SCHEMA.replace(optional=True),
    int: INT32_SCHEMA.replace(optional=True),
    Int64: INT64_SCHEMA.replace(optional=True),
    float: FLOAT64_SCHEMA.replace(optional=True),
    **dict.fromkeys((datetime, DatetimeMS, Timestamp), TIMESTAMP_SCHEMA.replace(optional=True)),
    **dict.fromkeys((bytes, Binary), BYTES_SCHEMA.replace(optional=True)),
}
_MOST_SCHEMAS: Final = 1000
_schemas: dict[Shape, Schema] = {}


def inferred_schema(document: Document) -> Schema:
    """A struct; `_id` first, the other fields by name."""
    shape = _struct(_ROOT, document)
    schema = _schemas.get(shape)
    if schema is None:
        if len(_schemas) >= _MOST_SCHEMAS:
            _schemas.clear()
        schema = _schemas[shape] = _built(shape).replace(optional=False)
    return schema


def _struct(path: str, document: Document) -> Shape:
    names = sorted(document, key=lambda name: (name != "_id", name))
    shapes = ((name, _shape("_id" if name == "_id" else _below(path, name), document[name])) for name in names)
    return Type.STRUCT, path, tuple(shapes)


def _below(path: str, name: str) -> str:
    return name if path == _ROOT else f"{path}_{name}"


def _shape(path: str, value: Any) -> Shape:
    if value is None:
        return None
    if isinstance(value, dict):
        return _struct(path, value)
    if isinstance(value, list):
        element: Shape = None
        for each in value:
            element = _combined(element, _shape(path, each))
        return Type.ARRAY, path, element
    if isinstance(value, Decimal128):
        return _decimal(value.to_decimal())
    return _LEAVES.get(value.__class__, _TEXT)


def _decimal(value: Decimal) -> Schema:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise DataError(f"has the decimal {value}, which no schema can hold")
    parameters = {"scale": str(-exponent)}
    return Schema(Type.BYTES, name=DECIMAL_NAME, version=1, parameters=parameters, optional=True)


def _combined(first: Shape, second: Shape) -> Shape:
    if first is None or second is None or first == second:
        return first if second is None else second
    if isinstance(first, tuple) and isinstance(second, tuple) and first[0] is second[0]:
        if first[0] is Type.ARRAY:
            return Type.ARRAY, first[1], _combined(first[2], second[2])
        ours, theirs = dict(first[2]), dict(second[2])
        names = sorted({*ours, *theirs}, key=lambda name: (name != "_id", name))
        return Type.STRUCT, first[1], tuple((name, _combined(ours.get(name), theirs.get(name))) for name in names)
    return _TEXT


def _built(shape: Shape) -> Schema:
    if shape is None:
        return _TEXT
    if isinstance(shape, Schema):
        return shape
    kind, name, content = shape
    if kind is Type.ARRAY:
        return Schema(Type.ARRAY, name=name, optional=True, value_schema=_built(content))
    fields = {field: _built(each) for field, each in content}
    return Schema(Type.STRUCT, name=name, optional=True, fields=fields)
