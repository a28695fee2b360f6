"""The names by which Connect's data is recognised in Avro schemas, and Avro's in Connect schemas."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus

from kconnect.schema import Schema, Type

NAMESPACE: Final = "io.confluent.connect.avro"
DEFAULT_NAME: Final = "ConnectDefault"
MAP_ENTRY: Final = "MapEntry"
UNION: Final = f"{NAMESPACE}.Union"
ENUM: Final = f"{NAMESPACE}.Enum"
ANYTHING: Final = f"{NAMESPACE}.Anything"
GENERALIZED_UNION: Final = "org.apache.kafka.connect.data.Union"
GENERALIZED_ENUM: Final = "org.apache.kafka.connect.data.Enum"
GENERALIZED_PREFIX: Final = "connect_union_"

RECORD_DOC: Final = f"{NAMESPACE}.record.doc"
ENUM_DOC: Final = f"{NAMESPACE}.enum.doc."
ENUM_DEFAULT: Final = f"{NAMESPACE}.enum.default."
FIELD_DOC: Final = f"{NAMESPACE}.field.doc."
FIELD_DEFAULT: Final = f"{NAMESPACE}.field.default"
"""This parameter says that a default came from an Avro field, not from a Connect schema."""

CONNECT_NAME: Final = "connect.name"
CONNECT_DOC: Final = "connect.doc"
CONNECT_RECORD_DOC: Final = "connect.record.doc"
CONNECT_ENUM_DOC: Final = "connect.enum.doc"
CONNECT_VERSION: Final = "connect.version"
CONNECT_DEFAULT: Final = "connect.default"
CONNECT_PARAMETERS: Final = "connect.parameters"
CONNECT_TYPE: Final = "connect.type"
CONNECT_INTERNAL_TYPE: Final = "connect.internal.type"
FIXED_SIZE: Final = "connect.fixed.size"
DECIMAL_PRECISION: Final = "connect.decimal.precision"
DEFAULT_PRECISION: Final = 64

AVRO_TYPES: Final = {
    Type.INT8: "int",
    Type.INT16: "int",
    Type.INT32: "int",
    Type.INT64: "long",
    Type.FLOAT32: "float",
    Type.FLOAT64: "double",
    Type.BOOLEAN: "boolean",
    Type.STRING: "string",
    Type.BYTES: "bytes",
    Type.ARRAY: "array",
    Type.MAP: "map",
    Type.STRUCT: "record",
}


def is_union(schema: Schema) -> bool:
    """Whether a struct stands for a union: a field for each branch, all null but one."""
    return schema.name == UNION or (schema.type is Type.STRUCT and GENERALIZED_UNION in (schema.parameters or {}))


def is_fixed(schema: Schema) -> bool:
    return schema.type is Type.BYTES and schema.name is not None and FIXED_SIZE in (schema.parameters or {})


def is_enum(schema: Schema) -> bool:
    parameters = schema.parameters or {}
    return schema.type is Type.STRING and (ENUM in parameters or GENERALIZED_ENUM in parameters)


def scrubbed(name: str) -> str:
    """A name that Avro allows, made as Confluent's converter makes it: URL-encoded, what is still unfit as `_`."""
    plain = all(char == "_" or (char.isascii() and char.isalnum()) for char in name)
    if not name or (plain and not name[0].isdigit()):
        return name
    encoded = quote_plus(name, safe="*").replace("~", "%7E")
    if encoded[0].isdigit():
        encoded = f"x{encoded}"
    return "".join(char if char.isascii() and (char.isalnum() or char == "_") else "_" for char in encoded)


def split_name(name: str, *, scrub: bool) -> tuple[str, str]:
    """Namespace and simple name, each part scrubbed if asked for."""
    parts = name.rstrip(".").split(".")
    if scrub:
        parts = [scrubbed(part) for part in parts]
    return ".".join(parts[:-1]), parts[-1]


def full_name(name: str, *, scrub: bool) -> str:
    namespace, simple = split_name(name, scrub=scrub)
    return f"{namespace}.{simple}" if namespace else simple
