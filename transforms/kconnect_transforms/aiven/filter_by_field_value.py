"""FilterByFieldValue: keeps or drops records by what is in a field."""

from __future__ import annotations

from typing import Any

from kconnect.config import HIGH, MEDIUM, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect.java_text import value_text
from kconnect.recipe import Side
from kconnect.schema import Type
from kconnect.transform import R, Transform
from kconnect.validators import Nullable
from kconnect.values import parse_string
from kconnect_transforms.sides import OnKey, OnValue


class FilterByFieldValueConfig(Config):
    field_name: str | None = key(
        default=None, importance=HIGH, doc="The field to look at; without it the whole key or value."
    )
    field_value: str | None = key(
        default=None, importance=HIGH, doc="What it must be: a text, or a number, true or false as it is read."
    )
    field_value_pattern: str | None = key(
        default=None,
        importance=HIGH,
        validator=Nullable(valid_regex),
        doc="What must be found in its text, as in Java; instead of field.value.",
    )
    field_value_matches: bool = key(
        default=True, importance=MEDIUM, doc="true keeps the records that match, false keeps the others."
    )

    def _check(self) -> None:
        if (self.field_value is None) == (not self.field_value_pattern):
            raise ConfigError(
                "says not what to look for", key="field.value", suggestion="set it or field.value.pattern, not both"
            )


class FilterByFieldValue(Transform[FilterByFieldValueConfig]):
    """A null key or value goes through; a field that is null or missing matches nothing."""

    side: Side

    def configure(self, config: FilterByFieldValueConfig) -> None:
        self._field = config.field_name or None
        self._expected = None if config.field_value is None else parse_string(config.field_value).value
        self._pattern = JavaPattern(config.field_value_pattern) if config.field_value_pattern else None
        self._keeps_matching = config.field_value_matches

    def apply(self, record: R) -> R | None:
        value = record.key if self.side == "key" else record.value
        if value is None:
            return record
        schema = record.key_schema if self.side == "key" else record.value_schema
        if self._field is not None:
            if not isinstance(value, dict):
                raise DataError(
                    f"field.name={self._field}: the {self.side} is {type(value).__name__}, and has no fields"
                )
            if schema is not None and schema.type is Type.STRUCT:
                field = schema.field(self._field)
                if field is None:
                    raise DataError(f"field.name={self._field}: the {self.side} has no such field")
                schema, value = field.schema, field.get(value)
            else:
                schema, value = None, value.get(self._field)
        return record if self._matches(schema, value) is self._keeps_matching else None

    def _matches(self, schema: Any, value: Any) -> bool:
        if value is None:
            return False
        if self._pattern is not None:
            return self._pattern.search_groups(value_text(schema, value)) is not None
        return isinstance(value, bool) is isinstance(self._expected, bool) and bool(value == self._expected)


class FilterByFieldValueKey(OnKey, FilterByFieldValue):
    """Looks into the key."""


class FilterByFieldValueValue(OnValue, FilterByFieldValue):
    """Looks into the value."""
