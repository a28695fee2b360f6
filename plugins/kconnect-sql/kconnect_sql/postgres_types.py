"""What PostgreSQL's types become, and what schemas become in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg import postgres

from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_NAME,
    DATE_SCHEMA,
    DECIMAL_NAME,
    FLOAT32_SCHEMA,
    FLOAT64_SCHEMA,
    INT16_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    STRING_SCHEMA,
    TIME_NAME,
    TIME_SCHEMA,
    TIMESTAMP_NAME,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
)
from kconnect_sql.numeric import numeric_schema
from kconnect_sql.table import Column
from kconnect_sql.writer import unstorable

_OID: Final = {name: postgres.types[name].oid for name in (
    "bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "bytea", "date", "time", "timestamp",
    "timestamptz", "text", "varchar", "bpchar", "name",
)}  # fmt: skip
NUMERIC: Final = _OID["numeric"]
TIMESTAMP: Final = _OID["timestamp"]
TIMESTAMPTZ: Final = _OID["timestamptz"]
TEXTS: Final = frozenset(_OID[name] for name in ("text", "varchar", "bpchar", "name"))

_SCHEMAS: Final[dict[int, Schema]] = {
    _OID["bool"]: BOOLEAN_SCHEMA,
    _OID["int2"]: INT16_SCHEMA,
    _OID["int4"]: INT32_SCHEMA,
    _OID["int8"]: INT64_SCHEMA,
    _OID["oid"]: INT64_SCHEMA,
    _OID["float4"]: FLOAT32_SCHEMA,
    _OID["float8"]: FLOAT64_SCHEMA,
    _OID["bytea"]: BYTES_SCHEMA,
    _OID["date"]: DATE_SCHEMA,
    _OID["time"]: TIME_SCHEMA,
    _OID["timestamp"]: TIMESTAMP_SCHEMA,
    _OID["timestamptz"]: TIMESTAMP_SCHEMA,
    **dict.fromkeys(TEXTS, STRING_SCHEMA),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A column's type: its oid and, of a numeric, what was declared of its digits."""

    oid: int
    precision: int | None = None
    scale: int | None = None

    @classmethod
    def of(cls, oid: int, typmod: int) -> Declared:
        """By pg_attribute's type modifier."""
        if oid != NUMERIC or typmod < 0:
            return cls(oid)
        digits = typmod - 4
        return cls(oid, digits >> 16 & 0xFFFF, ((digits & 0x7FF) ^ 0x400) - 0x400)


def source_column(
    quoted: str, name: str, declared: Declared, mapping: str, zone: str, *, not_null: bool, counts: bool
) -> Column:
    """The column as a source reads it: whatever has no schema of its own is read as text."""
    expression = None
    if declared.oid == NUMERIC:
        schema = numeric_schema(mapping, declared.precision, declared.scale)
        if schema.name != DECIMAL_NAME:
            expression = f"{quoted}::{'float8' if schema.type is Type.FLOAT64 else 'int8'}"
        elif declared.scale is None or declared.scale < 0:
            expression = f"{quoted}::numeric(1000, {int((schema.parameters or {})['scale'])})"
    elif declared.oid in _SCHEMAS:
        schema = _SCHEMAS[declared.oid]
        if declared.oid == TIMESTAMP:
            expression = f"({quoted} AT TIME ZONE '{zone}')"
    else:
        schema = STRING_SCHEMA
        expression = f"{quoted}::text"
    if not not_null:
        schema = Schema(
            schema.type, optional=True, name=schema.name, version=schema.version, parameters=schema.parameters
        )
    return Column(name=name, schema=schema, nullable=not not_null, auto_increment=counts, expression=expression)


_LOGICAL_TYPES: Final = {DECIMAL_NAME: "DECIMAL", DATE_NAME: "DATE", TIME_NAME: "TIME", TIMESTAMP_NAME: "TIMESTAMP"}
_TYPES: Final = {
    Type.INT8: "SMALLINT",
    Type.INT16: "SMALLINT",
    Type.INT32: "INT",
    Type.INT64: "BIGINT",
    Type.FLOAT32: "REAL",
    Type.FLOAT64: "DOUBLE PRECISION",
    Type.BOOLEAN: "BOOLEAN",
    Type.STRING: "TEXT",
    Type.BYTES: "BYTEA",
}


def target_type(name: str, schema: Schema) -> str:
    """The type of a column made for a field. Raises ConnectError for structs and maps."""
    found = _LOGICAL_TYPES.get(schema.name or "") or _TYPES.get(schema.type)
    if found is None and schema.type is Type.ARRAY and schema.value_schema is not None:
        return f"{target_type(name, schema.value_schema)}[]"
    if found is None:
        raise unstorable(name, schema)
    return found


_FITTING: Final[dict[str | Type, frozenset[int]]] = {
    Type.INT8: frozenset({_OID["int2"], _OID["int4"], _OID["int8"], NUMERIC}),
    Type.INT16: frozenset({_OID["int2"], _OID["int4"], _OID["int8"], NUMERIC}),
    Type.INT32: frozenset({_OID["int4"], _OID["int8"], NUMERIC}),
    Type.INT64: frozenset({_OID["int8"], NUMERIC}),
    Type.FLOAT32: frozenset({_OID["float4"], _OID["float8"]}),
    Type.FLOAT64: frozenset({_OID["float8"]}),
    Type.BOOLEAN: frozenset({_OID["bool"]}),
    Type.STRING: TEXTS,
    Type.BYTES: frozenset({_OID["bytea"]}),
    DECIMAL_NAME: frozenset({NUMERIC}),
    DATE_NAME: frozenset({_OID["date"]}),
    TIME_NAME: frozenset({_OID["time"]}),
    TIMESTAMP_NAME: frozenset({_OID["timestamptz"], TIMESTAMP}),
}


def fits_binary(schema: Schema, oid: int) -> bool:
    """Whether every value of `schema` can be sent as the bytes of that type; else it goes as text, which the server
    reads as whatever the column is."""
    kind = schema.name if schema.name in _LOGICAL_TYPES else schema.type
    return oid in _FITTING.get(kind or schema.type, frozenset())
