"""The names by which Connect's data is recognised in JSON Schemas, and JSON Schema's in Connect schemas."""

from __future__ import annotations

from typing import Final

from kconnect.schema import Schema, Type

NAMESPACE: Final = "io.confluent.connect.json"
UNION: Final = f"{NAMESPACE}.OneOf"
ENUM: Final = f"{NAMESPACE}.Enum"
GENERALIZED_UNION: Final = "org.apache.kafka.connect.data.Union"
GENERALIZED_ENUM: Final = "org.apache.kafka.connect.data.Enum"
GENERALIZED_PREFIX: Final = "connect_union_"
NULL_SYMBOL: Final = "<NULL>"
"""How an enum's null is named in Connect."""

CONNECT_TYPE: Final = "connect.type"
CONNECT_VERSION: Final = "connect.version"
CONNECT_PARAMETERS: Final = "connect.parameters"
CONNECT_INDEX: Final = "connect.index"

KEY: Final = "key"
VALUE: Final = "value"

NUMBERS: Final = {
    "int8": Type.INT8,
    "int16": Type.INT16,
    "int32": Type.INT32,
    "int64": Type.INT64,
    "float32": Type.FLOAT32,
    "float64": Type.FLOAT64,
    "bytes": Type.BYTES,
}
"""What `connect.type` may say of a number; bytes are a decimal."""


def is_union(schema: Schema) -> bool:
    """Whether a struct stands for a union: a field for each branch, all null but one."""
    if schema.type is not Type.STRUCT:
        return False
    return schema.name == UNION or GENERALIZED_UNION in (schema.parameters or {})


def enum_parameter(schema: Schema, *, generalized: bool) -> str | None:
    """The parameter under which a string's symbols are listed; None for a string that is no enum."""
    parameters = schema.parameters or {}
    if schema.type is not Type.STRING or (ENUM not in parameters and GENERALIZED_ENUM not in parameters):
        return None
    return GENERALIZED_ENUM if generalized else ENUM


def has_text_keys(schema: Schema) -> bool:
    """Whether a map is a JSON object; otherwise it is an array of entries {key, value}."""
    return schema.key_schema is not None and schema.key_schema.type is Type.STRING and not schema.key_schema.optional
