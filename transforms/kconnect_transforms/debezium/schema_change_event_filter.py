"""SchemaChangeEventFilter: drops events about changed tables by what was done to them."""

from __future__ import annotations

from typing import Annotated, Final

from kconnect.config import LOW, Config, ValidList, key
from kconnect.errors import DataError
from kconnect.transform import R, Transform

_CHANGES: Final = ("CREATE", "ALTER", "DROP", "TRUNCATE", "DATABASE")
_SCHEMA_CHANGE_SUFFIX: Final = ".SchemaChangeValue"


class SchemaChangeEventFilterConfig(Config):
    schema_change_event_exclude_list: Annotated[list[str], ValidList(*_CHANGES, allow_empty=False)] = key(
        importance=LOW,
        doc=f"The changes whose events are dropped: {', '.join(_CHANGES)}; the last is what changed no table.",
    )


class SchemaChangeEventFilter(Transform[SchemaChangeEventFilterConfig]):
    """Events that are not about tables pass as they are."""

    def configure(self, config: SchemaChangeEventFilterConfig) -> None:
        self._excluded = frozenset(config.schema_change_event_exclude_list)

    def apply(self, record: R) -> R | None:
        schema = record.value_schema
        if record.value is None or schema is None or not (schema.name or "").endswith(_SCHEMA_CHANGE_SUFFIX):
            return record
        changes = record.value.get("tableChanges")
        if changes is None:
            return None
        change = changes[0].get("type") if changes else "DATABASE"
        if change not in _CHANGES:
            raise DataError(f"an event about a changed table says {change!r}, which is none of {', '.join(_CHANGES)}")
        return None if change in self._excluded else record
