"""InsertField: adds fields from the record's attributes, or a constant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from kconnect.config import MEDIUM, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.recipe import Column, Kind, Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.record import SinkRecord
from kconnect.schema import INT32_SCHEMA, INT64_SCHEMA, STRING_SCHEMA, TIMESTAMP_SCHEMA, Schema, Type
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import add_column, schemas, struct_like

_SUFFIX = "Optional, or required with a trailing !."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InsertFieldConfig(Config):
    topic_field: str | None = key(default=None, importance=MEDIUM, doc=f"Field for the record's topic. {_SUFFIX}")
    partition_field: str | None = key(
        default=None, importance=MEDIUM, doc=f"Field for the record's partition. {_SUFFIX}"
    )
    offset_field: str | None = key(
        default=None,
        importance=MEDIUM,
        doc=f"Field for the record's offset, in sink connectors only. {_SUFFIX}",
    )
    timestamp_field: str | None = key(
        default=None, importance=MEDIUM, doc=f"Field for the record's timestamp. {_SUFFIX}"
    )
    static_field: str | None = key(
        default=None, importance=MEDIUM, doc=f"Field for the text in static.value. {_SUFFIX}"
    )
    static_value: str | None = key(default=None, importance=MEDIUM, doc="What static.field is to hold.")
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether fields that are null get the default of their schema."
    )

    def _check(self) -> None:
        if self.static_field is not None and self.static_value is None:
            raise ConfigError(
                "static.field needs a text to put there", key="static.value", suggestion="set static.value too"
            )
        if not any(
            (
                self.topic_field is not None,
                self.partition_field is not None,
                self.offset_field is not None,
                self.timestamp_field is not None,
                self.static_field is not None,
            )
        ):
            raise ConfigError(
                "InsertField is to insert nothing",
                suggestion="set one of topic.field, partition.field, offset.field, timestamp.field and static.field",
            )


class _Insertion(NamedTuple):
    field: str
    optional: bool

    @classmethod
    def parse(cls, text: str | None) -> _Insertion | None:
        if text is None:
            return None
        if text.endswith("!"):
            return cls(text[:-1], False)
        return cls(text.removesuffix("?"), True)

    def schema(self, required: Schema) -> Schema:
        return required.replace(optional=True) if self.optional else required


class InsertField(RecipeTransform[InsertFieldConfig]):
    """Null keys and values stay null."""

    side: Side

    def configure(self, config: InsertFieldConfig) -> None:
        self._topic = _Insertion.parse(config.topic_field)
        self._partition = _Insertion.parse(config.partition_field)
        self._offset = _Insertion.parse(config.offset_field)
        self._timestamp = _Insertion.parse(config.timestamp_field)
        self._static = _Insertion.parse(config.static_field)
        self._static_value = config.static_value
        self._replace_null = config.replace_null_with_default

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if part.kind is Kind.NULL:
            return
        require_fields(part, "inserting fields")
        if part.schema is None:
            target = recipe.writable_map(self.side)
            for name, column in self._columns(recipe, as_instant=False):
                known = column.schema.type is Type.STRING  # a partition or timestamp may be left open
                condition = "" if known else f"if {column.expression} is not None: "
                recipe.line(f"{condition}{target}[{name!r}] = {column.expression}")
            return
        columns = recipe.columns(self.side, replace_null=self._replace_null)
        for name, column in self._columns(recipe, as_instant=True):
            add_column(columns, name, column)
        recipe.set_struct(self.side, struct_like(part.schema, schemas(columns)), columns)

    def _columns(self, recipe: Recipe, *, as_instant: bool) -> list[tuple[str, Column]]:
        """What is inserted, in Kafka's order. Maps hold a timestamp as milliseconds, structs as an instant."""
        columns: list[tuple[str, Column]] = []

        def insert(insertion: _Insertion, expression: str, schema: Schema) -> None:
            columns.append((insertion.field, Column(expression, insertion.schema(schema))))

        if self._topic is not None:
            insert(self._topic, recipe.topic, STRING_SCHEMA)
        if self._partition is not None:
            insert(self._partition, recipe.partition, INT32_SCHEMA)
        if self._offset is not None:
            if not issubclass(recipe.record_class, SinkRecord):
                raise DataError("offset.field: only records that a sink reads have an offset")
            insert(self._offset, "record.offset", INT64_SCHEMA)
        if self._timestamp is not None:
            expression = recipe.timestamp
            if as_instant:
                expression = recipe.local(f"{recipe.constant(_instant)}({expression})")
            insert(self._timestamp, expression, TIMESTAMP_SCHEMA)
        if self._static is not None:
            insert(self._static, recipe.constant(self._static_value), STRING_SCHEMA)
        return columns


class InsertFieldKey(OnKey, InsertField):
    """Adds fields to the key."""


class InsertFieldValue(OnValue, InsertField):
    """Adds fields to the value."""


def _instant(millis: int | None) -> datetime | None:
    if millis is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=millis)
    except OverflowError:
        raise DataError(f"timestamp {millis} is beyond the years that Python's datetime holds") from None
