"""Default values: Connect's as JSON, and JSON as Avro has it as bytes or as Connect's values."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from kconnect import float32, logical
from kconnect.errors import DataError
from kconnect.schema import Schema, Type, validate_value
from kconnect_converters.avro.names import is_union, scrubbed
from kconnect_converters.avro.schema import UNSET, AvroSchema
from kconnect_converters.varint import long_bytes


def default_to_json(schema: Schema | None, value: Any, *, scrub: bool, optional_keys: bool) -> Any:
    """What `connect.default` and an Avro field's default say for `value`."""
    if value is None or schema is None:
        return None
    primitive = logical.from_logical(schema, value)

    def inner(of: Schema | None, each: Any) -> Any:
        return default_to_json(of, each, scrub=scrub, optional_keys=optional_keys)

    match schema.type:
        case Type.BYTES:
            return bytes(primitive).decode("latin-1")
        case Type.FLOAT32 | Type.FLOAT64:
            if primitive - primitive != 0.0:
                return _NOT_FINITE[str(primitive)]
            return float32.shortest(primitive) if schema.type is Type.FLOAT32 else primitive
        case Type.ARRAY:
            return [inner(schema.value_schema, each) for each in primitive]
        case Type.MAP:
            key_schema = schema.key_schema
            if key_schema is None or key_schema.type is not Type.STRING or (key_schema.optional and not optional_keys):
                return [[inner(key_schema, key), inner(schema.value_schema, each)] for key, each in primitive.items()]
            return {key: inner(schema.value_schema, each) for key, each in primitive.items()}
        case Type.STRUCT:
            described = {f.name: inner(f.schema, f.get(primitive)) for f in schema.fields}
            if is_union(schema):
                return next(iter(described.values()), None)
            return {scrubbed(name) if scrub else name: each for name, each in described.items()}
    return primitive


_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def default_bytes(avro: AvroSchema, value: Any) -> bytes:
    """The Avro binary of a default in JSON. DataError when it does not fit."""
    write = _BYTES_OF.get(avro.type)
    if write is None:
        return _structured_bytes(avro, value)
    try:
        return write(avro, value)
    except (TypeError, ValueError, AttributeError, struct.error, OverflowError):
        raise DataError(f"default {value!r:.60} is no {avro.type}") from None


def _structured_bytes(avro: AvroSchema, value: Any) -> bytes:
    if avro.type == "union":
        for index, branch in enumerate(avro.branches):
            try:
                return long_bytes(index) + default_bytes(branch, value)
            except DataError:
                continue
        raise DataError(f"default {value!r:.60} is in no branch of the union")
    if avro.type == "array" and isinstance(value, list):
        return _blocks([default_bytes(avro.held(), each) for each in value])
    if avro.type == "map" and isinstance(value, dict):
        return _blocks([_string(key) + default_bytes(avro.held(), each) for key, each in value.items()])
    if avro.type == "record" and isinstance(value, dict):
        return b"".join(default_bytes(f.schema, _given(value, f.name, f.default)) for f in avro.fields)
    raise DataError(f"default {value!r:.60} is no {avro.type}")


def _given(value: dict[str, Any], name: str, default: Any) -> Any:
    found = value.get(name, default)
    if found is UNSET:
        raise DataError(f"the default has no field {name}")
    return found


def _blocks(items: list[bytes]) -> bytes:
    return b"".join((long_bytes(len(items)), *items, b"\x00")) if items else b"\x00"


def _string(value: str) -> bytes:
    data = value.encode()
    return long_bytes(len(data)) + data


def _integer(value: Any, bits: int) -> bytes:
    if type(value) is not int or not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise ValueError
    return long_bytes(value)


def _null(avro: AvroSchema, value: Any) -> bytes:
    if value is not None:
        raise ValueError
    return b""


def _boolean(avro: AvroSchema, value: Any) -> bytes:
    if type(value) is not bool:
        raise ValueError
    return b"\x01" if value else b"\x00"


def _floating(layout: str) -> Callable[[AvroSchema, Any], bytes]:
    def write(avro: AvroSchema, value: Any) -> bytes:
        if isinstance(value, bool):
            raise ValueError
        return struct.pack(layout, float(value) if value in _FLOAT_TEXTS else value)

    return write


_FLOAT_TEXTS: Final = ("NaN", "Infinity", "-Infinity")


def _bytes(avro: AvroSchema, value: Any) -> bytes:
    data: bytes = value.encode("latin-1")
    return long_bytes(len(data)) + data


def _fixed(avro: AvroSchema, value: Any) -> bytes:
    data: bytes = value.encode("latin-1")
    if len(data) != avro.size:
        raise ValueError
    return data


_BYTES_OF: Final[dict[str, Callable[[AvroSchema, Any], bytes]]] = {
    "null": _null,
    "boolean": _boolean,
    "int": lambda avro, value: _integer(value, 32),
    "long": lambda avro, value: _integer(value, 64),
    "float": _floating("<f"),
    "double": _floating("<d"),
    "string": lambda avro, value: _string(value),
    "bytes": _bytes,
    "fixed": _fixed,
    "enum": lambda avro, value: long_bytes(avro.symbols.index(value)),
}


def default_from_json(avro: AvroSchema, schema: Schema, value: Any) -> Any:
    """The Connect value of a default in JSON, for a schema that was made from `avro`. DataError if it does not fit."""
    if value is None:
        return None
    if avro.nullable is not None:
        return default_from_json(avro.nullable, schema, value)
    if avro.type == "union":
        return _union_default(avro, schema, value)
    primitive = _plain_default(avro, schema, value)
    try:
        converted = logical.to_logical(schema, primitive)
        validate_value(schema, converted)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise DataError(f"default {value!r:.60}: {error}") from None
    return converted


def _union_default(avro: AvroSchema, schema: Schema, value: Any) -> Any:
    if len(avro.branches) == 1 and not is_union(schema):
        return default_from_json(avro.branches[0], schema, value)
    branches = [branch for branch in avro.branches if branch.type != "null"]
    for branch, field in zip(branches, schema.fields, strict=True):
        try:
            default_bytes(branch, value)
        except DataError:
            continue
        return {each.name: None for each in schema.fields} | {
            field.name: default_from_json(branch, field.schema, value)
        }
    raise DataError(f"default {value!r:.60} is in no branch of the union")


def _plain_default(avro: AvroSchema, schema: Schema, value: Any) -> Any:
    match avro.type:
        case "array" if schema.type is Type.MAP and value == []:
            return {}
        case "array" if schema.type is Type.ARRAY and isinstance(value, list) and schema.value_schema:
            return [default_from_json(avro.held(), schema.value_schema, each) for each in value]
        case "map" if isinstance(value, dict) and schema.value_schema is not None:
            held = schema.value_schema
            return {key: default_from_json(avro.held(), held, each) for key, each in value.items()}
        case "record" if isinstance(value, dict):
            return {
                f.name: default_from_json(f.schema, field.schema, value.get(f.name, _or_none(f.default)))
                for f, field in zip(avro.fields, schema.fields, strict=True)
            }
        case "bytes" | "fixed" if isinstance(value, str):
            try:
                return value.encode("latin-1")
            except UnicodeEncodeError:
                raise DataError(f"default {value!r:.60} has characters beyond a byte") from None
        case "float" if type(value) in (int, float) or value in _FLOAT_TEXTS:
            return float32.rounded(float(value))
        case "double" if type(value) is int or value in _FLOAT_TEXTS:
            return float(value)
    return value


def _or_none(default: Any) -> Any:
    return None if default is UNSET else default
