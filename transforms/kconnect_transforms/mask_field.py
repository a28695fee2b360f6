"""MaskField: puts an empty value, or one of your own, in the place of fields' values."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from kconnect.config import HIGH, LOW, MEDIUM, Config, NonEmptyString, ValidList, key
from kconnect.errors import DataError
from kconnect.recipe import Column, Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import FLOAT64_SCHEMA, INT64_SCHEMA, INTEGER_BITS, Schema, Type
from kconnect.values import convert
from kconnect_transforms.sides import OnKey, OnValue

_EMPTY: dict[type, Any] = {
    bool: False,
    int: 0,
    float: 0.0,
    str: "",
    Decimal: Decimal(0),
    date: date(1970, 1, 1),
    time: time(0),
    datetime: datetime(1970, 1, 1, tzinfo=UTC),
}


class MaskFieldConfig(Config):
    fields: Annotated[list[str], ValidList(allow_empty=False)] = key(importance=HIGH, doc="Fields to mask.")
    replacement: str | None = key(
        default=None,
        importance=LOW,
        validator=NonEmptyString(),
        doc="What numbers and texts are replaced by. Without it: 0, an empty text, an empty list, 1970 …",
    )
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether fields that are null get the default of their schema."
    )


class MaskField(RecipeTransform[MaskFieldConfig]):
    """Fields that are null stay null; a key or value that is null is an error."""

    side: Side

    def configure(self, config: MaskFieldConfig) -> None:
        self._fields = frozenset(config.fields)
        self._replacement = config.replacement
        self._replace_null = config.replace_null_with_default

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        require_fields(part, "masking fields")
        if part.schema is None:
            target = recipe.writable_map(self.side)
            for name in sorted(self._fields):
                value = f"{target}.get({name!r})"
                recipe.line(f"{target}[{name!r}] = {self._masked(recipe, name, None, value)}")
            return
        columns = recipe.columns(self.side, replace_null=self._replace_null)
        for name, column in columns.items():
            if name in self._fields:
                masked = recipe.local(self._masked(recipe, name, column.schema, column.expression))
                columns[name] = Column(masked, column.schema)
        recipe.set_struct(self.side, part.schema, columns)

    def _masked(self, recipe: Recipe, name: str, schema: Schema | None, value: str) -> str:
        mask = recipe.constant(self._mask)
        return f"{mask}({name!r}, {recipe.constant(schema)}, {value})"

    def _mask(self, name: str, schema: Schema | None, value: Any) -> Any:
        if value is None:
            return None
        if schema is not None and schema.type is Type.STRUCT:
            raise DataError(f"field {name!r} is a struct: only its fields can be masked")
        try:
            return _empty(value) if self._replacement is None else _replaced(schema, value, self._replacement)
        except DataError as error:
            raise DataError(f"field {name!r}: {error}") from None


class MaskFieldKey(OnKey, MaskField):
    """Masks fields of the key."""


class MaskFieldValue(OnValue, MaskField):
    """Masks fields of the value."""


def _empty(value: Any) -> Any:
    if isinstance(value, list):
        return []
    if isinstance(value, dict):
        return {}
    try:
        return _EMPTY[type(value)]
    except KeyError:
        raise DataError(f"{type(value).__name__} has no value that would mask it") from None


def _replaced(schema: Schema | None, value: Any, replacement: str) -> Any:
    if isinstance(value, str):
        return replacement
    if isinstance(value, Decimal):
        try:
            return Decimal(replacement)
        except InvalidOperation:
            raise DataError(f"{replacement!r} is not a number to mask a decimal by") from None
    if isinstance(value, int) and not isinstance(value, bool):
        fitting = schema if schema is not None and schema.type in INTEGER_BITS else INT64_SCHEMA
    elif isinstance(value, float):
        fitting = schema if schema is not None else FLOAT64_SCHEMA
    else:
        raise DataError(f"{type(value).__name__} can be masked only without a replacement")
    return convert(fitting, None, replacement)
