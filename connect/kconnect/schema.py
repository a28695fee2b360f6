"""Schemas: what a Connect value is, beside the plain Python value itself.

INT8 … INT64    int               Decimal (a `name` under       decimal.Decimal
FLOAT32/64      float             Date     org.apache.kafka.   datetime.date
BOOLEAN         bool              Time     connect.data)       datetime.time
STRING          str               Timestamp                    datetime.datetime, aware
BYTES           bytes             ARRAY, MAP                   list, dict
STRUCT          dict of field name → value; an absent field is null

Every schema is interned: two that say the same are one object, so `is`, `==` and `hash` cost nothing.
"""

from __future__ import annotations

import enum
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from kconnect.errors import DataError

DECIMAL_NAME: Final = "org.apache.kafka.connect.data.Decimal"
DATE_NAME: Final = "org.apache.kafka.connect.data.Date"
TIME_NAME: Final = "org.apache.kafka.connect.data.Time"
TIMESTAMP_NAME: Final = "org.apache.kafka.connect.data.Timestamp"


class Type(enum.Enum):
    """The kinds of value that Connect knows."""

    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOLEAN = "boolean"
    STRING = "string"
    BYTES = "bytes"
    ARRAY = "array"
    MAP = "map"
    STRUCT = "struct"

    @property
    def is_primitive(self) -> bool:
        return self not in (Type.ARRAY, Type.MAP, Type.STRUCT)


INTEGER_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}
NUMBERS: Final = (*INTEGER_BITS, Type.FLOAT32, Type.FLOAT64)
"""Each widens to those after it."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct; `index` is its place in `Schema.fields`."""

    name: str
    index: int
    schema: Schema

    def get(self, struct: Mapping[str, Any]) -> Any:
        """This field's value in `struct`, or the schema's default where it is absent or null."""
        value = struct.get(self.name)
        return self.schema.default if value is None else value


class Schema:
    """What a value is. Immutable, interned, shared between threads.

    `fields` is empty unless this is a struct; `key_schema` is a map's, `value_schema` a map's or an array's,
    and None there means that the elements' type is not known. What depends on a schema alone is worked out once and
    kept in a dict by schema: the hash is the object's own.

    Raises DataError for a default that does not fit, for fields of a schema that is no struct, and the like.
    """

    __slots__ = (
        "__weakref__",
        "_field_by_name",
        "default",
        "doc",
        "fields",
        "key_schema",
        "name",
        "optional",
        "parameters",
        "type",
        "value_schema",
        "version",
    )

    type: Type
    optional: bool
    name: str | None
    version: int | None
    doc: str | None
    parameters: Mapping[str, str] | None
    default: Any
    fields: tuple[Field, ...]
    key_schema: Schema | None
    value_schema: Schema | None
    _field_by_name: dict[str, Field]

    def __new__(
        cls,
        type: Type,
        *,
        optional: bool = False,
        name: str | None = None,
        version: int | None = None,
        doc: str | None = None,
        parameters: Mapping[str, str] | None = None,
        default: Any = None,
        fields: Mapping[str, Schema] | None = None,
        key_schema: Schema | None = None,
        value_schema: Schema | None = None,
    ) -> Schema:
        identity = (
            type,
            optional,
            name,
            version,
            doc,
            None if parameters is None else frozenset(parameters.items()),
            _frozen(default),
            tuple(fields.items()) if fields else (),
            key_schema,
            value_schema,
        )
        with _interning:
            schema = _interned.get(identity)
        if schema is None:
            schema = super().__new__(cls)
            schema._put(type=type, optional=optional, name=name, version=version, doc=doc, default=None)
            schema._put(parameters=None if parameters is None else MappingProxyType(dict(parameters)))
            schema._put(key_schema=key_schema, value_schema=value_schema)
            schema._put_fields(fields or {})
            schema._check_shape()
            schema._put_default(default)
            with _interning:
                schema = _interned.setdefault(identity, schema)
        return schema

    def _put(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            super().__setattr__(name, value)

    def _put_fields(self, schemas: Mapping[str, Schema]) -> None:
        fields = tuple(Field(name, index, schema) for index, (name, schema) in enumerate(schemas.items()))
        self._put(fields=fields, _field_by_name={field.name: field for field in fields})

    def _put_default(self, default: Any) -> None:
        if default is not None:
            validate_value(self, default, "default value")
            self._put(default=deepcopy(default))

    def _check_shape(self) -> None:
        if self.fields and self.type is not Type.STRUCT:
            raise DataError(f"{self!r} cannot have fields: only a struct can")
        for field in self.fields:
            if not field.name:
                raise DataError(f"{self!r}: a field needs a name")
            if not isinstance(field.schema, Schema):
                raise DataError(f"{self!r}: field {field.name} needs a schema")
        if self.key_schema is not None and self.type is not Type.MAP:
            raise DataError(f"{self!r} cannot have a key schema: only a map can")
        if self.value_schema is not None and self.type not in (Type.MAP, Type.ARRAY):
            raise DataError(f"{self!r} cannot have a value schema: only an array or a map can")

    def field(self, name: str) -> Field | None:
        """The struct's field of that name, None if it has none."""
        return self._field_by_name.get(name)

    def replace(self, **changes: Any) -> Schema:
        """This schema with some attributes (the constructor's keywords) changed."""
        return Schema(**(self._attributes() | changes))

    def _attributes(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "optional": self.optional,
            "name": self.name,
            "version": self.version,
            "doc": self.doc,
            "parameters": None if self.parameters is None else dict(self.parameters),
            "default": self.default,
            "fields": {field.name: field.schema for field in self.fields},
            "key_schema": self.key_schema,
            "value_schema": self.value_schema,
        }

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a schema never changes (setting {name}): use replace()")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a schema never changes (deleting {name})")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._attributes(),)

    def __repr__(self) -> str:
        optional = "optional " if self.optional else ""
        return f"Schema({optional}{self.type.value}{f' {self.name}' if self.name else ''})"


