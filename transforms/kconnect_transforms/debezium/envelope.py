"""The envelope of a change event: a struct of `before`, `after`, `source`, `op` and times."""

from __future__ import annotations

from typing import Final

from kconnect.errors import DataError
from kconnect.record import SinkRecord, SourceRecord
from kconnect.schema import Field, Schema, Type

UPDATE: Final = "u"
DELETE: Final = "d"

_ENVELOPE_SUFFIX: Final = ".Envelope"


def is_envelope(record: SourceRecord | SinkRecord) -> bool:
    """Whether the value is a change event; heartbeats, schema changes and what has no schema are none."""
    schema = record.value_schema
    return schema is not None and schema.name is not None and schema.name.endswith(_ENVELOPE_SUFFIX)


def required_field(schema: Schema, name: str, purpose: str) -> Field:
    """Raises DataError where the struct has no such field."""
    field = schema.field(name)
    if field is None:
        names = ", ".join(each.name for each in schema.fields) or "no fields"
        raise DataError(f"{purpose}: {schema.name or 'the struct'} has no field {name!r}, it has {names}")
    return field


def require_type(field: Field, type_: Type, purpose: str) -> None:
    """Raises DataError unless the field is of `type_`."""
    if field.schema.type is not type_:
        raise DataError(f"{purpose}: field {field.name!r} is {field.schema.type.value}, not {type_.value}")
