"""PatternRename: renames fields by a regular expression."""

from __future__ import annotations

import re
from typing import Annotated, Final

from kconnect.config import HIGH, LOW, Config, ConfigError, ValidList, key
from kconnect.java_regex import JavaPattern
from kconnect.recipe import Column, Kind, Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect_transforms.jcustenborder.structs import is_nothing, renamed_like, require_struct
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import add_column, schemas

_LITERAL: Final = "LITERAL"
_FLAGS: Final = {
    "CASE_INSENSITIVE": re.IGNORECASE,
    "MULTILINE": re.MULTILINE,
    "DOTALL": re.DOTALL,
    "COMMENTS": re.VERBOSE,
    "UNICODE_CASE": re.UNICODE,
    "UNICODE_CHARACTER_CLASS": re.UNICODE,
    _LITERAL: re.NOFLAG,
}
_UNSUPPORTED: Final = ("CANON_EQ", "UNIX_LINES")


class PatternRenameConfig(Config):
    field_pattern: str = key(
        importance=HIGH, doc="What is looked for in the names of fields, as in Java. Every match is replaced."
    )
    field_pattern_flags: Annotated[list[str], ValidList(*_FLAGS, *_UNSUPPORTED)] = key(
        default=["CASE_INSENSITIVE"],
        importance=LOW,
        doc=f"How it is looked for: {', '.join(_FLAGS)}, as Java's Pattern explains them.",
    )
    field_replacement: str = key(
        importance=HIGH, doc="What stands in its place; $1 and ${name} stand for what groups of the pattern matched."
    )

    def _check(self) -> None:
        compile_pattern(self)


def compile_pattern(config: PatternRenameConfig) -> JavaPattern:
    """Raises ConfigError naming the key."""
    flags = re.NOFLAG
    for name in config.field_pattern_flags:
        if name in _UNSUPPORTED:
            raise ConfigError(
                f"{name} is not supported here",
                key="field.pattern.flags",
                value=name,
                suggestion=f"choose from {', '.join(_FLAGS)}",
            )
        flags |= _FLAGS[name]
    regex = config.field_pattern
    try:
        return JavaPattern(re.escape(regex) if _LITERAL in config.field_pattern_flags else regex, flags)
    except ConfigError as error:
        raise ConfigError(error.reason, key="field.pattern", value=regex) from error


class PatternRename(RecipeTransform[PatternRenameConfig]):
    """Fields of nested structs keep their names. Fields of structs that are null get the default of their schema; maps
    lose theirs."""

    side: Side

    def configure(self, config: PatternRenameConfig) -> None:
        self._pattern = compile_pattern(config)
        self._replacement = config.field_replacement

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if is_nothing(part):
            return
        if part.kind is not Kind.STRUCT and issubclass(part.python_class, dict):
            renamed = recipe.constant(self._renamed)
            items = f"{part.expression}.items()"
            recipe.set_map(self.side, recipe.local(f"{{{renamed}(name): value for name, value in {items}}}"))
            return
        schema = require_struct(part, "renaming fields")
        columns: dict[str, Column] = {}
        for name, column in recipe.columns(self.side, replace_null=True).items():
            add_column(columns, self._renamed(name), column)
        renamed_schema = renamed_like(schema, schemas(columns))
        recipe.set_struct(self.side, renamed_schema.replace(doc=schema.doc, parameters=schema.parameters), columns)

    def _renamed(self, name: str) -> str:
        return self._pattern.replace_all(name, self._replacement)


class PatternRenameKey(OnKey, PatternRename):
    """Works on the key."""


class PatternRenameValue(OnValue, PatternRename):
    """Works on the value."""
