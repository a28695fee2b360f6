"""What SQLite's columns are: a declared type says it, as SQLite's own rules of affinity read it, and finer."""

from __future__ import annotations

import re
from typing import Any

from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_SCHEMA,
    FLOAT64_SCHEMA,
    INT64_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
)
from kconnect_sql.numeric import numeric_schema


def declared_schema(declared: str, mapping: str) -> Schema:
    """By the declared type, as SQLite's own affinity rules go, and finer where the name says more."""
    name = declared.upper()
    size = re.search(r"\((\d+)(?:\s*,\s*(\d+))?\)", name)
    if "BOOL" in name:
        return BOOLEAN_SCHEMA
    if "INT" in name:
        return INT64_SCHEMA
    if any(word in name for word in ("CHAR", "CLOB", "TEXT", "JSON", "UUID")):
        return STRING_SCHEMA
    if "TIMESTAMP" in name or "DATETIME" in name:
        return TIMESTAMP_SCHEMA
    if name == "DATE":
        return DATE_SCHEMA
    if name == "TIME":
        return TIME_SCHEMA
    if any(word in name for word in ("REAL", "FLOA", "DOUB")):
        return FLOAT64_SCHEMA
    if any(word in name for word in ("DEC", "NUMERIC", "MONEY")):
        if size is None:
            return FLOAT64_SCHEMA
        return numeric_schema(mapping, int(size[1]), int(size[2] or 0))
    return BYTES_SCHEMA if not name or "BLOB" in name else STRING_SCHEMA


def schema_of_value(value: Any) -> Schema:
    match value:
        case int():
            return INT64_SCHEMA
        case float():
            return FLOAT64_SCHEMA
        case bytes():
            return BYTES_SCHEMA
    return STRING_SCHEMA
