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

import threading
import weakref
from collections.abc import Hashable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from kconnect.errors import DataError
from kconnect.schema_type import DATE_NAME as DATE_NAME
from kconnect.schema_type import DECIMAL_NAME as DECIMAL_NAME
from kconnect.schema_type import TIME_NAME as TIME_NAME
from kconnect.schema_type import TIMESTAMP_NAME as TIMESTAMP_NAME
from kconnect.schema_type import Type as Type
from kconnect.validation import validate_value as validate_value


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
        if schema is not None:
            return schema

        schema = super().__new__(cls)
        put = super().__setattr__.__get__(schema)
        put("type", type)
        put("optional", optional)
        put("name", name)
        put("version", version)
        put("doc", doc)
        put("parameters", None if parameters is None else MappingProxyType(dict(parameters)))
        put("fields", tuple(Field(n, i, s) for i, (n, s) in enumerate((fields or {}).items())))
        put("_field_by_name", {field.name: field for field in schema.fields})
        put("key_schema", key_schema)
        put("value_schema", value_schema)
        put("default", None)
        schema._check_shape()
        if default is not None:
            validate_value(schema, default, "default value")
            put("default", deepcopy(default))
        with _interning:
            return _interned.setdefault(identity, schema)

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


class SchemaBuilder:
    """Builds a schema step by step: `SchemaBuilder.struct().field("id", INT64_SCHEMA).optional().build()`.

    As with Kafka's, an attribute may be set once; a second, different value is a DataError."""

    def __init__(self, type: Type) -> None:
        self._type = type
        self._attributes: dict[str, Any] = {}
        self._parameters: dict[str, str] | None = None
        self._fields: dict[str, Schema] = {}

    @classmethod
    def struct(cls) -> SchemaBuilder:
        return cls(Type.STRUCT)

    @classmethod
    def array(cls, value_schema: Schema) -> SchemaBuilder:
        return cls(Type.ARRAY)._element("value_schema", value_schema)

    @classmethod
    def map(cls, key_schema: Schema, value_schema: Schema) -> SchemaBuilder:
        return cls(Type.MAP)._element("key_schema", key_schema)._element("value_schema", value_schema)

    def optional(self) -> SchemaBuilder:
        return self._set("optional", True)

    def required(self) -> SchemaBuilder:
        return self._set("optional", False)

    def name(self, name: str) -> SchemaBuilder:
        return self._set("name", name)

    def version(self, version: int) -> SchemaBuilder:
        return self._set("version", version)

    def doc(self, doc: str) -> SchemaBuilder:
        return self._set("doc", doc)

    def default(self, value: Any) -> SchemaBuilder:
        """The value that stands in for a null. It must fit what has been said so far: say `optional` and the
        fields first."""
        validate_value(self.build(), value, "default value")
        return self._set("default", value)

    def parameter(self, name: str, value: str) -> SchemaBuilder:
        """Add (or overwrite) one parameter."""
        self._parameters = {**(self._parameters or {}), name: value}
        return self

    def field(self, name: str, schema: Schema) -> SchemaBuilder:
        """Add a field after those added so far."""
        if self._type is not Type.STRUCT:
            raise DataError(f"field {name}: cannot add fields to a schema of type {self._type.value}")
        if not name:
            raise DataError("a field needs a name")
        if not isinstance(schema, Schema):
            raise DataError(f"field {name} needs a schema, not {schema!r}")
        if name in self._fields:
            raise DataError(f"field {name} is there already")
        self._fields[name] = schema
        return self

    def build(self) -> Schema:
        return Schema(self._type, parameters=self._parameters, fields=self._fields, **self._attributes)

    def _element(self, attribute: str, schema: Schema) -> SchemaBuilder:
        if not isinstance(schema, Schema):
            raise DataError(f"{attribute} must be a schema, not {schema!r}")
        return self._set(attribute, schema)

    def _set(self, attribute: str, value: Any) -> SchemaBuilder:
        present = self._attributes.get(attribute)
        if present is not None and present is not value:
            raise DataError(f"{attribute} is {present!r} already, it cannot become {value!r}")
        self._attributes[attribute] = value
        return self


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
