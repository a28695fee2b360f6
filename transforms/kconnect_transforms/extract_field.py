"""ExtractField: puts one field, also a nested one, in the place of the whole key or value."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import HIGH, MEDIUM, Config, key
from kconnect.errors import DataError
from kconnect.recipe import Kind, Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Schema
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.field_path import V1, V2, field_at, parse_path, value_at
from kconnect_transforms.sides import OnKey, OnValue


class ExtractFieldConfig(Config):
    field: str = key(importance=MEDIUM, doc="The field to extract.")
    field_syntax_version: Annotated[str, CaseInsensitiveValidString(V1, V2)] = key(
        default=V1,
        importance=HIGH,
        doc="V1: the field is a plain name. V2: dots lead into nested structs, backticks enclose names with dots.",
    )
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether a field that is null gets the default of its schema."
    )


class ExtractField(RecipeTransform[ExtractFieldConfig]):
    """A null key or value stays null."""

    side: Side

    def configure(self, config: ExtractFieldConfig) -> None:
        self._text = config.field
        self._path = parse_path(config.field, config.field_syntax_version)
        self._replace_null = config.replace_null_with_default

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if part.kind is not Kind.NULL:
            require_fields(part, "extracting a field")
            if not self._path:
                raise DataError("the path to the field is empty")
        if part.schema is None:
            if part.kind is not Kind.NULL:
                recipe.set_value(self.side, None, self._read(recipe, part.expression))
            return
        field = field_at(part.schema, self._path)
        if field is None:
            raise DataError(f"there is no field {self._text!r}")
        if part.kind is Kind.NULL:
            recipe.set_value(self.side, field.schema, "None")
            return
        expression = self._from_struct(recipe, part.schema)
        recipe.set_value(self.side, field.schema, expression)

    def _from_struct(self, recipe: Recipe, schema: Schema) -> str:
        """The expression for the field; on the way to it, nulls of outer structs give way to defaults too."""
        expression = recipe.columns(self.side, replace_null=False)[self._path[0]].expression
        for depth, step in enumerate(self._path):
            field = schema.field(step)
            assert field is not None
            if depth:
                expression = recipe.local(f"None if {expression} is None else {expression}.get({step!r})")
            if self._replace_null and field.schema.default is not None:
                expression = recipe.or_default(expression, field.schema)
            elif depth + 1 < len(self._path):
                expression = recipe.local(expression)
            schema = field.schema
        return expression

    def _read(self, recipe: Recipe, expression: str) -> str:
        path = recipe.constant(self._path)
        return recipe.local(f"{recipe.constant(value_at)}({expression}, {path})")


class ExtractFieldKey(OnKey, ExtractField):
    """Works on the key."""


class ExtractFieldValue(OnValue, ExtractField):
    """Works on the value."""
