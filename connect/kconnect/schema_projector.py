"""Projection: a value written under one schema as a value of another, by Kafka's SchemaProjector rules."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from kconnect.errors import DataError
from kconnect.schema import NUMBERS, Schema, Type


def project(source: Schema, value: Any, target: Schema) -> Any:
    """`value` of `source` as a value of `target`.

    Numbers may widen, fields may go, fields that are optional or have a default may come; names and parameters
    must agree. DataError, naming the field, if the schemas cannot be reconciled."""
    if source is target:
        return value
    _check_compatible(source, target)
    if value is None:
        if source.optional and not target.optional:
            return deepcopy(target.default)
        return None
    match target.type:
        case Type.STRUCT:
            return _project_struct(source, value, target)
        case Type.ARRAY:
            return [_project_element(source.value_schema, item, target.value_schema) for item in value]
        case Type.MAP:
            return {
                _project_element(source.key_schema, key, target.key_schema): _project_element(
                    source.value_schema, item, target.value_schema
                )
                for key, item in value.items()
            }
        case Type.FLOAT32 | Type.FLOAT64:
            return float(value)
    return value


def _check_compatible(source: Schema, target: Schema) -> None:
    if source.type is not target.type and not _widens(source.type, target.type):
        raise DataError(f"{source!r} cannot become {target!r}")
    if source.name != target.name:
        raise DataError(f"{source!r} cannot become {target!r}: their names differ")
    if source.parameters != target.parameters:
        raise DataError(
            f"{source!r} cannot become {target!r}: their parameters differ, "
            f"{dict(source.parameters or {})} and {dict(target.parameters or {})}"
        )
    if source.optional and not target.optional and target.default is None:
        raise DataError(f"{source!r} cannot become {target!r}, which is required and has no default")


def _widens(source: Type, target: Type) -> bool:
    return source in NUMBERS and target in NUMBERS and NUMBERS.index(source) < NUMBERS.index(target)


def _project_struct(source: Schema, value: dict[str, Any], target: Schema) -> dict[str, Any]:
    projected = {}
    for field in target.fields:
        given = source.field(field.name)
        if given is not None:
            try:
                projected[field.name] = project(given.schema, value.get(field.name), field.schema)
            except DataError as error:
                raise DataError(f"field {field.name}: {error}") from error
        elif field.schema.optional:
            projected[field.name] = None
        elif field.schema.default is not None:
            projected[field.name] = deepcopy(field.schema.default)
        else:
            raise DataError(f"field {field.name} is required and {source!r} does not have it")
    return projected


def _project_element(source: Schema | None, value: Any, target: Schema | None) -> Any:
    return value if source is None or target is None else project(source, value, target)
