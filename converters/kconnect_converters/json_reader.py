"""JSON to Connect values, as Kafka's JsonConverter reads them.

`JsonReader.value` is the whole of the rules. As in Kafka, a JSON value of another kind than its schema is read
leniently: text where a number is due is 0, a number where text is due is null, a number too large is cut to its
lowest bits. Data that is what its schema says takes the short way of `JsonReader.decoder`: a msgspec type compiled
from the schema parses and checks in one C call, and only logical values and absent fields are touched afterwards.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any, Final, NotRequired, TypedDict

import msgspec

from kconnect import float32, logical
from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type
from kconnect_converters.json_shape import INTEGER_BITS, PRIMITIVES, place

Decode = Callable[[bytes | memoryview], Any]
DecodeColumns = Callable[[Iterable[bytes]], tuple[Sequence[Any], ...] | None]
Finish = Callable[[Any], Any]

DIGITS_MAX: Final = 4300
"""The longest integer that a number may be written out to: 1e1000000000 would fill the memory."""

_FINISH: Final[dict[str, Finish]] = {
    DATE_NAME: logical.date_of,
    TIME_NAME: logical.time_of,
    TIMESTAMP_NAME: logical.timestamp_of,
}
_LOGICAL_NAMES: Final = {DECIMAL_NAME, *_FINISH}
_REFUSALS: Final = (ValueError, TypeError, RecursionError, DataError)
"""What sends data the careful way: msgspec's errors are ValueErrors."""


