"""InsertHeader: adds a header with a fixed value."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import HIGH, Config, key
from kconnect.recipe import Recipe
from kconnect.recipe_transform import RecipeTransform
from kconnect.record import Header
from kconnect.validators import NonNullValidator
from kconnect.values import parse_string


class InsertHeaderConfig(Config):
    header: Annotated[str, NonNullValidator()] = key(importance=HIGH, doc="The header's key.")
    value_literal: Annotated[str, NonNullValidator()] = key(
        name="value.literal",
        importance=HIGH,
        doc="The header's value; its type follows from its looks: 1, 1.5, true, 2020-01-01, [1,2], {a:1}, text.",
    )


class InsertHeader(RecipeTransform[InsertHeaderConfig]):
    """Headers of the same key stay."""

    def configure(self, config: InsertHeaderConfig) -> None:
        schema, value = parse_string(config.value_literal)
        self._added = Header(config.header, schema, value)

    def amend(self, recipe: Recipe) -> None:
        recipe.headers = recipe.local(f"(*{recipe.headers}, {recipe.constant(self._added)})")
