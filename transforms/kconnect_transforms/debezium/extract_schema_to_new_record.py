"""ExtractSchemaToNewRecord: says in change events what the columns of their tables are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from kconnect.config import LOW, Config, key
from kconnect.errors import DataError
from kconnect.schema import OPTIONAL_INT32_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA, Field, Schema, Type
from kconnect.transform import R, Transform
from kconnect_transforms.debezium.envelope import is_envelope, required_field
from kconnect_transforms.debezium.name_adjustment import SCHEMA_NAMES

_ADDED: Final = "sourceSchema"
_PARAMETER: Final = "__debezium.source.column."
_MAX_TABLES: Final = 10_000


class ExtractSchemaToNewRecordConfig(Config):
    schema_name_adjustment_mode: Literal["none", "avro", "avro_unicode"] = key(
        default="none", importance=LOW, doc="How the names of the added schemas are made fit for Avro."
    )


class _Table(NamedTuple):
    """The new schema of a table's events, and what is said of its columns."""

    schema: Schema
    columns: list[dict[str, Any]]


class ExtractSchemaToNewRecord(Transform[ExtractSchemaToNewRecordConfig]):
    """The columns are told by the parameters that a source puts into schemas when it is set to
    (column.propagate.source.type). Truncations and what is no change event pass as they are."""

    def configure(self, config: ExtractSchemaToNewRecordConfig) -> None:
        adjust = SCHEMA_NAMES[config.schema_name_adjustment_mode]
        prefix = "io.debezium.connector."
        column = _struct(
            adjust(prefix + "source.schema.Column"),
            name=STRING_SCHEMA,
            typeName=STRING_SCHEMA,
            length=OPTIONAL_INT32_SCHEMA,
            scale=OPTIONAL_INT32_SCHEMA,
            comment=OPTIONAL_STRING_SCHEMA,
        )
        table = _struct(adjust(prefix + "source.schema.Table"), columns=Schema(Type.ARRAY, value_schema=column))
        self._added = _struct(adjust(prefix + "source.Schema"), id=STRING_SCHEMA, table=table)
        self._tables: dict[Schema, _Table] = {}

    def apply(self, record: R) -> R | None:
        event = record.value
        if event is None or not is_envelope(record):
            return record
        if event.get("after") is None and event.get("before") is None:
            return record
        assert record.value_schema is not None
        table = self._table(record.value_schema)
        name = (event.get("source") or {}).get("table")
        if name is None:
            raise DataError("the source of the event does not say its table")
        added = {"id": name, "table": {"columns": table.columns}}
        return msgspec.structs.replace(
            record, value_schema=table.schema, value=_defaulted(record.value_schema, event, added)
        )

    def _table(self, envelope: Schema) -> _Table:
        table = self._tables.get(envelope)
        if table is None:
            if len(self._tables) >= _MAX_TABLES:
                self._tables.clear()
            row = required_field(envelope, "after", "the columns of a table").schema
            fields = {field.name: field.schema for field in envelope.fields}
            schema = envelope.replace(fields={**fields, _ADDED: self._added})
            table = self._tables[envelope] = _Table(schema, [_column(field) for field in row.fields])
        return table


def _struct(schema_name: str, /, **fields: Schema) -> Schema:
    return Schema(Type.STRUCT, name=schema_name, version=1, fields=fields)


def _column(field: Field) -> dict[str, Any]:
    told = field.schema.parameters or {}
    name, type_name = told.get(_PARAMETER + "name"), told.get(_PARAMETER + "type")
    if name is None or type_name is None:
        raise DataError(
            f"the schema of field {field.name!r} does not say its column: set column.propagate.source.type or "
            "datatype.propagate.source.type of the source to .*"
        )
    return {
        "name": name,
        "typeName": type_name,
        "length": _number(field, "length"),
        "scale": _number(field, "scale"),
        "comment": told.get(_PARAMETER + "comment"),
    }


def _number(field: Field, what: str) -> int | None:
    text = (field.schema.parameters or {}).get(_PARAMETER + what)
    try:
        return None if text is None else int(text)
    except ValueError:
        raise DataError(f"field {field.name!r}: the {what} of its column is {text!r}, and no number") from None


def _defaulted(schema: Schema, event: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """The event with its nulls as defaults, and what is added."""
    return {**{field.name: field.get(event) for field in schema.fields}, _ADDED: added}
