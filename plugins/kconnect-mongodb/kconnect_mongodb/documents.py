"""Keys and values of records as documents: structs by their schemas, maps, JSON text, BSON bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Any, Final

import bson
from bson.decimal128 import Decimal128, create_decimal128_context
from bson.errors import BSONError
from bson.int64 import Int64

from kconnect import DataError, Schema, SinkRecord
from kconnect.schema import DECIMAL_NAME, Type
from kconnect_mongodb.client import CODEC, Document
from kconnect_mongodb.json_text import parse_document

Convert = Callable[[Any], Any]

_EPOCH_DAY: Final = date(1970, 1, 1)
_INT64: Final = (-(2**63), 2**63)


class SinkDocument:
    """A record's key and value, each converted when it is first asked for. Both may be changed: they are copies.

    `key` and `value` are None where the record has none, and raise DataError for what is no document."""

    __slots__ = ("_key", "_value", "record")

    def __init__(self, record: SinkRecord) -> None:
        self.record = record
        self._key: Document | None = None
        self._value: Document | None = None

    @property
    def key(self) -> Document | None:
        if self._key is None and self.record.key is not None:
            self._key = document_of(self.record.key_schema, self.record.key, "key")
        return self._key

    @property
    def value(self) -> Document | None:
        if self._value is None and self.record.value is not None:
            self._value = document_of(self.record.value_schema, self.record.value, "value")
        return self._value

    def required_key(self, why: str) -> Document:
        if self.key is None:
            raise DataError(f"the record has no key, which {why} needs")
        return self.key

    def required_value(self, why: str) -> Document:
        if self.value is None:
            raise DataError(f"the record has no value, which {why} needs")
        return self.value


def document_of(schema: Schema | None, value: Any, what: str) -> Document:
    """DataError, naming `what`, for a value that is no document."""
    try:
        if isinstance(value, dict):
            found = _plain(value) if schema is None else converter_of(schema)(value)
        elif isinstance(value, str):
            found = parse_document(value)
        elif isinstance(value, bytes | bytearray | memoryview):
            found = bson.decode(bytes(value), CODEC)
        else:
            raise DataError(f"must be a struct, a map, JSON text or BSON bytes, and is of type {type(value).__name__}")
    except BSONError as error:
        raise DataError(f"the {what} is no BSON document: {error}") from error
    except DataError as error:
        raise DataError(f"the {what} {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"the {what} is no document")
    return found


_converters: dict[Schema, Convert] = {}
_MOST_CONVERTERS: Final = 1000


def converter_of(schema: Schema) -> Convert:
    """From a value of `schema` to BSON. Worked out once a schema."""
    found = _converters.get(schema)
    if found is None:
        if len(_converters) >= _MOST_CONVERTERS:  # a topic whose every record has a schema of its own
            _converters.clear()
        found = _converters[schema] = _compiled(schema)
    return found


def _compiled(schema: Schema) -> Convert:
    match schema.type:
        case Type.STRUCT:
            return _struct_converter(schema)
        case Type.MAP:
            return _map_converter(schema)
        case Type.ARRAY:
            element = _plain_value if schema.value_schema is None else converter_of(schema.value_schema)
            return lambda values: [None if value is None else element(value) for value in values]
        case Type.INT64 if schema.name is None:
            return Int64
    if schema.name == DECIMAL_NAME:
        return decimal128
    return _plain_value if schema.name is not None or schema.type is Type.BYTES else _same


def _struct_converter(schema: Schema) -> Convert:
    plan = [(field.name, converter_of(field.schema), field.schema.default) for field in schema.fields]

    def convert(struct: Mapping[str, Any]) -> Document:
        document = {}
        for name, conversion, default in plan:
            value = struct.get(name)
            if value is None:
                value = default
            document[name] = None if value is None else conversion(value)
        return document

    return convert


def _map_converter(schema: Schema) -> Convert:
    element = _plain_value if schema.value_schema is None else converter_of(schema.value_schema)

    def convert(entries: Mapping[Any, Any]) -> Document:
        return {_name(key): None if value is None else element(value) for key, value in entries.items()}

    return convert


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise DataError(f"has a map whose key {key!r:.80} is no text: a document's fields have names")
    return key


def _same(value: Any) -> Any:
    return value


def _plain(value: Mapping[Any, Any]) -> Document:
    """Of a map without a schema, whose whole numbers are Java's longs."""
    return {_name(key): _plain_value(each) for key, each in value.items()}


def _plain_value(value: Any) -> Any:
    convert = _PLAIN.get(value.__class__)
    if convert is not None:
        return convert(value)
    for kind, conversion in _PLAIN.items():
        if isinstance(value, kind):
            return conversion(value)
    return value  # of a class of BSON's own


def _int64(value: int) -> Int64:
    if not _INT64[0] <= value < _INT64[1]:
        raise DataError(f"has the number {value}, which takes more than 64 bits")
    return Int64(value)


def decimal128(value: Decimal) -> Decimal128:
    """Exactly: DataError for a number of more than 34 digits."""
    try:
        with localcontext(_DECIMAL128) as context:
            return Decimal128(context.create_decimal(value))
    except (Inexact, InvalidOperation, ValueError) as error:
        raise DataError(
            f"has the decimal {str(value)[:50]}, which takes more than the 34 digits of MongoDB's"
        ) from error


def _exact_context() -> Context:
    context = create_decimal128_context()
    context.traps[Inexact] = True
    return context


_DECIMAL128: Final = _exact_context()

_PLAIN: Final[Mapping[type, Convert]] = {
    str: _same,
    bool: _same,
    type(None): _same,
    int: _int64,
    float: _same,
    dict: _plain,
    list: lambda values: [_plain_value(value) for value in values],
    bytes: _same,
    Decimal: decimal128,
    datetime: _same,
    date: lambda value: datetime(value.year, value.month, value.day, tzinfo=UTC),
    time: lambda value: datetime.combine(_EPOCH_DAY, value.replace(tzinfo=None), UTC),
    bytearray: bytes,
    memoryview: bytes,
    tuple: lambda values: [_plain_value(value) for value in values],
}
"""In this order for subclasses: a bool is no int, a datetime a date."""
