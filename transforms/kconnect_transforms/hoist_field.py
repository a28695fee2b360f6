"""HoistField: wraps the whole key or value in a struct or map of one field."""

from __future__ import annotations

from kconnect.config import MEDIUM, Config, key
from kconnect.errors import DataError
from kconnect.recipe import Column, DependsOnRecordError, Kind, Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Schema, Type
from kconnect_transforms.sides import OnKey, OnValue


class HoistFieldConfig(Config):
    field: str = key(importance=MEDIUM, doc="The name of the one field.")


class HoistField(RecipeTransform[HoistFieldConfig]):
    """Null is wrapped too, where the schema allows it."""

    side: Side

    def configure(self, config: HoistFieldConfig) -> None:
        self._field = config.field

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if part.kind is Kind.UNKNOWN:
            raise DependsOnRecordError
        schema = part.schema
        if schema is None:
            recipe.set_map(self.side, recipe.local(f"{{{self._field!r}: {part.expression}}}"))
            return
        if part.kind is Kind.NULL and not schema.optional:
            raise DataError(f"the {self.side} is null, but its schema does not allow that in field {self._field!r}")
        column = Column(recipe.local(part.expression), schema)
        hoisted = Schema(Type.STRUCT, fields={self._field: schema})
        recipe.set_struct(self.side, hoisted, {self._field: column})


class HoistFieldKey(OnKey, HoistField):
    """Wraps the key."""


class HoistFieldValue(OnValue, HoistField):
    """Wraps the value."""
