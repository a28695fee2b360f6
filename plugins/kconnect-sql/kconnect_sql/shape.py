"""What records of one pair of schemas become in a table: its columns, which of them are the key, and the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

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
class Shape:
    """`row` gives a record's values in the order of `columns`, `key` those of the key columns (which come first)."""

    columns: tuple[TargetColumn, ...]
    row: Callable[[SinkRecord], Row]
    key: Callable[[SinkRecord], Row]

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
    keys, key = _key(config, record)
    taken = {column.name for column in keys}
    fields = () if record.value is None else _value_fields(config, record, taken)
    read = _reader([column.name for column in fields])

    def row(each: SinkRecord) -> Row:
        return key(each) + read(each.value)

    return Shape(keys + fields, row, key)


def _key(config: SqlSinkConfig, record: SinkRecord) -> tuple[tuple[TargetColumn, ...], Callable[[SinkRecord], Row]]:
    match config.pk_mode:
        case "none":
            return (), lambda _: ()
        case "kafka":
            names = config.pk_fields or [name for name, _ in KAFKA_COLUMNS]
            if len(names) != len(KAFKA_COLUMNS):
                raise DataError(f"pk.fields={','.join(names)}: pk.mode=kafka needs three names or none")
            columns = tuple(TargetColumn(n, s, True) for n, (_, s) in zip(names, KAFKA_COLUMNS, strict=True))
            return columns, lambda r: (r.original_topic, r.original_partition, r.original_offset)
        case "record_key":
            return _record_key(config, record)
    schema = _struct("value", record, record.value_schema, "pk.mode=record_value")
    names = config.pk_fields or [field.name for field in schema.fields]
    columns = _columns(schema, names, record, key=True)
    read = _reader(names)
    return columns, lambda r: read(r.value)


def _record_key(
    config: SqlSinkConfig, record: SinkRecord
) -> tuple[tuple[TargetColumn, ...], Callable[[SinkRecord], Row]]:
    schema = record.key_schema
    if schema is None or record.key is None:
        raise DataError(f"{where(record)} has no key with a schema, which pk.mode=record_key needs")
    if schema.type.is_primitive:
        if len(config.pk_fields) != 1:
            raise DataError(f"{where(record)} has a plain key: pk.fields must give its column one name")
        return (TargetColumn(config.pk_fields[0], schema, True),), lambda r: (r.key,)
    schema = _struct("key", record, schema, "pk.mode=record_key")
    names = config.pk_fields or [field.name for field in schema.fields]
    read = _reader(names)
    return _columns(schema, names, record, key=True), lambda r: read(r.key)


def _value_fields(config: SqlSinkConfig, record: SinkRecord, taken: set[str]) -> tuple[TargetColumn, ...]:
    schema = _struct("value", record, record.value_schema, "a row")
    wanted = set(config.fields_whitelist)
    names = [field.name for field in schema.fields if field.name not in taken and (not wanted or field.name in wanted)]
    return _columns(schema, names, record, key=False)


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
