"""Flatten: makes nested structs or maps flat, their fields' names joined by a delimiter."""

from __future__ import annotations

from typing import Any

from kconnect.config import MEDIUM, Config, key
from kconnect.errors import DataError
from kconnect.recipe import Column, Kind, Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Schema, Type
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import add_column, schemas, struct_like

# Stands for a nested struct that is null: it has no fields, and they have no defaults.
_ABSENT: dict[str, Any] = {}


class FlattenConfig(Config):
    delimiter: str = key(default=".", importance=MEDIUM, doc="What joins the names of outer and inner fields.")


class Flatten(RecipeTransform[FlattenConfig]):
    """Null keys and values stay null. Lists stay as they are; so do maps that a schema describes: they are refused."""

    side: Side

    def configure(self, config: FlattenConfig) -> None:
        self._delimiter = config.delimiter

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if part.kind is Kind.NULL:
            return
        require_fields(part, "flattening")
        if part.schema is None:
            flat = recipe.local(f"{recipe.constant(self._flat_map)}({part.expression})")
            recipe.set_map(self.side, flat)
            return
        outermost = recipe.columns(self.side, replace_null=False)
        columns: dict[str, Column] = {}
        self._add_columns(recipe, columns, part.schema, "", _Outer(outermost, None, part.schema))
        recipe.set_struct(self.side, struct_like(part.schema, schemas(columns)), columns)

    def _add_columns(
        self, recipe: Recipe, columns: dict[str, Column], schema: Schema, prefix: str, outer: _Outer
    ) -> None:
        for field in schema.fields:
            name = f"{prefix}{self._delimiter}{field.name}" if prefix else field.name
            default = field.schema.default
            if default is None and outer.default is not None:
                default = outer.default.get(field.name)
            value = outer.read(field.name)
            optional = outer.optional or field.schema.optional
            if field.schema.type is Type.STRUCT:
                nested = recipe.local(value)
                recipe.line(f"if {nested} is None: {nested} = {recipe.constant(_ABSENT)}")
                inner = _Outer(None, nested, field.schema, optional=optional, default=default)
                self._add_columns(recipe, columns, field.schema, name, inner)
            elif field.schema.type is Type.MAP:
                raise DataError(f"field {name!r} is a map: only structs can be flattened where there is a schema")
            else:
                if field.schema.default is not None:
                    value = outer.or_default(recipe, value, field.schema)
                add_column(columns, name, Column(value, _leaf(field.schema, optional, default)))

    def _flat_map(self, nested: dict[Any, Any]) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        self._flatten_into(flat, "", nested)
        return flat

    def _flatten_into(self, flat: dict[str, Any], prefix: str, nested: dict[Any, Any]) -> None:
        for key_, value in nested.items():
            name = f"{prefix}{self._delimiter}{key_}" if prefix else str(key_)
            if isinstance(value, dict):
                self._flatten_into(flat, name, value)
            elif value is None or isinstance(value, bool | int | float | str | bytes | bytearray | memoryview | list):
                flat[name] = value
            else:
                raise DataError(f"field {name!r}: {type(value).__name__} needs a schema")


class FlattenKey(OnKey, Flatten):
    """Flattens the key."""


class FlattenValue(OnValue, Flatten):
    """Flattens the value."""


class _Outer:
    """The struct that fields are read from: the outermost by its columns, a nested one by the local that holds it."""

    def __init__(
        self,
        columns: dict[str, Column] | None,
        local: str | None,
        schema: Schema,
        *,
        optional: bool | None = None,
        default: dict[str, Any] | None = None,
    ) -> None:
        self._columns = columns
        self._local = local
        self.optional = schema.optional if optional is None else optional
        self.default: dict[str, Any] | None = schema.default if columns is not None else default

    def read(self, name: str) -> str:
        if self._columns is not None:
            return self._columns[name].expression
        return f"{self._local}.get({name!r})"

    def or_default(self, recipe: Recipe, expression: str, schema: Schema) -> str:
        """The local for a field's value, or its own default; fields of a struct that is null have none."""
        if self._local is None:
            return recipe.or_default(expression, schema)
        value = recipe.local(expression)
        present = f"{self._local} is not {recipe.constant(_ABSENT)}"
        recipe.line(f"if {value} is None and {present}: {value} = {recipe.constant(schema.default)}")
        return value


def _leaf(schema: Schema, optional: bool, default: Any) -> Schema:
    return Schema(
        schema.type,
        optional=optional,
        name=schema.name,
        version=schema.version,
        doc=schema.doc,
        parameters=schema.parameters,
        default=default,
        value_schema=schema.value_schema,
    )
