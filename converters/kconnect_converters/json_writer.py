"""Connect values to JSON, as Kafka's JsonConverter writes them.

`JsonWriter.plain` is the whole of the rules, field by field, with errors that name the place. What a record costs
is decided by `JsonWriter.encoder`: it compiles a schema into a msgspec type, so that one C call checks the classes,
ranges, nulls and field order of a value and another writes it; whatever that refuses goes the careful way.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

import msgspec

from kconnect import float32, logical
from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type
from kconnect_converters.json_shape import INTEGER_BITS, PRIMITIVES, place

Encode = Callable[[Any], bytes]
Prepare = Callable[[Any], Any]

_MILLIS: Final[dict[str, tuple[type, Prepare]]] = {
    DATE_NAME: (date, logical.epoch_days),
    TIME_NAME: (time, logical.millis_of_day),
    TIMESTAMP_NAME: (datetime, logical.epoch_millis),
}
_BUILTIN: Final = (bytes, bytearray, memoryview, Decimal)  # for msgspec.convert: not to be made from str
_REFUSALS: Final = (ValueError, TypeError, AttributeError, OverflowError, RecursionError, struct.error, DataError)
"""What sends a value the careful way: msgspec's errors are ValueErrors, the others come from preparing."""
_SCALARS: Final = frozenset({str, int, bool, type(None)})
_CLASSES: Final[dict[Type, tuple[type, ...]]] = {
    **dict.fromkeys(INTEGER_BITS, (int,)),
    Type.FLOAT32: (float, int, Decimal),
    Type.FLOAT64: (float, int, Decimal),
    Type.BOOLEAN: (bool,),
    Type.STRING: (str,),
    Type.BYTES: (bytes, bytearray, memoryview),
    Type.ARRAY: (list, tuple),
    Type.MAP: (dict,),
    Type.STRUCT: (dict,),
}


