"""MakeTombstone: takes the value away, so that compaction removes the key."""

from __future__ import annotations

from kconnect.config import Config
from kconnect.recipe import Recipe
from kconnect.recipe_transform import RecipeTransform
from kconnect_transforms.nulls import set_null


class MakeTombstone(RecipeTransform[Config]):
    """Value and schema become null; of use with a predicate."""

    def amend(self, recipe: Recipe) -> None:
        set_null(recipe, "value", None)
