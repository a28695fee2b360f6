"""ExtractTimestamp: makes a field the record's timestamp."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from kconnect.config import HIGH, LOW, Config, NonEmptyString, key
from kconnect.errors import DataError
from kconnect.logical import epoch_millis
from kconnect.recipe import Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Type
from kconnect_transforms.sides import OnKey, OnValue


class ExtractTimestampConfig(Config):
    field_name: str = key(
        importance=HIGH, validator=NonEmptyString(), doc="The field: an instant, or an int64. It must not be null."
    )
    timestamp_resolution: Literal["milliseconds", "seconds"] = key(
        default="milliseconds", importance=LOW, doc="What an int64 counts since 1970."
    )


class ExtractTimestamp(RecipeTransform[ExtractTimestampConfig]):
    """Key and value stay as they are."""

    side: Side

    def configure(self, config: ExtractTimestampConfig) -> None:
        self._field = config.field_name
        self._unit = 1000 if config.timestamp_resolution == "seconds" else 1

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        require_fields(part, "extracting a timestamp")
        value = f"{part.expression}.get({self._field!r})"
        if part.schema is not None:
            column = recipe.columns(self.side, replace_null=False).get(self._field)
            if column is None:
                raise DataError(f"field.name={self._field}: the {self.side} has no such field")
            if column.schema.type is not Type.INT64:
                raise DataError(f"field.name={self._field}: {column.schema!r} is neither an instant nor an int64")
            value = recipe.or_default(column.expression, column.schema)
        recipe.timestamp = recipe.local(f"{recipe.constant(self._millis)}({value})")

    def _millis(self, value: Any) -> int:
        if isinstance(value, datetime):
            return epoch_millis(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value * self._unit
        found = "null or missing" if value is None else type(value).__name__
        raise DataError(f"field.name={self._field}: {found}, and not an instant or an int64")


class ExtractTimestampKey(OnKey, ExtractTimestamp):
    """Looks into the key."""


class ExtractTimestampValue(OnValue, ExtractTimestamp):
    """Looks into the value."""
