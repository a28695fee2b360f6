"""Struct schemas made from others."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.errors import DataError
from kconnect.recipe import Column
from kconnect.schema import Schema, Type


def struct_like(schema: Schema, fields: Mapping[str, Schema]) -> Schema:
    """A required struct of `fields` that has name, version, documentation and parameters of `schema`."""
    return Schema(
        Type.STRUCT,
        name=schema.name,
        version=schema.version,
        doc=schema.doc,
        parameters=schema.parameters,
        fields=fields,
    )


def add_column(columns: dict[str, Column], name: str, column: Column) -> None:
    """Raises DataError where a struct would have two fields of one name, or one without a name."""
    if not name:
        raise DataError("a field of a struct needs a name")
    if name in columns:
        raise DataError(f"there would be two fields {name!r}")
    columns[name] = column


def schemas(columns: Mapping[str, Column]) -> dict[str, Schema]:
    return {name: column.schema for name, column in columns.items()}
