"""TimestampConverter: changes instants between texts, Unix time and Connect's Date, Time and Timestamp."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, Literal, TypeAlias

from kconnect.config import HIGH, LOW, MEDIUM, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.logical import date_of, epoch_days, epoch_millis, millis_of_day, time_of, timestamp_of
from kconnect.recipe import Column, DependsOnRecordError, Kind, Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import (
    DATE_NAME,
    DATE_SCHEMA,
    INT64_SCHEMA,
    STRING_SCHEMA,
    TIME_NAME,
    TIME_SCHEMA,
    TIMESTAMP_NAME,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
)
from kconnect_transforms.date_format import DateFormat
from kconnect_transforms.java_calendar import MILLIS_PER_DAY
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import struct_like

Form: TypeAlias = Literal["string", "unix", "Date", "Time", "Timestamp"]
Precision: TypeAlias = Literal["nanoseconds", "microseconds", "milliseconds", "seconds"]

_SCHEMAS: dict[Form, Schema] = {
    "string": STRING_SCHEMA,
    "unix": INT64_SCHEMA,
    "Date": DATE_SCHEMA,
    "Time": TIME_SCHEMA,
    "Timestamp": TIMESTAMP_SCHEMA,
}
_LOGICAL: dict[str, Form] = {DATE_NAME: "Date", TIME_NAME: "Time", TIMESTAMP_NAME: "Timestamp"}
_LARGEST = 2**63 - 1


class TimestampConverterConfig(Config):
    field: str = key(default="", importance=HIGH, doc="The field with the instant; empty for the whole key or value.")
    target_type: Form = key(importance=HIGH, doc="What the instant is to become.")
    format: str = key(
        default="", importance=MEDIUM, doc="How texts are written: a pattern of Java's SimpleDateFormat, in UTC."
    )
    unix_precision: Precision = key(
        default="milliseconds", importance=LOW, doc="The unit of Unix time, where that is read or written."
    )
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether fields that are null get the default of their schema."
    )

    def _check(self) -> None:
        if self.target_type == "string" and not self.format.strip():
            raise ConfigError("a text needs a format", key="format", suggestion="such as yyyy-MM-dd HH:mm:ss.SSS")


class TimestampConverter(RecipeTransform[TimestampConverterConfig]):
    """Null stays null."""

    side: Side

    def configure(self, config: TimestampConverterConfig) -> None:
        self._field = config.field
        self._target: Form = config.target_type
        self._precision: Precision = config.unix_precision
        self._replace_null = config.replace_null_with_default
        try:
            self._format = DateFormat(config.format) if config.format.strip() else None
        except ConfigError as error:
            raise ConfigError(error.reason, key="format", value=config.format, suggestion=error.suggestion) from error

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if part.kind is Kind.UNKNOWN:
            raise DependsOnRecordError
        if not self._field:
            self._amend_whole(recipe, part.schema, part.expression)
        elif part.kind is Kind.NULL:
            if part.schema is not None:
                recipe.set_schema(self.side, self._struct(part.schema))
        elif part.schema is None:
            require_fields(part, "converting a timestamp")
            target = recipe.writable_map(self.side)
            value = f"{target}.get({self._field!r})"
            recipe.line(f"{target}[{self._field!r}] = {self._converted(recipe, None, value)}")
        else:
            require_fields(part, "converting a timestamp")
            columns = recipe.columns(self.side, replace_null=self._replace_null)
            column = columns.get(self._field)
            if column is not None:
                converted = recipe.local(self._converted(recipe, column.schema, column.expression))
                columns[self._field] = Column(converted, self._schema(column.schema))
            recipe.set_struct(self.side, self._struct(part.schema), columns)

    def _amend_whole(self, recipe: Recipe, schema: Schema | None, value: str) -> None:
        converted = recipe.local(self._converted(recipe, schema, value))
        recipe.set_value(self.side, None if schema is None else self._schema(schema), converted)

    def _schema(self, source: Schema) -> Schema:
        return _SCHEMAS[self._target].replace(optional=source.optional)

    def _struct(self, source: Schema) -> Schema:
        fields = {
            field.name: self._schema(field.schema) if field.name == self._field else field.schema
            for field in source.fields
        }
        struct = struct_like(source, fields).replace(optional=source.optional)
        if source.default is None:
            return struct
        default = dict(source.default)
        converted = source.field(self._field)
        if converted is not None:
            default[self._field] = self._conversion(converted.schema)(default.get(self._field))
        return struct.replace(default=default)

    def _converted(self, recipe: Recipe, schema: Schema | None, value: str) -> str:
        return f"{recipe.constant(self._conversion(schema))}({value})"

    def _conversion(self, schema: Schema | None) -> Callable[[Any], Any]:
        """How values of `schema` become the target. Raises DataError for one that holds no instants."""
        source = None if schema is None else _form_of(schema)
        write = self._write if schema is not None else self._write_schemaless

        def convert(value: Any) -> Any:
            if value is None:
                return None
            try:
                return write(self._read(source or _form_of_value(value), value))
            except DataError as error:
                raise DataError(f"{self._field or f'the {self.side}'}: {error}") from None

        return convert

    def _read(self, form: Form, value: Any) -> int:
        """The instant in milliseconds since the epoch."""
        if form == "string":
            if self._format is None:
                raise DataError("a text cannot be read without the setting `format`")
            if not isinstance(value, str):
                raise DataError(f"{type(value).__name__} is not a text")
            return self._format.parse(value)
        if form == "unix":
            if not isinstance(value, int) or isinstance(value, bool):
                raise DataError(f"{type(value).__name__} is not a whole number")
            return _to_millis(value, self._precision)
        if isinstance(value, datetime):
            return epoch_millis(value)
        if isinstance(value, date):
            return epoch_days(value) * MILLIS_PER_DAY
        if isinstance(value, time):
            return millis_of_day(value)
        raise DataError(f"{type(value).__name__} is not an instant")

    def _write(self, millis: int) -> Any:
        match self._target:
            case "string":
                assert self._format is not None
                return self._format.format(millis)
            case "unix":
                return _from_millis(millis, self._precision)
            case "Date":
                return date_of(millis // MILLIS_PER_DAY)
            case "Time":
                return time_of(millis % MILLIS_PER_DAY)
        return timestamp_of(millis)

    def _write_schemaless(self, millis: int) -> Any:
        """Without a schema a day is its midnight, and a time of day an instant in the first day of the epoch."""
        match self._target:
            case "Date":
                return timestamp_of(millis - millis % MILLIS_PER_DAY)
            case "Time":
                return timestamp_of(millis % MILLIS_PER_DAY)
        return self._write(millis)


class TimestampConverterKey(OnKey, TimestampConverter):
    """Converts the key or one of its fields."""


class TimestampConverterValue(OnValue, TimestampConverter):
    """Converts the value or one of its fields."""


def _form_of(schema: Schema) -> Form:
    logical = _LOGICAL.get(schema.name or "")
    if logical is not None:
        return logical
    if schema.type is Type.STRING:
        return "string"
    if schema.type is Type.INT64:
        return "unix"
    raise DataError(f"{schema!r} is no schema of instants: needed is a string, an int64, a Date, Time or Timestamp")


def _form_of_value(value: Any) -> Form:
    if isinstance(value, date | time):
        return "Timestamp"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int) and not isinstance(value, bool):
        return "unix"
    raise DataError(f"{type(value).__name__} is no instant")


def _to_millis(value: int, precision: Precision) -> int:
    match precision:
        case "seconds":
            return _saturated(value * 1000)
        case "microseconds":
            return _quotient(value, 1000)
        case "nanoseconds":
            return _quotient(value, 1_000_000)
    return value


def _from_millis(millis: int, precision: Precision) -> int:
    match precision:
        case "seconds":
            return _quotient(millis, 1000)
        case "microseconds":
            return _saturated(millis * 1000)
        case "nanoseconds":
            return _saturated(millis * 1_000_000)
    return millis


def _quotient(value: int, divisor: int) -> int:
    """Cut off toward zero, as Java divides."""
    return -(-value // divisor) if value < 0 else value // divisor


def _saturated(value: int) -> int:
    return max(-_LARGEST - 1, min(value, _LARGEST))
