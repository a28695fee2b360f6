"""BSON as a Connect schema has it: the output format `schema`."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import bson
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.timestamp import Timestamp

from kconnect import DataError, Schema
from kconnect.schema import DECIMAL_NAME, INTEGER_BITS, TIMESTAMP_NAME, Type
from kconnect_mongodb.client import CODEC, Document
from kconnect_mongodb.json_text import JsonFormat, millis_of
from kconnect_mongodb.namespaces import field_at

Convert = Callable[[Any], Any]

_MOST_CONVERTERS: Final = 1000


class SchemaValues:
    """`format` writes what a schema wants as text."""

    def __init__(self, format: JsonFormat) -> None:
        self._format = format
        self._converters: dict[Schema, Convert] = {}

    def value(self, schema: Schema, document: Document) -> Any:
        """DataError, naming the field, for a value that does not fit."""
        return self._converter(schema)(document)

    def _converter(self, schema: Schema) -> Convert:
        found = self._converters.get(schema)
        if found is None:
            if len(self._converters) >= _MOST_CONVERTERS:  # of inferred schemas there may be many
                self._converters.clear()
            found = self._converters[schema] = self._made(schema)
        return found

    def _made(self, schema: Schema) -> Convert:
        match schema.type:
            case Type.STRUCT:
                return self._struct(schema)
            case Type.ARRAY:
                return self._array(schema)
            case Type.MAP:
                return self._map(schema)
            case Type.STRING:
                return self._text
            case Type.BYTES:
                return _decimal if schema.name == DECIMAL_NAME else _bytes
            case Type.BOOLEAN:
                return _boolean
            case Type.INT64 if schema.name == TIMESTAMP_NAME:
                return _timestamp
            case Type.FLOAT32 | Type.FLOAT64:
                return lambda value: float(_number(value))
        return _integer(INTEGER_BITS[schema.type])

    def _struct(self, schema: Schema) -> Convert:
        plan = [(field.name, field.schema, self._converter(field.schema)) for field in schema.fields]

        def convert(document: Any) -> Document:
            _check(document, dict, "a document")
            struct = {}
            for name, of, conversion in plan:
                found = field_at(document, name)
                if found is None:
                    if not of.optional and of.default is None:
                        missing = "is null" if name in document else "is missing"
                        raise DataError(f"field {name} {missing}, and the schema has no default")
                    struct[name] = None if name in document and of.optional else of.default
                    continue
                try:
                    struct[name] = conversion(found)
                except DataError as error:
                    raise DataError(f"field {name}: {error}") from error
            return struct

        return convert

    def _array(self, schema: Schema) -> Convert:
        convert = self._element(schema)

        def convert_all(values: Any) -> list[Any]:
            _check(values, list, "an array")
            return [convert(value) for value in values]

        return convert_all

    def _map(self, schema: Schema) -> Convert:
        convert = self._element(schema)

        def convert_all(document: Any) -> Document:
            _check(document, dict, "a document")
            return {name: convert(value) for name, value in document.items()}

        return convert_all

    def _element(self, schema: Schema) -> Convert:
        element = schema.value_schema
        if element is None:
            raise DataError(f"{schema!r} does not say what its elements are")
        convert, optional = self._converter(element), element.optional

        def of(value: Any) -> Any:
            if value is None and not optional:
                raise DataError("an element is null, which the schema does not allow")
            return None if value is None else convert(value)

        return of

    def _text(self, value: Any) -> str:
        if isinstance(value, str) and value.__class__ is str:
            return value
        return self._format.value(value).removeprefix('"').removesuffix('"')


def _check(value: Any, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise DataError(f"must be {name}, and is of type {type(value).__name__}")


def _boolean(value: Any) -> bool:
    _check(value, bool, "a boolean")
    return bool(value)


def _number(value: Any) -> int | float:
    """Times are numbers of milliseconds."""
    if isinstance(value, Timestamp):
        return int(value.time) * 1000
    if isinstance(value, datetime | DatetimeMS):
        return millis_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"must be a number, and is of type {type(value).__name__}")
    return value


def _integer(bits: int) -> Convert:
    limit = 1 << (bits - 1)

    def convert(value: Any) -> int:
        number = _number(value)
        if not math.isfinite(number) or not -limit <= int(number) < limit:
            raise DataError(f"{number} does not fit {bits} bits")
        return int(number)

    return convert


def _timestamp(value: Any) -> datetime:
    millis = _number(value)
    try:
        return datetime.fromtimestamp(int(millis) // 1000, UTC).replace(microsecond=int(millis) % 1000 * 1000)
    except (OverflowError, ValueError, OSError) as error:
        raise DataError(f"{millis} ms since 1970 is beyond the years 1 to 9999") from error


def _decimal(value: Any) -> Any:
    _check(value, Decimal128, "a decimal")
    return value.to_decimal()


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        return bson.encode(value, codec_options=CODEC)
    _check(value, bytes, "bytes, text or a document")
    return bytes(value)
