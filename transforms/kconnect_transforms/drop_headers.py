"""DropHeaders: removes headers by their keys."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import HIGH, Config, ValidList, key
from kconnect.recipe import Recipe
from kconnect.recipe_transform import RecipeTransform
from kconnect.record import Header


class DropHeadersConfig(Config):
    headers: Annotated[list[str], ValidList(allow_empty=False)] = key(
        importance=HIGH, doc="Keys of the headers to remove."
    )


class DropHeaders(RecipeTransform[DropHeadersConfig]):
    """Removes every header that has one of the keys."""

    def configure(self, config: DropHeadersConfig) -> None:
        self._keys = frozenset(config.headers)

    def amend(self, recipe: Recipe) -> None:
        recipe.headers = recipe.local(f"{recipe.constant(self._kept)}({recipe.headers})")

    def _kept(self, headers: tuple[Header, ...]) -> tuple[Header, ...]:
        return tuple(header for header in headers if header.key not in self._keys)
