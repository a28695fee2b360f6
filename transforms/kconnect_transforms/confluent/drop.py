"""Drop: takes the key or the value away."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import MEDIUM, Config, key
from kconnect.errors import DataError
from kconnect.recipe import Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.nulls import set_null
from kconnect_transforms.sides import OnKey, OnValue


class DropConfig(Config):
    schema_behavior: Annotated[str, CaseInsensitiveValidString("nullify", "retain", "validate", "force_optional")] = (
        key(
            default="nullify",
            importance=MEDIUM,
            doc="What becomes of the schema: it goes too (nullify), stays whatever it is (retain), stays and "
            "must be optional (validate), or is made optional (force_optional).",
        )
    )


class Drop(RecipeTransform[DropConfig]):
    """The other part of the record stays as it is."""

    side: Side

    def configure(self, config: DropConfig) -> None:
        self._behavior = config.schema_behavior.lower()

    def amend(self, recipe: Recipe) -> None:
        schema = recipe.part(self.side).schema
        if schema is None or self._behavior == "nullify":
            set_null(recipe, self.side, None)
            return
        if self._behavior == "validate" and not schema.optional:
            raise DataError(f"the {self.side} is {schema!r}, which does not allow null: schema.behavior=force_optional")
        set_null(recipe, self.side, schema.replace(optional=True) if self._behavior == "force_optional" else schema)


class DropKey(OnKey, Drop):
    """Works on the key."""


class DropValue(OnValue, Drop):
    """Works on the value."""