class JsonWriter:
    """Writes values. `numeric_decimals` writes a Decimal as a number instead of the Base64 of its bytes,
    `replace_null` a schema's default in the place of null."""

    def __init__(self, *, numeric_decimals: bool = False, replace_null: bool = True) -> None:
        self.numeric_decimals = numeric_decimals
        self.replace_null = replace_null
        self._encode = msgspec.json.Encoder(decimal_format="number").encode

    def encode(self, schema: Schema | None, value: Any) -> bytes:
        """The JSON of `value`. Raises DataError, naming the place, for what does not fit its schema."""
        try:
            return self._encode(self.plain(schema, value))
        except RecursionError:
            raise DataError("value: nested too deeply for JSON") from None
        except ValueError as error:  # a string that has no UTF-8: half a surrogate pair
            raise DataError(f"value: a string cannot be written in UTF-8: {error}") from None

    def encoder(self, schema: Schema | None) -> Encode:
        """`encode` with the schema fixed: compiled anew by every call, so keep it."""
        return self._schemaless_encoder() if schema is None else self._compiled(schema)

    def _schemaless_encoder(self) -> Encode:
        encode, careful = self._encode, self.encode

        def encode_schemaless(value: Any) -> bytes:
            if _is_json(value):
                try:
                    return encode(value)
                except (ValueError, OverflowError, RecursionError):
                    pass
            return careful(None, value)

        return encode_schemaless

    def _compiled(self, schema: Schema) -> Encode:
        careful = self.encode
        if schema.type is not Type.STRUCT:
            return lambda value: careful(schema, value)
        encode, convert = self._encode, msgspec.convert
        try:
            shape, prepare = self._shape(schema)
        except (ValueError, DataError):  # a field's name with a quote, a decimal without a scale …
            return lambda value: careful(schema, value)

        def encode_struct(value: Any) -> bytes:
            try:
                return encode(convert(value, shape, builtin_types=_BUILTIN))
            except _REFUSALS:
                return careful(schema, value)

        def encode_prepared(value: Any) -> bytes:
            try:
                return encode(convert(prepare(value), shape, builtin_types=_BUILTIN))  # type: ignore[misc]
            except _REFUSALS:
                return careful(schema, value)

        return encode_struct if prepare is None else encode_prepared

    def _shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        """The msgspec type that values of `schema` must have, and what makes them so (None: they are)."""
        shape: Any
        prepare: Prepare | None
        if schema.name in _MILLIS:
            kind, convert = _MILLIS[schema.name]
            shape, prepare = PRIMITIVES.get(schema.type, int), _only(kind, convert)
        elif schema.name == DECIMAL_NAME:
            shape, prepare = self._decimal_shape(schema)
        else:
            shape, prepare = _SHAPES[schema.type](self, schema)
        if schema.default is not None and self.replace_null:
            prepare = _or_default(prepare, schema.default if prepare is None else prepare(schema.default))
        elif schema.optional:
            shape, prepare = shape | None, _or_null(prepare)
        return shape, prepare

    def _primitive_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        return PRIMITIVES[schema.type], _shortened if schema.type is Type.FLOAT32 else None

    def _decimal_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        if self.numeric_decimals:
            return Decimal, _finite
        scale = logical.decimal_scale(schema)
        return bytes, lambda value: logical.unscaled_bytes(value, scale)

    def _struct_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        fields, prepares, rename = [], [], {}
        for field in schema.fields:
            shape, prepare = self._shape(field.schema)
            attribute = f"f{field.index}"
            rename[attribute] = field.name
            fields.append((attribute, shape, None) if field.schema.optional else (attribute, shape))
            if prepare is not None:
                prepares.append((field.name, prepare))
        struct_type = msgspec.defstruct(
            schema.name or "Struct", fields, rename=rename, forbid_unknown_fields=True, kw_only=True, gc=False
        )

        def prepare_struct(value: dict[str, Any]) -> dict[str, Any]:
            prepared = value.copy()
            get = value.get
            for name, prepare in prepares:
                prepared[name] = prepare(get(name))
            return prepared

        return struct_type, prepare_struct if prepares else None

    def _array_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        shape, prepare = self._element(schema.value_schema)

        def prepare_array(value: Any) -> Any:
            if not isinstance(value, list | tuple):  # msgspec would take sets and bytearrays as well
                raise TypeError
            return value if prepare is None else [prepare(item) for item in value]

        return list[shape], prepare_array  # type: ignore[valid-type]

    def _map_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        shape, prepare = self._element(schema.value_schema)
        if schema.key_schema is not None and schema.key_schema.type is Type.STRING:
            if prepare is None:
                return dict[str, shape], None  # type: ignore[valid-type]
            return dict[str, shape], lambda value: {  # type: ignore[valid-type]
                key: prepare(item) for key, item in value.items()
            }
        return list[Any], lambda value: self.plain(schema, value)

    def _element(self, schema: Schema | None) -> tuple[Any, Prepare | None]:
        return (Any, lambda value: self.plain(None, value)) if schema is None else self._shape(schema)

    def plain(self, schema: Schema | None, value: Any, path: str = "") -> Any:
        """`value` in the classes that JSON has: what `encode` writes. Raises DataError, naming the place in `path`."""
        if schema is None:
            return self._plain_schemaless(value, path)
        if value is None:
            if schema.default is not None and self.replace_null:
                return self.plain(schema, schema.default, path)
            if schema.optional:
                return None
            raise DataError(f"{place(path)}: null, but {schema!r} is required")
        if schema.name == DECIMAL_NAME and self.numeric_decimals:
            if not isinstance(value, Decimal) or not value.is_finite():
                raise _misfit(path, schema, "a finite Decimal", value)
            return value
        try:
            value = logical.from_logical(schema, value)
        except DataError as error:
            raise DataError(f"{place(path)}: {error}") from None
        kinds = _CLASSES[schema.type]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise _misfit(path, schema, kinds[0].__name__, value)
        return _PLAIN[schema.type](self, schema, value, path)

    def _plain_integer(self, schema: Schema, value: int, path: str) -> int:
        bits = INTEGER_BITS[schema.type]
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise DataError(f"{place(path)}: {value} does not fit into {schema.type.value}")
        return value

    def _plain_float(self, schema: Schema, value: float, path: str) -> float | str:
        try:
            number = float(value)
        except OverflowError:  # an int
            raise DataError(f"{place(path)}: {value!r:.80} does not fit into {schema.type.value}") from None
        return _float_or_name(float32.shortest(number) if schema.type is Type.FLOAT32 else number)

    def _plain_bytes(self, schema: Schema, value: bytes, path: str) -> str:
        return _base64(value)

    def _plain_as_is(self, schema: Schema, value: Any, path: str) -> Any:
        return value

    def _plain_struct(self, schema: Schema, value: dict[str, Any], path: str) -> dict[str, Any]:
        unknown = [str(name) for name in value if schema.field(name) is None]
        if unknown:
            raise DataError(f"{place(path)}: {schema!r} has no field {', '.join(unknown)}")
        return {
            field.name: self.plain(field.schema, value.get(field.name), f"{path}.{field.name}")
            for field in schema.fields
        }

    def _plain_array(self, schema: Schema, value: list[Any], path: str) -> list[Any]:
        return self._plain_list(schema.value_schema, value, path)

    def _plain_list(self, element: Schema | None, value: list[Any] | tuple[Any, ...], path: str) -> list[Any]:
        return [self.plain(element, item, f"{path}[{index}]") for index, item in enumerate(value)]

    def _plain_map(self, schema: Schema, value: dict[Any, Any], path: str) -> Any:
        pairs = self._plain_pairs(schema.key_schema, schema.value_schema, value, path)
        if schema.key_schema is not None and schema.key_schema.type is Type.STRING:
            return {"null" if key is None else key: item for key, item in pairs}
        return pairs

    def _plain_pairs(
        self, keys: Schema | None, values: Schema | None, value: dict[Any, Any], path: str
    ) -> list[list[Any]]:
        return [
            [self.plain(keys, key, f"{path}[{key!r}]"), self.plain(values, item, f"{path}[{key!r}]")]
            for key, item in value.items()
        ]

    def _plain_schemaless(self, value: Any, path: str) -> Any:
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, int):
            return value if -(1 << 63) <= value < 1 << 63 else Decimal(value)  # msgspec's integers end there
        if isinstance(value, float):
            return _float_or_name(value)
        if isinstance(value, list | tuple):
            return self._plain_list(None, value, path)
        if isinstance(value, dict):
            pairs = self._plain_pairs(None, None, value, path)
            return dict(pairs) if all(isinstance(key, str) for key in value) else pairs
        if isinstance(value, bytes | bytearray | memoryview):
            return _base64(value)
        raise DataError(f"{place(path)}: {type(value).__name__} {value!r} needs a schema to be written as JSON")


