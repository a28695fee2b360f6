"""What SQLAlchemy's types become, and what schemas become in SQLAlchemy's."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_NAME,
    DATE_SCHEMA,
    DECIMAL_NAME,
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
from kconnect_sql.shape import TargetColumn
from kconnect_sql.writer import unstorable

SqlType = sa.types.TypeEngine[Any]
KEY_LENGTH = 255

_SCHEMAS: Final[tuple[tuple[type[SqlType], Schema], ...]] = (
    (sa.Boolean, BOOLEAN_SCHEMA),
    (sa.SmallInteger, INT16_SCHEMA),
    (sa.BigInteger, INT64_SCHEMA),
    (sa.Integer, INT32_SCHEMA),
    (sa.Float, FLOAT64_SCHEMA),
    (sa.DateTime, TIMESTAMP_SCHEMA),
    (sa.Date, DATE_SCHEMA),
    (sa.Time, TIME_SCHEMA),
    (sa.LargeBinary, BYTES_SCHEMA),
    (sa.types._Binary, BYTES_SCHEMA),
)


def source_schema(declared: SqlType, mapping: str) -> Schema:
    """Whatever has no schema of its own is read as text."""
    for kind, schema in _SCHEMAS:
        if isinstance(declared, kind):
            return schema
    if isinstance(declared, sa.Numeric):
        return numeric_schema(mapping, declared.precision, declared.scale)
    return STRING_SCHEMA


_LOGICAL: Final[dict[str, SqlType]] = {
    DATE_NAME: sa.Date(),
    TIME_NAME: sa.Time(),
    TIMESTAMP_NAME: sa.DateTime(),
}
_TYPES: Final[dict[Type, SqlType]] = {
    Type.INT8: sa.SmallInteger(),
    Type.INT16: sa.SmallInteger(),
    Type.INT32: sa.Integer(),
    Type.INT64: sa.BigInteger(),
    Type.FLOAT32: sa.Float(24),
    Type.FLOAT64: sa.Double(),
    Type.BOOLEAN: sa.Boolean(),
    Type.STRING: sa.Text(),
    Type.BYTES: sa.LargeBinary(),
}


def target_type(column: TargetColumn) -> SqlType:
    """Raises ConnectError for structs, maps and arrays."""
    schema = column.schema
    if schema.name == DECIMAL_NAME:
        return sa.Numeric(38, int((schema.parameters or {})["scale"]))
    if column.key and schema.type is Type.STRING:
        return sa.String(KEY_LENGTH)  # a key of unlimited length is more than most databases allow
    found = _LOGICAL.get(schema.name or "") or _TYPES.get(schema.type)
    if found is None:
        raise unstorable(column.name, schema)
    return found
