"""What NUMERIC columns become: the key `numeric.mapping`."""

from __future__ import annotations

from typing import Final

from kconnect.schema import (
    FLOAT64_SCHEMA,
    INT8_SCHEMA,
    INT16_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    Schema,
    decimal_schema,
)
from kconnect_sql.config import SqlSourceConfig

DEFAULT_SCALE: Final = 127
"""Of a NUMERIC without a declared scale, as JDBC connectors have it."""

_INTEGERS = ((2, INT8_SCHEMA), (4, INT16_SCHEMA), (9, INT32_SCHEMA), (18, INT64_SCHEMA))


def numeric_mapping(config: SqlSourceConfig) -> str:
    """The mapping in force; `numeric.precision.mapping` counts where `numeric.mapping` is not given."""
    return config.numeric_mapping or ("precision_only" if config.numeric_precision_mapping else "none")


def numeric_schema(mapping: str, precision: int | None, scale: int | None) -> Schema:
    """The schema of a NUMERIC(precision, scale) that is not null; None: not declared."""
    whole = scale == 0 and precision is not None
    if mapping != "none" and whole:
        for digits, schema in _INTEGERS:
            if precision is not None and precision <= digits:
                return schema
    if mapping == "best_fit" and scale is not None and scale > 0 and (precision or 99) <= 15:
        return FLOAT64_SCHEMA
    if mapping == "best_fit_eager_double" and (scale is None or scale > 0):
        return FLOAT64_SCHEMA
    return decimal_schema(DEFAULT_SCALE if scale is None else scale)