def parse(data: bytes) -> Any:
    """The JSON in `data`: integers exact, other numbers as Decimal. DataError for anything but one JSON value."""
    try:
        return json.loads(data, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        shown = repr(data[:60])[1:]
        raise DataError(f"not JSON: {error}, in {shown}{'…' if len(data) > 60 else ''}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


class JsonReader:
    """Reads values. `replace_null` puts a schema's default in the place of null."""

    def __init__(self, *, replace_null: bool = True) -> None:
        self.replace_null = replace_null
        self._decode_any = msgspec.json.Decoder().decode

    def decode(self, schema: Schema | None, data: bytes | memoryview) -> Any:
        """The value that the JSON text `data` has under `schema`. Raises DataError, naming the place."""
        return self.value(schema, parse(bytes(data)))

    def decoder(self, schema: Schema | None) -> Decode:
        """`decode` with the schema fixed: compiled anew by every call, so keep it."""
        return self._decode_schemaless if schema is None else self._compiled(schema)

    def _decode_schemaless(self, data: bytes | memoryview) -> Any:
        try:
            return self._decode_any(data)
        except _REFUSALS:
            return self.decode(None, data)

    def _compiled(self, schema: Schema) -> Decode:
        careful = self.decode
        try:
            shape, finish = self._shape(schema)
        except DataError:  # a decimal schema without a scale, say: the careful way knows what can still be read
            return lambda data: careful(schema, data)
        decode = msgspec.json.Decoder(shape, float_hook=Decimal).decode

        def decode_bare(data: bytes | memoryview) -> Any:
            try:
                return decode(data)
            except _REFUSALS:
                return careful(schema, data)

        def decode_finished(data: bytes | memoryview) -> Any:
            try:
                return finish(decode(data))  # type: ignore[misc]
            except _REFUSALS:
                return careful(schema, data)

        return decode_bare if finish is None else decode_finished

    def column_decoder(self, schema: Schema | None) -> DecodeColumns | None:
        """Reads structs of `schema` as `decoder` does, into one sequence per field: None for JSON that is not just what
        the schema says. There is no such decoder for other schemas, or field names that msgspec does not take."""
        if schema is None or schema.type is not Type.STRUCT or schema.name in _LOGICAL_NAMES or not schema.fields:
            return None
        try:
            row_type, finishes = self._row_type(schema)
        except (ValueError, DataError):
            return None
        decode, as_tuple = msgspec.json.Decoder(row_type, float_hook=Decimal).decode, msgspec.structs.astuple

        def decode_columns(payloads: Iterable[bytes]) -> tuple[Sequence[Any], ...] | None:
            try:
                columns: list[Sequence[Any]] = list(zip(*map(as_tuple, map(decode, payloads)), strict=True))
                for index, finish in finishes:
                    columns[index] = list(map(finish, columns[index]))
            except _REFUSALS:
                return None
            return tuple(columns)

        return decode_columns

    def _row_type(self, schema: Schema) -> tuple[type[msgspec.Struct], list[tuple[int, Finish]]]:
        """The msgspec type of a struct with its fields in their order, and what makes the fields Connect values."""
        fields: list[Any] = []
        finishes, names = [], {}
        for field in schema.fields:
            shape, finish = self._shape(field.schema)
            attribute = f"f{field.index}"
            names[attribute] = field.name
            fields.append((attribute, shape, None) if self._may_lack(field.schema) else (attribute, shape))
            if finish is not None:
                finishes.append((field.index, finish))
        return msgspec.defstruct("Row", fields, rename=names, kw_only=True, gc=False), finishes

    def _may_lack(self, schema: Schema) -> bool:
        """Whether a struct need not have a field of `schema`."""
        return schema.optional or (schema.default is not None and self.replace_null)

    def _shape(self, schema: Schema) -> tuple[Any, Finish | None]:
        """The msgspec type of values of `schema`, and what makes them Connect values (None: they are)."""
        shape: Any
        finish: Finish | None
        if schema.name == DECIMAL_NAME:
            shape, finish = self._decimal_shape(schema)
        else:
            shape, finish = _SHAPES[schema.type](self, schema)
            if schema.name in _FINISH:
                finish = _FINISH[schema.name] if schema.type in INTEGER_BITS else _refuse
        if schema.default is not None and self.replace_null:
            shape, finish = shape | None, _or(schema.default, finish)
        elif schema.optional:
            shape, finish = shape | None, _or(None, finish) if finish is not None else None
        return shape, finish

    def _primitive_shape(self, schema: Schema) -> tuple[Any, Finish | None]:
        return PRIMITIVES[schema.type], float32.rounded if schema.type is Type.FLOAT32 else None

    def _decimal_shape(self, schema: Schema) -> tuple[Any, Finish | None]:
        """Base64 text or a number, which the decoder's `float_hook` gives as a Decimal with all its digits."""
        scale = logical.decimal_scale(schema)

        def finish(parsed: Any) -> Any:
            if type(parsed) is str:
                return logical.decimal_of(binascii.a2b_base64(parsed, strict_mode=True), scale)
            return self.value(schema, parsed)

        return Any, finish

    def _struct_shape(self, schema: Schema) -> tuple[Any, Finish | None]:
        shapes, finishes, may_lack = {}, [], False
        for field in schema.fields:
            shape, finish = self._shape(field.schema)
            if self._may_lack(field.schema):
                shape = NotRequired[shape]
                may_lack = True
            shapes[field.name] = shape
            if finish is not None:
                finishes.append((field.name, finish))
        size, blank = len(shapes), dict.fromkeys(shapes)

        def finish_struct(value: dict[str, Any]) -> dict[str, Any]:
            if len(value) != size:
                value = blank | value  # absent fields take their places in the schema's order
            for name, finish in finishes:
                value[name] = finish(value[name])
            return value

        struct_type = TypedDict("Struct", shapes)  # type: ignore[misc] # the fields are known at run time only
        return struct_type, finish_struct if finishes or may_lack else None

    def _array_shape(self, schema: Schema) -> tuple[Any, Finish | None]:
        shape, finish = self._element(schema.value_schema)
        return list[shape], None if finish is None else lambda value: [  # type: ignore[valid-type]
            finish(item) for item in value
        ]

    def _map_shape(self, schema: Schema) -> tuple[Any, Finish | None]:
        if schema.key_schema is None or schema.key_schema.type is not Type.STRING:
            return Any, lambda value: self.value(schema, value)
        shape, finish = self._element(schema.value_schema)
        return dict[str, shape], None if finish is None else lambda value: {  # type: ignore[valid-type]
            key: finish(item) for key, item in value.items()
        }

    def _element(self, schema: Schema | None) -> tuple[Any, Finish | None]:
        return (Any, self._schemaless) if schema is None else self._shape(schema)

    def value(self, schema: Schema | None, parsed: Any) -> Any:
        """The value that parsed JSON (floats as Decimal) has under `schema`. Raises DataError with the path."""
        try:
            return self._value(schema, parsed, "")
        except RecursionError:
            raise DataError("the JSON is nested too deeply") from None

    def _value(self, schema: Schema | None, parsed: Any, path: str) -> Any:
        if schema is None:
            return self._schemaless(parsed)
        if parsed is None:
            if schema.default is not None and self.replace_null:
                return deepcopy(schema.default)
            if schema.optional:
                return None
            raise DataError(f"{place(path)}: null, but {schema!r} is required")
        if schema.name == DECIMAL_NAME:
            return _decimal(schema, parsed, path)
        if schema.name not in _FINISH:
            return _READ[schema.type](self, schema, parsed, path)
        try:
            return logical.to_logical(schema, parsed)
        except DataError as error:
            raise DataError(f"{place(path)}: {error}") from None

    def _schemaless(self, parsed: Any) -> Any:
        if isinstance(parsed, Decimal):
            return float(parsed)
        if isinstance(parsed, list):
            return [self._schemaless(item) for item in parsed]
        if isinstance(parsed, dict):
            return {key: self._schemaless(item) for key, item in parsed.items()}
        return parsed

    def _struct(self, schema: Schema, parsed: Any, path: str) -> dict[str, Any]:
        if not isinstance(parsed, dict):
            raise _unreadable(path, "a struct is a JSON object", parsed)
        return {
            field.name: self._value(field.schema, parsed.get(field.name), f"{path}.{field.name}")
            for field in schema.fields
        }

    def _array(self, schema: Schema, parsed: Any, path: str) -> list[Any]:
        if isinstance(parsed, dict):
            parsed = parsed.values()
        elif not isinstance(parsed, list):
            return []
        return [self._value(schema.value_schema, item, f"{path}[{i}]") for i, item in enumerate(parsed)]

    def _map(self, schema: Schema, parsed: Any, path: str) -> dict[Any, Any]:
        if schema.key_schema is None or schema.key_schema.type is Type.STRING:
            if not isinstance(parsed, dict):
                raise _unreadable(path, "a map with text as keys is a JSON object", parsed)
            return {k: self._value(schema.value_schema, v, f"{path}[{k!r}]") for k, v in parsed.items()}
        if not isinstance(parsed, list):
            raise _unreadable(path, "a map whose keys are no text is a JSON array of [key, value] pairs", parsed)
        entries = {}
        for i, pair in enumerate(parsed):
            if not isinstance(pair, list) or len(pair) != 2:
                raise _unreadable(f"{path}[{i}]", "a map's entry is a [key, value] pair", pair)
            key = self._value(schema.key_schema, pair[0], f"{path}[{i}]")
            if isinstance(key, dict | list):
                raise _unreadable(f"{path}[{i}]", "a struct, map or array cannot be the key of a dict", pair)
            entries[key] = self._value(schema.value_schema, pair[1], f"{path}[{key!r}]")
        return entries


_SHAPES: Final[dict[Type, Callable[[JsonReader, Schema], tuple[Any, Finish | None]]]] = {
    **dict.fromkeys(PRIMITIVES, JsonReader._primitive_shape),
    Type.STRUCT: JsonReader._struct_shape,
    Type.ARRAY: JsonReader._array_shape,
    Type.MAP: JsonReader._map_shape,
}


def _or(default: Any, finish: Finish | None) -> Finish:
    if isinstance(default, list | dict):  # whoever gets it may change it
        return lambda value: deepcopy(default) if value is None else value if finish is None else finish(value)
    if finish is None:
        return lambda value: default if value is None else value
    return lambda value: default if value is None else finish(value)


def _refuse(value: Any) -> Any:
    raise TypeError


def _unreadable(path: str, expected: str, parsed: Any) -> DataError:
    kind = "null" if parsed is None else type(parsed).__name__
    return DataError(f"{place(path)}: {expected}, not {kind} {parsed!r:.60}")


def _integer(reader: JsonReader, schema: Schema, parsed: Any, path: str) -> int:
    """As a Java cast: the fraction and all but the lowest bits are dropped; 0 for what is no number."""
    if isinstance(parsed, bool) or not isinstance(parsed, int | Decimal):
        return 0
    if isinstance(parsed, Decimal) and parsed.adjusted() > DIGITS_MAX:
        raise _unreadable(path, f"an integer has at most {DIGITS_MAX} digits", parsed)
    half = 1 << (INTEGER_BITS[schema.type] - 1)
    return (int(parsed) + half) % (2 * half) - half


_NAMED_FLOATS: Final = ("NaN", "Infinity", "-Infinity")
"""How numbers are written that JSON lacks."""


def _float(reader: JsonReader, schema: Schema, parsed: Any, path: str) -> float:
    if parsed in _NAMED_FLOATS:
        return float(parsed)
    if isinstance(parsed, bool) or not isinstance(parsed, int | Decimal):
        return 0.0
    number = float(Decimal(parsed))
    return float32.rounded(number) if schema.type is Type.FLOAT32 else number


def _boolean(reader: JsonReader, schema: Schema, parsed: Any, path: str) -> bool:
    return parsed is True


def _string(reader: JsonReader, schema: Schema, parsed: Any, path: str) -> str | None:
    return parsed if isinstance(parsed, str) else None


def _bytes(reader: JsonReader, schema: Schema, parsed: Any, path: str) -> bytes | None:
    if not isinstance(parsed, str):
        return None
    try:
        return _from_base64(parsed)
    except ValueError as error:
        raise _unreadable(path, f"bytes are Base64 text ({error})", parsed) from None


def _from_base64(text: str) -> bytes:
    return binascii.a2b_base64(text.strip(), strict_mode=True)


def _decimal(schema: Schema, parsed: Any, path: str) -> Decimal:
    if isinstance(parsed, int | Decimal) and not isinstance(parsed, bool):
        return Decimal(parsed)
    if not isinstance(parsed, str):
        raise _unreadable(path, "a decimal is a JSON number or Base64 text", parsed)
    try:
        return logical.decimal_of(_from_base64(parsed), logical.decimal_scale(schema))
    except (ValueError, DataError) as error:
        raise DataError(f"{place(path)}: {error}") from None


_READ: Final[dict[Type, Callable[[JsonReader, Schema, Any, str], Any]]] = {
    **dict.fromkeys(INTEGER_BITS, _integer),
    Type.FLOAT32: _float,
    Type.FLOAT64: _float,
    Type.BOOLEAN: _boolean,
    Type.STRING: _string,
    Type.BYTES: _bytes,
    Type.STRUCT: JsonReader._struct,
    Type.ARRAY: JsonReader._array,
    Type.MAP: JsonReader._map,
}
