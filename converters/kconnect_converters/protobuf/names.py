"""The names by which Connect's data is recognised in Protobuf, and Protobuf's in Connect schemas."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_plus

from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type

NAMESPACE: Final = "io.confluent.connect.protobuf"
DEFAULT_NAME: Final = "ConnectDefault"
ENUM: Final = f"{NAMESPACE}.Enum"
UNION: Final = f"{NAMESPACE}.Union"
TAG: Final = f"{NAMESPACE}.Tag"
TYPE: Final = f"{NAMESPACE}.Type"
WRAPPER: Final = f"{NAMESPACE}.Wrapper"
"""This parameter says that a member of a oneof is a wrapper, where all members may be null anyway."""
GENERALIZED_UNION: Final = "org.apache.kafka.connect.data.Union"
GENERALIZED_ENUM: Final = "org.apache.kafka.connect.data.Enum"

CONNECT_TYPE: Final = "connect.type"
CONNECT_PRECISION: Final = "connect.decimal.precision"
CONNECT_SCALE: Final = "scale"
PRECISION: Final = "precision"
SCALE: Final = "scale"

ENTRY: Final = "Entry"
KEY: Final = "key"
VALUE: Final = "value"

DECIMAL: Final = "confluent.type.Decimal"
DATE: Final = "google.type.Date"
TIME: Final = "google.type.TimeOfDay"
TIMESTAMP: Final = "google.protobuf.Timestamp"
META_FILE: Final = "confluent/meta.proto"
WRAPPERS_FILE: Final = "google/protobuf/wrappers.proto"
FILES: Final = {
    DECIMAL: "confluent/type/decimal.proto",
    DATE: "google/type/date.proto",
    TIME: "google/type/timeofday.proto",
    TIMESTAMP: "google/protobuf/timestamp.proto",
}
LOGICAL: Final = {DECIMAL: DECIMAL_NAME, DATE: DATE_NAME, TIME: TIME_NAME, TIMESTAMP: TIMESTAMP_NAME}
"""The logical types that messages stand for."""
MESSAGES: Final = {logical: message for message, logical in LOGICAL.items()}

WRAPPERS: Final = {
    f"google.protobuf.{name}": type_
    for name, type_ in (
        ("DoubleValue", Type.FLOAT64),
        ("FloatValue", Type.FLOAT32),
        ("Int64Value", Type.INT64),
        ("UInt64Value", Type.INT64),
        ("Int32Value", Type.INT32),
        ("UInt32Value", Type.INT64),
        ("BoolValue", Type.BOOLEAN),
        ("StringValue", Type.STRING),
        ("BytesValue", Type.BYTES),
    )
}
WRAPPER_OF: Final = {
    Type.INT8: "google.protobuf.Int32Value",
    Type.INT16: "google.protobuf.Int32Value",
    Type.INT32: "google.protobuf.Int32Value",
    Type.INT64: "google.protobuf.Int64Value",
    Type.FLOAT32: "google.protobuf.FloatValue",
    Type.FLOAT64: "google.protobuf.DoubleValue",
    Type.BOOLEAN: "google.protobuf.BoolValue",
    Type.STRING: "google.protobuf.StringValue",
    Type.BYTES: "google.protobuf.BytesValue",
}


def is_union(schema: Schema) -> bool:
    """Whether a struct stands for a oneof: a field for each member, all null but one."""
    if schema.type is not Type.STRUCT:
        return False
    return (schema.name or "").startswith(UNION) or GENERALIZED_UNION in (schema.parameters or {})


def union_name(schema: Schema) -> str:
    """The name of the oneof that a union stands for, without its package."""
    given = (schema.parameters or {}).get(GENERALIZED_UNION) or (schema.name or "").removeprefix(f"{UNION}.")
    return given.rpartition(".")[2]


def enum_parameter(schema: Schema, *, generalized: bool) -> str | None:
    """The parameter under which the symbols of a string or number are listed; None where it is no enum."""
    parameters = schema.parameters or {}
    if schema.type is Type.INT32:
        return ENUM if ENUM in parameters else None
    if schema.type is not Type.STRING:
        return None
    order = (GENERALIZED_ENUM, ENUM) if generalized else (ENUM, GENERALIZED_ENUM)
    return next((name for name in order if name in parameters), None)


def scrubbed(name: str) -> str:
    """A name that Protobuf allows, made as Confluent's converter makes it: URL-encoded, what is still unfit as `_`."""
    if not name or re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        return name
    encoded = quote_plus(name, safe="*").replace("~", "%7E")
    if encoded[0].isdigit() or encoded[0] == "_":
        encoded = f"x{encoded}"
    return re.sub(r"[^A-Za-z0-9_]", "_", encoded)


def entry_name(map_name: str) -> str:
    """The name of the message for a map's entries."""
    if "_" in map_name:
        map_name = "".join(part.capitalize() for part in map_name.split("_"))
    return f"{map_name}{ENTRY}"


def map_name(full_entry_name: str) -> str:
    """The map's name, from that of its entries' message."""
    package, dot, last = full_entry_name.rpartition(".")
    last = re.sub(r"(?<!^)(?=[A-Z])", "_", last.removesuffix(ENTRY)).lower()
    return f"{package}{dot}{last}"
