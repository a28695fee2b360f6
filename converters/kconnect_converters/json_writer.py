"""Connect values to JSON, as Kafka's JsonConverter writes them.

`JsonWriter.plain` is the whole of the rules, field by field, with errors that name the place. What a record costs
is decided by `JsonWriter.encoder`: it compiles a schema into a msgspec type, so that one C call checks the classes,
ranges, nulls and field order of a value and another writes it; whatever that refuses goes the careful way.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec

from kconnect import float32, logical
from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type

Encode = Callable[[Any], bytes]
Prepare = Callable[[Any], Any]

INTEGER_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}
FLOAT_MAX: Final = 1.7976931348623157e308
_MILLIS: Final[dict[str, tuple[type, Prepare]]] = {
    DATE_NAME: (date, logical.epoch_days),
    TIME_NAME: (time, logical.millis_of_day),
    TIMESTAMP_NAME: (datetime, logical.epoch_millis),
}
_BUILTIN: Final = (bytes, bytearray, memoryview, Decimal)  # for msgspec.convert: not to be made from str
_SCALARS: Final = frozenset({str, int, bool, type(None)})
_BARE_TYPES: Final[dict[Type, Any]] = {
    **{
        type_: Annotated[int, msgspec.Meta(ge=-(1 << (bits - 1)), le=(1 << (bits - 1)) - 1)]
        for type_, bits in INTEGER_BITS.items()
    },
    # The bounds keep NaN and the infinities out: JSON has no numbers for them, and msgspec would write null.
    Type.FLOAT32: Annotated[float, msgspec.Meta(ge=-FLOAT_MAX, le=FLOAT_MAX)],
    Type.FLOAT64: Annotated[float, msgspec.Meta(ge=-FLOAT_MAX, le=FLOAT_MAX)],
    Type.BOOLEAN: bool,
    Type.STRING: str,
    Type.BYTES: bytes,
}
_CLASSES: Final[dict[Type, tuple[type, ...]]] = {
    **dict.fromkeys(INTEGER_BITS, (int,)),
    Type.FLOAT32: (float, int),
    Type.FLOAT64: (float, int),
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
        self._encoders: dict[Schema, Encode] = {}

    def encode(self, schema: Schema | None, value: Any) -> bytes:
        """The JSON of `value`. Raises DataError, naming the place, for what does not fit its schema."""
        try:
            return self._encode(self.plain(schema, value))
        except RecursionError:
            raise DataError("value: nested too deeply for JSON") from None
        except ValueError as error:  # a string that has no UTF-8: half a surrogate pair
            raise DataError(f"value: a string cannot be written in UTF-8: {error}") from None

    def encoder(self, schema: Schema | None) -> Encode:
        """`encode` with the schema fixed."""
        if schema is None:
            return self._schemaless_encoder()
        encoder = self._encoders.get(schema)
        if encoder is None:
            encoder = self._encoders[schema] = self._compiled(schema)
        return encoder

    def _schemaless_encoder(self) -> Encode:
        encode, careful, scalars = self._encode, self.encode, _SCALARS

        def encode_schemaless(value: Any) -> bytes:
            if type(value) is dict:
                for key, item in value.items():
                    if type(key) is not str:
                        return careful(None, value)
                    kind = type(item)
                    # item - item is 0.0 for the floats that JSON knows
                    if kind not in scalars and (kind is not float or item - item != 0.0):
                        return careful(None, value)
                try:
                    return encode(value)
                except (ValueError, OverflowError):
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
        refusals = (ValueError, TypeError, AttributeError, OverflowError, RecursionError, DataError)

        def encode_struct(value: Any) -> bytes:
            try:
                return encode(convert(value, shape, builtin_types=_BUILTIN))
            except refusals:
                return careful(schema, value)

        def encode_prepared(value: Any) -> bytes:
            try:
                return encode(convert(prepare(value), shape, builtin_types=_BUILTIN))  # type: ignore[misc]
            except refusals:
                return careful(schema, value)

        return encode_struct if prepare is None else encode_prepared

    def _shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        """The msgspec type that values of `schema` must have, and what makes them so (None: they are)."""
        shape: Any
        prepare: Prepare | None
        if schema.name in _MILLIS:
            kind, convert = _MILLIS[schema.name]
            shape, prepare = _BARE_TYPES.get(schema.type, int), _only(kind, convert)
        elif schema.name == DECIMAL_NAME:
            shape, prepare = self._decimal_shape(schema)
        else:
            shape, prepare = _SHAPES[schema.type](self, schema)
        if schema.default is not None and self.replace_null:
            prepare = _or_default(prepare, schema.default if prepare is None else prepare(schema.default))
        elif schema.optional:
            shape, prepare = shape | None, _or_null(prepare)
        return shape, prepare

    def _bare_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        return _BARE_TYPES[schema.type], float32.shortest if schema.type is Type.FLOAT32 else None

    def _decimal_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        if self.numeric_decimals:
            return Decimal, _finite
        scale = logical.decimal_scale(schema)
        return bytes, lambda value: logical.unscaled_bytes(value, scale)

    def _struct_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        fields, prepares, rename = [], [], {}
        for field in schema.fields:
            shape, prepare = self._shape(field.schema)
            place = f"f{field.index}"
            rename[place] = field.name
            fields.append((place, shape, None) if field.schema.optional else (place, shape))
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
        if prepare is None:
            return list[shape], None  # type: ignore[valid-type]
        return list[shape], lambda value: [prepare(item) for item in value]  # type: ignore[valid-type]

    def _map_shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        shape, prepare = self._element(schema.value_schema)
        if _keys_are_strings(schema.key_schema):
            if prepare is None:
                return dict[str, shape], None  # type: ignore[valid-type]
            return dict[str, shape], lambda value: {  # type: ignore[valid-type]
                key: prepare(item) for key, item in value.items()
            }
        return list[Any], lambda value: self.plain(schema, value)

    def _element(self, schema: Schema | None) -> tuple[Any, Prepare | None]:
        return (Any, lambda value: self.plain(None, value)) if schema is None else self._shape(schema)

    def plain(self, schema: Schema | None, value: Any) -> Any:
        """`value` in the classes that JSON has: what `encode` writes. Raises DataError with the path."""
        try:
            return self._plain(schema, value)
        except _MisfitError as misfit:
            path = "".join(reversed(misfit.path)).lstrip(".") or "value"
            raise DataError(f"{path}: {misfit.reason}") from None

    def _plain(self, schema: Schema | None, value: Any) -> Any:
        if schema is None:
            return self._plain_schemaless(value)
        if value is None:
            if schema.default is not None and self.replace_null:
                return self._plain(schema, schema.default)
            if schema.optional:
                return None
            raise _MisfitError(f"null, but {schema!r} is required")
        if schema.name == DECIMAL_NAME and self.numeric_decimals:
            if not isinstance(value, Decimal) or not value.is_finite():
                raise _MisfitError(f"{schema!r} takes a finite Decimal, not {type(value).__name__} {value!r}")
            return value
        try:
            value = logical.from_logical(schema, value)
        except DataError as error:
            raise _MisfitError(str(error)) from None
        kinds = _CLASSES[schema.type]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise _MisfitError(f"{schema!r} takes {kinds[0].__name__}, not {type(value).__name__} {value!r}")
        return self._plain_checked(schema, value)

    def _plain_checked(self, schema: Schema, value: Any) -> Any:
        """`value` has a class that fits the schema's type."""
        if schema.type in INTEGER_BITS:
            bits = INTEGER_BITS[schema.type]
            if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
                raise _MisfitError(f"{value} does not fit into {schema.type.value}")
            return value
        if schema.type is Type.STRUCT:
            return self._plain_struct(schema, value)
        if schema.type is Type.MAP:
            return self._plain_map(schema.key_schema, schema.value_schema, value)
        if schema.type is Type.ARRAY:
            return self._plain_list(schema.value_schema, value)
        if schema.type in (Type.FLOAT32, Type.FLOAT64):
            return _float_or_name(float32.shortest(value) if schema.type is Type.FLOAT32 else float(value))
        return _base64(value) if schema.type is Type.BYTES else value

    def _plain_struct(self, schema: Schema, value: dict[str, Any]) -> dict[str, Any]:
        written = {}
        for field in schema.fields:
            with _At(f".{field.name}"):
                written[field.name] = self._plain(field.schema, value.get(field.name))
        unknown = sorted(str(name) for name in value if schema.field(name) is None)
        if unknown:
            raise _MisfitError(f"{schema!r} has no field {', '.join(unknown)}")
        return written

    def _plain_list(self, element: Schema | None, value: list[Any]) -> list[Any]:
        written = []
        for index, item in enumerate(value):
            with _At(f"[{index}]"):
                written.append(self._plain(element, item))
        return written

    def _plain_map(self, keys: Schema | None, values: Schema | None, value: dict[Any, Any]) -> Any:
        """An object if the keys are strings, else a list of pairs."""
        pairs = []
        for key, item in value.items():
            with _At(f"[{key!r}]"):
                pairs.append([self._plain(keys, key), self._plain(values, item)])
        is_object = _keys_are_strings(keys) if keys else all(isinstance(key, str) for key in value)
        return {"null" if key is None else key: item for key, item in pairs} if is_object else pairs

    def _plain_schemaless(self, value: Any) -> Any:
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, int):
            return value if -(1 << 63) <= value < 1 << 63 else Decimal(value)  # msgspec's integers end there
        if isinstance(value, float):
            return _float_or_name(value)
        if isinstance(value, list | tuple):
            return self._plain_list(None, value)  # type: ignore[arg-type] # a tuple will do
        if isinstance(value, dict):
            return self._plain_map(None, None, value)
        if isinstance(value, bytes | bytearray | memoryview):
            return _base64(value)
        raise _MisfitError(f"{type(value).__name__} {value!r} needs a schema to be written as JSON")


_SHAPES: Final[dict[Type, Callable[[JsonWriter, Schema], tuple[Any, Prepare | None]]]] = {
    **dict.fromkeys(_BARE_TYPES, JsonWriter._bare_shape),
    Type.STRUCT: JsonWriter._struct_shape,
    Type.ARRAY: JsonWriter._array_shape,
    Type.MAP: JsonWriter._map_shape,
}


class _MisfitError(Exception):
    """Why a value cannot be written; gathers the path to it, innermost first, while it rises."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str] = []


class _At:
    """Adds a step to the path of a `_MisfitError` that passes through."""

    __slots__ = ("step",)

    def __init__(self, step: str) -> None:
        self.step = step

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _MisfitError):
            error.path.append(self.step)


def _float_or_name(value: float) -> float | str:
    if value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _base64(value: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(value).decode("ascii")


def _keys_are_strings(schema: Schema | None) -> bool:
    return schema is not None and schema.type is Type.STRING


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
