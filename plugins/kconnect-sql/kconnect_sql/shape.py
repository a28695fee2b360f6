"""What records of one pair of schemas become in a table: its columns, which of them are the key, and the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from kconnect.columnar import ColumnarRecords
from kconnect.errors import DataError
from kconnect.record import SinkRecord
from kconnect.schema import INT32_SCHEMA, INT64_SCHEMA, STRING_SCHEMA, Schema, Type
from kconnect_sql.config import SqlSinkConfig
from kconnect_sql.table import Row

KAFKA_COLUMNS = (
    ("__connect_topic", STRING_SCHEMA),
    ("__connect_partition", INT32_SCHEMA),
    ("__connect_offset", INT64_SCHEMA),
)


@dataclass(frozen=True, slots=True)
class TargetColumn:
    name: str
    schema: Schema
    key: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Columns that have their values of one part of a record: `read` gives them of one record, `take` those of many,
    a sequence per column."""

    columns: tuple[TargetColumn, ...]
    read: Callable[[SinkRecord], Row]
    take: Callable[[ColumnarRecords], list[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of the primary key, and those that come behind them."""

    key: Part
    rest: Part

    @property
    def columns(self) -> tuple[TargetColumn, ...]:
        return self.key.columns + self.rest.columns

    def rows(self, records: Sequence[SinkRecord]) -> list[Row]:
        """The values of each record in the order of `columns`."""
        if isinstance(records, ColumnarRecords) and self.columns:
            return list(zip(*self.key.take(records), *self.rest.take(records), strict=True))
        key, rest = self.key.read, self.rest.read
        return [key(record) + rest(record) for record in records]

    def key_rows(self, records: Sequence[SinkRecord]) -> list[Row]:
        """Of each record the values of the key alone."""
        if isinstance(records, ColumnarRecords) and self.key.columns:
            return list(zip(*self.key.take(records), strict=True))
        return [self.key.read(record) for record in records]

    @property
    def keys(self) -> list[str]:
        return [column.name for column in self.columns if column.key]

    @property
    def others(self) -> list[str]:
        return [column.name for column in self.columns if not column.key]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


def shape_of(config: SqlSinkConfig, record: SinkRecord) -> Shape:
    """The shape of `record` and of all with its schemas. Raises DataError that says which key of the config, or which
    field of the record, is in the way."""
    key = _key(config, record)
    taken = {column.name for column in key.columns}
    return Shape(key, _NOTHING if record.value is None else _value_fields(config, record, taken))


_NOTHING = Part((), lambda _: (), lambda _: [])


def _key(config: SqlSinkConfig, record: SinkRecord) -> Part:
    match config.pk_mode:
        case "none":
            return _NOTHING
        case "kafka":
            return _place(config)
        case "record_key":
            return _record_key(config, record)
    schema = _struct("value", record, record.value_schema, "pk.mode=record_value")
    return _of_value(schema, config.pk_fields or [field.name for field in schema.fields], record, key=True)


def _place(config: SqlSinkConfig) -> Part:
    names = config.pk_fields or [name for name, _ in KAFKA_COLUMNS]
    if len(names) != len(KAFKA_COLUMNS):
        raise DataError(f"pk.fields={','.join(names)}: pk.mode=kafka needs three names or none")
    return Part(
        tuple(TargetColumn(name, schema, True) for name, (_, schema) in zip(names, KAFKA_COLUMNS, strict=True)),
        lambda record: (record.original_topic, record.original_partition, record.original_offset),
        lambda records: [[records.topic] * len(records), records.partitions, records.offsets],
    )


def _record_key(config: SqlSinkConfig, record: SinkRecord) -> Part:
    schema = record.key_schema
    if schema is None or record.key is None:
        raise DataError(f"{where(record)} has no key with a schema, which pk.mode=record_key needs")
    if schema.type.is_primitive:
        if len(config.pk_fields) != 1:
            raise DataError(f"{where(record)} has a plain key: pk.fields must give its column one name")
        column = TargetColumn(config.pk_fields[0], schema, True)
        return Part((column,), lambda record: (record.key,), lambda records: [records.keys or ()])
    schema = _struct("key", record, schema, "pk.mode=record_key")
    names = config.pk_fields or [field.name for field in schema.fields]
    read = _reader(names)
    return Part(
        _columns(schema, names, record, key=True),
        lambda record: read(record.key),
        lambda records: [[key.get(name) for key in records.keys or ()] for name in names],
    )


def _value_fields(config: SqlSinkConfig, record: SinkRecord, taken: set[str]) -> Part:
    schema = _struct("value", record, record.value_schema, "a row")
    wanted = set(config.fields_whitelist)
    names = [field.name for field in schema.fields if field.name not in taken and (not wanted or field.name in wanted)]
    return _of_value(schema, names, record, key=False)


def _of_value(schema: Schema, names: Sequence[str], record: SinkRecord, *, key: bool) -> Part:
    columns = _columns(schema, names, record, key=key)
    read = _reader(names)
    indexes = [field.index for field in map(schema.field, names) if field is not None]
    return Part(columns, lambda record: read(record.value), lambda records: [records.columns[i] for i in indexes])


def _struct(part: str, record: SinkRecord, schema: Schema | None, purpose: str) -> Schema:
    if schema is None or schema.type is not Type.STRUCT:
        found = "no schema" if schema is None else f"the schema {schema.type.value}"
        raise DataError(
            f"{where(record)}: its {part} has {found}, but {purpose} needs a struct; is the converter told to keep "
            f"schemas ({part}.converter.schemas.enable=true)?"
        )
    return schema


def _columns(schema: Schema, names: Sequence[str], record: SinkRecord, *, key: bool) -> tuple[TargetColumn, ...]:
    columns = []
    for name in names:
        field = schema.field(name)
        if field is None:
            there = ", ".join(field.name for field in schema.fields)
            raise DataError(f"{where(record)} has no field {name}, which pk.fields names; it has {there}")
        columns.append(TargetColumn(name, field.schema, key))
    return tuple(columns)


def _reader(names: Sequence[str]) -> Callable[[Any], Row]:
    """The values of these fields of a struct; an absent one is null."""
    if not names:
        return lambda _: ()
    take = itemgetter(*names)
    single = len(names) == 1

    def read(struct: Any) -> Row:
        try:
            return (take(struct),) if single else take(struct)
        except KeyError:
            return tuple([struct.get(name) for name in names])

    return read


def where(record: SinkRecord) -> str:
    """Which record, for a message."""
    return f"{record.original_topic}-{record.original_partition}@{record.original_offset}"
