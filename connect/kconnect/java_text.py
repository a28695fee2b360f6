"""Values as text, letter by letter as Kafka writes them: in headers, in casts to string, by StringConverter."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from kconnect import float32
from kconnect.errors import DataError
from kconnect.java_double import double_to_string
from kconnect.logical import EPOCH
from kconnect.schema import Schema, Type

_FIRST_DAY_END: Final = datetime(1970, 1, 2, tzinfo=UTC)
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def instant_text(value: date | time | datetime) -> str:
    """ISO 8601, of the form that the value needs: a day, a time of the day, or both.

    As in Kafka a timestamp at midnight is a day, and anything before 1970-01-02 is a time of the day."""
    if isinstance(value, time):
        return f"{value.isoformat('milliseconds')[:12]}Z"
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    value = value.astimezone(UTC)
    if value < _FIRST_DAY_END:
        return f"{value.strftime('%H:%M:%S')}.{value.microsecond // 1000:03d}Z"
    day = f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
    if value.time() == time():
        return day
    return f"{day}T{value.strftime('%H:%M:%S')}.{value.microsecond // 1000:03d}Z"


def value_text(schema: Schema | None, value: Any) -> str:
    """The text that `values.parse_string` reads: JSON-like, bytes in Base64. Raises DataError for other classes."""
    return _text(schema, value, nested=False)


def _text(schema: Schema | None, value: Any, *, nested: bool) -> str:
    quote = '"' if nested else ""
    if isinstance(value, str):
        return f'"{_escaped(value)}"' if nested else value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{quote}{base64.b64encode(value).decode('ascii')}{quote}"
    if isinstance(value, list | tuple):
        element = schema.value_schema if schema is not None else None
        return f"[{','.join(_text(element, item, nested=True) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(_entries(schema, value))}}}"
    if isinstance(value, date | time):
        return instant_text(value)
    return _scalar_text(schema, value)


def _entries(schema: Schema | None, value: dict[Any, Any]) -> Iterable[str]:
    if schema is not None and schema.type is Type.STRUCT:
        for field in schema.fields:
            yield f'"{_escaped(field.name)}":{_text(field.schema, field.get(value), nested=True)}'
        return
    keys, values = (schema.key_schema, schema.value_schema) if schema is not None else (None, None)
    for key, item in value.items():
        yield f"{_text(keys, key, nested=True)}:{_text(values, item, nested=True)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _scalar_text(schema: Schema | None, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        single = schema is not None and schema.type is Type.FLOAT32
        return double_to_string(float32.shortest(value) if single else value)
    if isinstance(value, int | Decimal):
        return str(value)
    raise DataError(f"{type(value).__name__} {value!r} is no value that Connect knows, it has no text")


def java_text(schema: Schema | None, value: Any) -> str:
    """What Java's `toString` makes of the value: StringConverter's bytes. Raises DataError for bytes, which have
    no text there, and for other classes."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        element = schema.value_schema if schema is not None else None
        return f"[{', '.join(java_text(element, item) for item in value)}]"
    if isinstance(value, dict):
        return _java_dict_text(schema, value)
    if isinstance(value, date | time):
        return _java_date_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise DataError("bytes have no text; write them by ByteArrayConverter, or JsonConverter")
    return _scalar_text(schema, value)


def _java_dict_text(schema: Schema | None, value: dict[Any, Any]) -> str:
    if schema is not None and schema.type is Type.STRUCT:
        given = [(field, value[field.name]) for field in schema.fields if value.get(field.name) is not None]
        return f"Struct{{{','.join(f'{f.name}={java_text(f.schema, item)}' for f, item in given)}}}"
    keys, values = (schema.key_schema, schema.value_schema) if schema is not None else (None, None)
    return f"{{{', '.join(f'{java_text(keys, k)}={java_text(values, v)}' for k, v in value.items())}}}"


def _java_date_text(value: date | time | datetime) -> str:
    if isinstance(value, time):
        value = datetime.combine(EPOCH, value, UTC)
    elif not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    value = value.astimezone(UTC)
    return (
        f"{_WEEKDAYS[value.weekday()]} {_MONTHS[value.month - 1]} {value.day:02d} "
        f"{value.strftime('%H:%M:%S')} UTC {value.year}"
    )
