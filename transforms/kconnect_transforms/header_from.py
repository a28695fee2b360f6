"""HeaderFrom: copies or moves fields to headers."""

from __future__ import annotations

from typing import Annotated, Literal

from kconnect.config import HIGH, MEDIUM, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.recipe import Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.record import Header
from kconnect.validators import Described
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import schemas, struct_like

MOVE = "move"


def _not_empty(name: str, value: list[str] | None) -> None:
    if not value:
        raise ConfigError("must list at least one item", key=name)


class HeaderFromConfig(Config):
    fields: Annotated[list[str], Described(_not_empty, "non-empty list")] = key(
        importance=HIGH, doc="Fields whose values go into headers."
    )
    headers: Annotated[list[str], Described(_not_empty, "non-empty list")] = key(
        importance=HIGH, doc="Keys of these headers, in the order of the fields."
    )
    operation: Literal["move", "copy"] = key(importance=HIGH, doc="Whether the fields go (move) or stay (copy).")
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether fields that are null get the default of their schema."
    )

    def _check(self) -> None:
        if len(self.fields) != len(self.headers):
            raise ConfigError(
                f"{len(self.fields)} fields cannot go to {len(self.headers)} headers",
                key="headers",
                value=self.headers,
                suggestion="name one header for each field",
            )


class HeaderFrom(RecipeTransform[HeaderFromConfig]):
    """Headers of the same keys stay."""

    side: Side

    def configure(self, config: HeaderFromConfig) -> None:
        self._headers = list(zip(config.fields, config.headers, strict=True))
        self._moved = frozenset(config.fields) if config.operation == MOVE else frozenset()
        self._replace_null = config.replace_null_with_default

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        require_fields(part, "making headers of fields")
        header = recipe.constant(Header)
        if part.schema is None:
            made = [f"{header}({to!r}, None, {part.expression}.get({name!r}))" for name, to in self._headers]
            self._add(recipe, made)
            if self._moved:
                target = recipe.writable_map(self.side)
                for name in self._moved:
                    recipe.line(f"{target}.pop({name!r}, None)")
            return
        columns = recipe.columns(self.side, replace_null=self._replace_null)
        made = []
        for name, to in self._headers:
            if name not in columns:
                raise DataError(f"there is no field {name!r} to make a header of")
            schema = recipe.constant(columns[name].schema)
            made.append(f"{header}({to!r}, {schema}, {columns[name].expression})")
        self._add(recipe, made)
        if self._moved:
            kept = {name: column for name, column in columns.items() if name not in self._moved}
            recipe.set_struct(self.side, struct_like(part.schema, schemas(kept)), kept)

    def _add(self, recipe: Recipe, made: list[str]) -> None:
        recipe.headers = recipe.local(f"(*{recipe.headers}, {', '.join(made)})")


class HeaderFromKey(OnKey, HeaderFrom):
    """Takes fields of the key."""


class HeaderFromValue(OnValue, HeaderFrom):
    """Takes fields of the value."""