_SHAPES: Final[dict[Type, Callable[[JsonWriter, Schema], tuple[Any, Prepare | None]]]] = {
    **dict.fromkeys(PRIMITIVES, JsonWriter._primitive_shape),
    Type.STRUCT: JsonWriter._struct_shape,
    Type.ARRAY: JsonWriter._array_shape,
    Type.MAP: JsonWriter._map_shape,
}


_PLAIN: Final[dict[Type, Callable[[JsonWriter, Schema, Any, str], Any]]] = {
    **dict.fromkeys(INTEGER_BITS, JsonWriter._plain_integer),
    Type.FLOAT32: JsonWriter._plain_float,
    Type.FLOAT64: JsonWriter._plain_float,
    Type.BOOLEAN: JsonWriter._plain_as_is,
    Type.STRING: JsonWriter._plain_as_is,
    Type.BYTES: JsonWriter._plain_bytes,
    Type.STRUCT: JsonWriter._plain_struct,
    Type.ARRAY: JsonWriter._plain_array,
    Type.MAP: JsonWriter._plain_map,
}


def _misfit(path: str, schema: Schema, wanted: str, value: Any) -> DataError:
    return DataError(f"{place(path)}: {schema!r} takes {wanted}, not {type(value).__name__} {value!r:.80}")


def _is_json(value: Any) -> bool:
    """Whether msgspec writes `value` as Kafka would: no other classes, keys all text, no NaN."""
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or (type(item) not in _SCALARS and not _is_json(item)):
                return False
        return True
    if kind is list:
        return all(type(item) in _SCALARS or _is_json(item) for item in value)
    if kind is float:
        return bool(value - value == 0.0)
    return kind in _SCALARS


def _float_or_name(value: float) -> float | str:
    if value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _base64(value: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(value).decode("ascii")


def _shortened(value: float) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float32.shortest(value)


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise DataError(f"{value} is no number that JSON has")
    return value


def _only(kind: type, convert: Prepare) -> Prepare:
    """`convert`, for values of just that class: a datetime is no date here."""

    def prepare(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return convert(value)

    return prepare


def _or_null(prepare: Prepare | None) -> Prepare | None:
    if prepare is None:
        return None
    return lambda value: None if value is None else prepare(value)


def _or_default(prepare: Prepare | None, default: Any) -> Prepare:
    if prepare is None:
        return lambda value: default if value is None else value
    return lambda value: default if value is None else prepare(value)
