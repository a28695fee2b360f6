"""ExtractTimestamp: makes a field of the value the record's timestamp."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kconnect.config import HIGH, Config, key
from kconnect.errors import DataError
from kconnect.logical import epoch_millis
from kconnect.recipe import Recipe, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import TIMESTAMP_NAME, Type


class ExtractTimestampConfig(Config):
    field_name: str = key(
        importance=HIGH, doc="The field: an instant, or an int64 of milliseconds since 1970. It must not be null."
    )


class ExtractTimestampValue(RecipeTransform[ExtractTimestampConfig]):
    """The value stays as it is."""

    def configure(self, config: ExtractTimestampConfig) -> None:
        self._field = config.field_name

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part("value")
        require_fields(part, "extracting a timestamp")
        if part.schema is None:
            recipe.timestamp = recipe.local(f"{recipe.constant(self._millis)}({part.expression}.get({self._field!r}))")
            return
        column = recipe.columns("value", replace_null=False).get(self._field)
        if column is None:
            raise DataError(f"field.name={self._field}: the value has no such field")
        if column.schema.type is not Type.INT64 or column.schema.name not in (None, TIMESTAMP_NAME):
            raise DataError(f"field.name={self._field}: {column.schema!r} is no timestamp and no plain int64")
        value = recipe.or_default(column.expression, column.schema)
        recipe.timestamp = recipe.local(f"{recipe.constant(self._millis)}({value})")

    def _millis(self, value: Any) -> int:
        if isinstance(value, datetime):
            return epoch_millis(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        found = "null" if value is None else type(value).__name__
        raise DataError(f"field.name={self._field}: {found} is no timestamp, and no milliseconds")
