"""Values as the text that Kafka's FileStreamSink writes, which is Java's `toString` of them."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from kconnect.record import SinkRecord
from kconnect.schema import Schema, Type


def java_text(record: SinkRecord) -> str:
    """The line for a record."""
    return _text(record.value_schema, record.value)


def _text(schema: Schema | None, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        if schema is not None and schema.type is Type.STRUCT:
            present = [(f.name, f.schema, value.get(f.name)) for f in schema.fields or ()]
            return "Struct{" + ",".join(f"{n}={_text(s, v)}" for n, s, v in present if v is not None) + "}"
        keys = schema.key_schema if schema is not None else None
        values = schema.value_schema if schema is not None else None
        return "{" + ", ".join(f"{_text(keys, k)}={_text(values, v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        items = schema.value_schema if schema is not None else None
        return "[" + ", ".join(_text(items, item) for item in value) + "]"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
    return str(value)