_interned: weakref.WeakValueDictionary[tuple[Any, ...], Schema] = weakref.WeakValueDictionary()
_interning = threading.RLock()  # reentrant: the garbage collector may run what builds a schema while it is held


def _restored(attributes: dict[str, Any]) -> Schema:
    return Schema(**attributes)


def _frozen(value: Any) -> Any:
    """A hashable stand-in for a default value that tells apart what only Python calls equal."""
    if isinstance(value, dict):
        return frozenset((_frozen(k), _frozen(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return tuple(_frozen(v) for v in value)
    if isinstance(value, float):
        return float, repr(value)
    if isinstance(value, Decimal):
        return Decimal, value.as_tuple()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes, bytes(value)
    if not isinstance(value, Hashable):
        raise DataError(f"default value: {value!r:.80} is nothing that Connect knows")
    return value.__class__, value


INT8_SCHEMA: Final = Schema(Type.INT8)
INT16_SCHEMA: Final = Schema(Type.INT16)
INT32_SCHEMA: Final = Schema(Type.INT32)
INT64_SCHEMA: Final = Schema(Type.INT64)
FLOAT32_SCHEMA: Final = Schema(Type.FLOAT32)
FLOAT64_SCHEMA: Final = Schema(Type.FLOAT64)
BOOLEAN_SCHEMA: Final = Schema(Type.BOOLEAN)
STRING_SCHEMA: Final = Schema(Type.STRING)
BYTES_SCHEMA: Final = Schema(Type.BYTES)
DATE_SCHEMA: Final = Schema(Type.INT32, name=DATE_NAME, version=1)
TIME_SCHEMA: Final = Schema(Type.INT32, name=TIME_NAME, version=1)
TIMESTAMP_SCHEMA: Final = Schema(Type.INT64, name=TIMESTAMP_NAME, version=1)

OPTIONAL_INT8_SCHEMA: Final = INT8_SCHEMA.replace(optional=True)
OPTIONAL_INT16_SCHEMA: Final = INT16_SCHEMA.replace(optional=True)
OPTIONAL_INT32_SCHEMA: Final = INT32_SCHEMA.replace(optional=True)
OPTIONAL_INT64_SCHEMA: Final = INT64_SCHEMA.replace(optional=True)
OPTIONAL_FLOAT32_SCHEMA: Final = FLOAT32_SCHEMA.replace(optional=True)
OPTIONAL_FLOAT64_SCHEMA: Final = FLOAT64_SCHEMA.replace(optional=True)
OPTIONAL_BOOLEAN_SCHEMA: Final = BOOLEAN_SCHEMA.replace(optional=True)
OPTIONAL_STRING_SCHEMA: Final = STRING_SCHEMA.replace(optional=True)
OPTIONAL_BYTES_SCHEMA: Final = BYTES_SCHEMA.replace(optional=True)
OPTIONAL_DATE_SCHEMA: Final = DATE_SCHEMA.replace(optional=True)
OPTIONAL_TIME_SCHEMA: Final = TIME_SCHEMA.replace(optional=True)
OPTIONAL_TIMESTAMP_SCHEMA: Final = TIMESTAMP_SCHEMA.replace(optional=True)


def decimal_schema(scale: int, *, optional: bool = False) -> Schema:
    """The schema of decimals with `scale` digits after the point (negative: powers of ten before it)."""
    return Schema(Type.BYTES, optional=optional, name=DECIMAL_NAME, version=1, parameters={"scale": str(scale)})


_CLASSES: Final[dict[Type, tuple[type, ...]]] = {
    Type.INT8: (int,),
    Type.INT16: (int,),
    Type.INT32: (int,),
    Type.INT64: (int,),
    Type.FLOAT32: (float,),
    Type.FLOAT64: (float,),
    Type.BOOLEAN: (bool,),
    Type.STRING: (str,),
    Type.BYTES: (bytes, bytearray, memoryview),
    Type.ARRAY: (list, tuple),
    Type.MAP: (dict,),
    Type.STRUCT: (dict,),
}
_LOGICAL_CLASSES: Final[dict[str, tuple[type, ...]]] = {
    DECIMAL_NAME: (Decimal,),
    DATE_NAME: (date,),
    TIME_NAME: (time,),
    TIMESTAMP_NAME: (datetime,),
}


class _MisfitError(Exception):
    """Why a value does not fit; gathers the path to it, innermost first, while it rises."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str] = []


def validate_value(schema: Schema, value: Any, name: str | None = None) -> None:
    """Raise DataError if `value` is not what `schema` says. The message begins with `name` and the path from
    there to what does not fit: `order.items[3].price: …`."""
    try:
        _check(schema, value)
    except _MisfitError as misfit:
        path = "".join([name or "", *reversed(misfit.path)]).lstrip(".") or "value"
        raise DataError(f"{path}: {misfit.reason}") from None


def _check(schema: Schema, value: Any) -> None:
    if value is None:
        if schema.optional:
            return
        raise _MisfitError(f"null, but {schema!r} is required")
    classes = (_LOGICAL_CLASSES.get(schema.name) if schema.name else None) or _CLASSES[schema.type]
    # bool is an int and datetime a date to Python, not to Connect.
    impostor = classes[0] in (int, date) and isinstance(value, bool | datetime)
    if impostor or not isinstance(value, classes):
        raise _MisfitError(f"{schema!r} takes {classes[0].__name__}, not {_shown(value)}")
    _CHECKS.get(classes[0], _accept)(schema, value)


def _accept(schema: Schema, value: Any) -> None:
    """The class said it all."""


def _check_integer(schema: Schema, value: int) -> None:
    bits = INTEGER_BITS[schema.type]
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise _MisfitError(f"{value} does not fit into {schema.type.value}")


def _check_instant(schema: Schema, value: datetime) -> None:
    if value.tzinfo is None:
        raise _MisfitError(f"{value.isoformat()} has no time zone; a timestamp is an instant")


def _check_array(schema: Schema, value: list[Any]) -> None:
    _check_elements(schema.value_schema, enumerate(value))


def _check_dict(schema: Schema, value: dict[Any, Any]) -> None:
    if schema.type is Type.STRUCT:
        _check_struct(schema, value)
    else:
        _check_elements(schema.key_schema, ((key, key) for key in value))
        _check_elements(schema.value_schema, value.items())


def _check_struct(schema: Schema, value: dict[str, Any]) -> None:
    for field in schema.fields:
        given = value.get(field.name)
        if given is None and (field.schema.optional or field.schema.default is not None):
            continue
        try:
            _check(field.schema, given)
        except _MisfitError as misfit:
            misfit.path.append(f".{field.name}")
            raise
    unknown = [str(name) for name in value if schema.field(name) is None]
    if unknown:
        raise _MisfitError(f"{schema!r} has no field {', '.join(unknown)}")


def _check_elements(schema: Schema | None, elements: Iterable[tuple[Any, Any]]) -> None:
    if schema is None:
        return
    for place, element in elements:
        try:
            _check(schema, element)
        except _MisfitError as misfit:
            misfit.path.append(f"[{place!r}]")
            raise


_CHECKS: Final[dict[type, Callable[[Schema, Any], None]]] = {
    int: _check_integer,
    datetime: _check_instant,
    list: _check_array,
    dict: _check_dict,
}


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '…'}"
