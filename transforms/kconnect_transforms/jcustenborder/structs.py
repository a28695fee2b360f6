"""What these transforms take, which is structs alone, and what they leave of a struct's schema."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.errors import DataError
from kconnect.recipe import DependsOnRecordError, Kind, Part
from kconnect.schema import Schema, Type


def is_nothing(part: Part) -> bool:
    """Whether the part is null without a schema, which passes as it is. To be asked first."""
    if part.kind is Kind.UNKNOWN:
        raise DependsOnRecordError
    return part.kind is Kind.NULL and part.schema is None


def require_struct(part: Part, purpose: str) -> Schema:
    """The struct's schema. Raises DataError unless the part is a struct that is not null."""
    if part.kind is not Kind.STRUCT or part.schema is None:
        found = "null" if part.kind is Kind.NULL else part.python_class.__name__
        without = "" if part.schema is not None else " without a schema"
        raise DataError(f"{purpose} needs a struct, not {found}{without}")
    return part.schema


def renamed_like(schema: Schema, fields: Mapping[str, Schema]) -> Schema:
    """A struct of `fields` that has the name of `schema`, and is optional as it is."""
    return Schema(Type.STRUCT, name=schema.name or None, optional=schema.optional, fields=fields)
