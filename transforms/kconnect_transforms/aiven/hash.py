"""Hash: puts the hash of a text in its place."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from kconnect.config import HIGH, LOW, Config, key
from kconnect.errors import DataError
from kconnect.recipe import Column, DependsOnRecordError, Kind, Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Schema, Type
from kconnect_transforms.sides import OnKey, OnValue


class HashConfig(Config):
    field_name: str | None = key(
        default=None, importance=HIGH, doc="The field to hash; without it the whole key or value is hashed."
    )
    skip_missing_or_null: bool = key(
        default=False, importance=LOW, doc="Whether records without a text there pass as they are, instead of failing."
    )
    function: Literal["md5", "sha1", "sha256"] = key(
        importance=HIGH, doc="The hash function. The hash is written in hexadecimal, in small letters."
    )


class Hash(RecipeTransform[HashConfig]):
    """Texts are hashed in UTF-8. The schema stays."""

    side: Side

    def configure(self, config: HashConfig) -> None:
        self._field = config.field_name or None
        self._skip = config.skip_missing_or_null
        self._function = config.function
        self._where = f"the {self.side}" if self._field is None else f"field.name={self._field}"

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if self._field is not None:
            require_fields(part, "hashing a field")
            self._amend_field(recipe, part.schema, self._field)
            return
        if part.kind is Kind.UNKNOWN:
            raise DependsOnRecordError
        self._require_text(part.schema)
        recipe.set_value(self.side, part.schema, self._hash_of(recipe, part.expression))

    def _amend_field(self, recipe: Recipe, schema: Schema | None, name: str) -> None:
        if schema is None:
            target = recipe.writable_map(self.side)
            hashed = self._hash_of(recipe, f"{target}.get({name!r})")
            recipe.line(f"if {hashed} is not None: {target}[{name!r}] = {hashed}")
            return
        columns = recipe.columns(self.side, replace_null=False)
        column = columns.get(name)
        if column is None:
            if not self._skip:
                raise DataError(f"{self._where}: the {self.side} has no such field")
            return
        self._require_text(column.schema)
        columns[name] = Column(self._hash_of(recipe, column.expression), column.schema)
        recipe.set_struct(self.side, schema, columns)

    def _require_text(self, schema: Schema | None) -> None:
        if schema is not None and schema.type is not Type.STRING:
            raise DataError(f"{self._where} is {schema!r}, and only texts are hashed: cast it before")

    def _hash_of(self, recipe: Recipe, expression: str) -> str:
        return recipe.local(f"{recipe.constant(self._hashed)}({expression})")

    def _hashed(self, text: Any) -> str | None:
        if text is None:
            if self._skip:
                return None
            raise DataError(
                f"{self._where} is null or missing: skip.missing.or.null=true lets such records pass as they are"
            )
        if not isinstance(text, str):
            raise DataError(f"{self._where} is {type(text).__name__}, and only texts are hashed: cast it before")
        return hashlib.new(self._function, text.encode(), usedforsecurity=False).hexdigest()


class HashKey(OnKey, Hash):
    """Works on the key."""


class HashValue(OnValue, Hash):
    """Works on the value."""
