"""ExtractNestedField: copies a field of a nested struct to the outer one."""

from __future__ import annotations

from typing import Any

from kconnect.config import HIGH, Config, key
from kconnect.errors import DataError
from kconnect.recipe import Column, Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Field, Type
from kconnect_transforms.jcustenborder.structs import is_nothing, renamed_like, require_struct
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import add_column, schemas


class ExtractNestedFieldConfig(Config):
    input_outer_field_name: str = key(importance=HIGH, doc="The field that is a struct.")
    input_inner_field_name: str = key(
        importance=HIGH, doc="The field of that struct to copy. The copy has the same name."
    )
    output_field_name: str = key(importance=HIGH, doc="Has to be given, and has no effect: as in the original.")


class ExtractNestedField(RecipeTransform[ExtractNestedFieldConfig]):
    """Fields that are null get the default of their schema."""

    side: Side

    def configure(self, config: ExtractNestedFieldConfig) -> None:
        self._outer = config.input_outer_field_name
        self._inner = config.input_inner_field_name

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if is_nothing(part):
            return
        schema = require_struct(part, "extracting a nested field")
        columns = recipe.columns(self.side, replace_null=True)
        outer = columns.get(self._outer)
        if outer is None or outer.schema.type is not Type.STRUCT:
            found = "there is no such field" if outer is None else f"it is {outer.schema.type.value}, not a struct"
            raise DataError(f"input.outer.field.name={self._outer}: {found}")
        field = outer.schema.field(self._inner)
        if field is None:
            raise DataError(f"input.inner.field.name={self._inner}: {self._outer!r} has no such field")
        value = recipe.local(f"{recipe.constant(self._read)}({recipe.constant(field)}, {outer.expression})")
        add_column(columns, self._inner, Column(value, field.schema))
        recipe.set_struct(self.side, renamed_like(schema, schemas(columns)), columns)

    def _read(self, field: Field, outer: dict[str, Any] | None) -> Any:
        if outer is None:
            raise DataError(f"{self._outer!r} is null, and has no {self._inner!r} to extract")
        return field.get(outer)


class ExtractNestedFieldKey(OnKey, ExtractNestedField):
    """Works on the key."""


class ExtractNestedFieldValue(OnValue, ExtractNestedField):
    """Works on the value."""
