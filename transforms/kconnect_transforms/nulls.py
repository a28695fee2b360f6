"""Keys and values that become null."""

from __future__ import annotations

from kconnect.recipe import Kind, Part, Recipe, Side
from kconnect.schema import Schema


def set_null(recipe: Recipe, side: Side, schema: Schema | None) -> None:
    """Make the key or value null, of `schema`."""
    recipe.set_part(
        side,
        Part(
            kind=Kind.NULL,
            expression="None",
            schema=schema,
            schema_expression="None" if schema is None else recipe.constant(schema),
            python_class=type(None),
        ),
    )
