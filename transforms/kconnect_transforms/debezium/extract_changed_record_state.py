"""ExtractChangedRecordState: says in headers which fields of a row an update changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from kconnect.config import LOW, Config, key
from kconnect.record import Header
from kconnect.schema import OPTIONAL_STRING_SCHEMA, Schema, Type
from kconnect.transform import R, Transform
from kconnect_transforms.debezium.envelope import is_envelope, required_field


class ExtractChangedRecordStateConfig(Config):
    header_changed_name: str | None = key(
        default=None, importance=LOW, doc="The header that lists the fields which are not as before; none if blank."
    )
    header_unchanged_name: str | None = key(
        default=None, importance=LOW, doc="The header that lists the fields which are as before; none if blank."
    )


class ExtractChangedRecordState(Transform[ExtractChangedRecordStateConfig]):
    """Of inserts and deletes both lists are empty. What is no change event passes as it is."""

    def configure(self, config: ExtractChangedRecordStateConfig) -> None:
        self._changed = _list_schema(config.header_changed_name)
        self._unchanged = _list_schema(config.header_unchanged_name)

    def apply(self, record: R) -> R | None:
        if record.value is None or not is_envelope(record):
            return record
        schema = record.value_schema
        assert schema is not None
        rows = required_field(schema, "after", "what changed").schema
        required_field(schema, "before", "what changed")
        after, before = record.value.get("after"), record.value.get("before")
        changed: list[str] = []
        unchanged: list[str] = []
        if after is not None and before is not None:
            for field in rows.fields:
                same = _same(after.get(field.name), before.get(field.name))
                (unchanged if same else changed).append(field.name)
        listed = ((self._changed, changed), (self._unchanged, unchanged))
        headers = tuple(Header(schema.name or "", schema, names) for schema, names in listed if schema is not None)
        return msgspec.structs.replace(record, headers=record.headers + headers) if headers else record


def _list_schema(header: str | None) -> Schema | None:
    """The schema of a header, which has its name; None for no header."""
    if header is None or not header.strip():
        return None
    return Schema(Type.ARRAY, optional=True, name=header, value_schema=OPTIONAL_STRING_SCHEMA)


def _same(a: Any, b: Any) -> bool:
    """Decimals by their digits, floats by their bits: NaN is as before."""
    if isinstance(a, Decimal) and isinstance(b, Decimal):
        return a.as_tuple() == b.as_tuple()
    if isinstance(a, float) and isinstance(b, float):
        return repr(a) == repr(b)
    return bool(a == b)
