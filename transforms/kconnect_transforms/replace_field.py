"""ReplaceField: keeps, drops and renames fields."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import MEDIUM, Config, ConfigError, ValidList, key
from kconnect.recipe import Column, Kind, Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.validators import Described
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import add_column, schemas, struct_like


def parse_renames(pairs: list[str]) -> dict[str, str]:
    """`["old:new", …]` as old → new. Raises ConfigError."""
    renames: dict[str, str] = {}
    for pair in pairs:
        old, colon, new = pair.strip().partition(":")
        if not (old.strip() and colon and new.strip()) or ":" in new:
            raise ConfigError(f"{pair!r} is no pair", key="renames", value=pairs, suggestion="write old:new,old:new")
        renames[old.strip()] = new.strip()
    return renames


def _valid_renames(name: str, value: list[str] | None) -> None:
    if value is None:
        raise ConfigError("needs a value", key=name)
    parse_renames(value)


class ReplaceFieldConfig(Config):
    exclude: Annotated[list[str], ValidList()] = key(
        default=[], importance=MEDIUM, doc="Fields to drop. Goes before include."
    )
    include: Annotated[list[str], ValidList()] = key(
        default=[], importance=MEDIUM, doc="Fields to keep; the others are dropped. Empty keeps all."
    )
    renames: Annotated[
        list[str], Described(_valid_renames, "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>")
    ] = key(default=[], importance=MEDIUM, doc="New names for fields, old:new.")
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether fields that are null get the default of their schema."
    )


class ReplaceField(RecipeTransform[ReplaceFieldConfig]):
    """Null keys and values stay null."""

    side: Side

    def configure(self, config: ReplaceFieldConfig) -> None:
        self._exclude = frozenset(config.exclude)
        self._include = frozenset(config.include)
        self._renames = parse_renames(config.renames)
        self._replace_null = config.replace_null_with_default

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if part.kind is Kind.NULL:
            return
        require_fields(part, "replacing fields")
        if part.schema is None:
            self._amend_map(recipe)
            return
        columns: dict[str, Column] = {}
        for name, column in recipe.columns(self.side, replace_null=self._replace_null).items():
            if self._keeps(name):
                add_column(columns, self._renames.get(name, name), column)
        recipe.set_struct(self.side, struct_like(part.schema, schemas(columns)), columns)

    def _keeps(self, name: str) -> bool:
        return name not in self._exclude and (not self._include or name in self._include)

    def _amend_map(self, recipe: Recipe) -> None:
        if not (self._include or self._renames):
            target = recipe.writable_map(self.side)
            for name in self._exclude:
                recipe.line(f"{target}.pop({name!r}, None)")
            return
        new_name = f"{recipe.constant(self._renames)}.get(name, name)" if self._renames else "name"
        kept = f"name not in {recipe.constant(self._exclude)}"
        if self._include:
            kept += f" and name in {recipe.constant(self._include)}"
        items = f"{recipe.part(self.side).expression}.items()"
        recipe.set_map(self.side, recipe.local(f"{{{new_name}: value for name, value in {items} if {kept}}}"))


class ReplaceFieldKey(OnKey, ReplaceField):
    """Works on the key."""


class ReplaceFieldValue(OnValue, ReplaceField):
    """Works on the value."""
