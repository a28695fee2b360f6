"""ValueToKey: makes a new key of some of the value's fields."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import HIGH, MEDIUM, Config, ValidList, key
from kconnect.errors import DataError
from kconnect.recipe import Column, Recipe, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Schema, Type
from kconnect_transforms.structs import schemas


class ValueToKeyConfig(Config):
    fields: Annotated[list[str], ValidList(allow_empty=False)] = key(
        importance=HIGH, doc="The value's fields of which the key is made, in this order."
    )
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether fields that are null get the default of their schema."
    )


class ValueToKey(RecipeTransform[ValueToKeyConfig]):
    """The key becomes a struct, or a map where the value has no schema; the value stays as it is."""

    def configure(self, config: ValueToKeyConfig) -> None:
        self._fields = tuple(config.fields)
        self._replace_null = config.replace_null_with_default

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part("value")
        require_fields(part, "making a key of the value's fields")
        if part.schema is None:
            get = recipe.local(f"{part.expression}.get")
            items = ", ".join(f"{name!r}: {get}({name!r})" for name in self._fields)
            recipe.set_map("key", recipe.local(f"{{{items}}}"))
            return
        columns: dict[str, Column] = {}
        available = recipe.columns("value", replace_null=False)
        for name in self._fields:
            if name not in available:
                raise DataError(f"the value has no field {name!r} to make a key of")
            expression, schema = available[name]
            if self._replace_null and schema.default is not None:
                expression = recipe.or_default(expression, schema)
            columns[name] = Column(expression, schema)
        recipe.set_struct("key", Schema(Type.STRUCT, fields=schemas(columns)), columns)
