"""ExtractNewRecordState: of a change event, the row as it is after the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from kconnect.config import HIGH, LOW, MEDIUM, Config, key
from kconnect.errors import DataError
from kconnect.record import Header, SinkRecord, SourceRecord
from kconnect.schema import OPTIONAL_STRING_SCHEMA, STRING_SCHEMA, Schema, Type
from kconnect.transform import R, Transform
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.debezium.envelope import DELETE, is_envelope, require_type, required_field
from kconnect_transforms.debezium.field_reference import FieldReference, parse_references
from kconnect_transforms.structs import struct_like

DROP: Final = "drop"
TOMBSTONE: Final = "tombstone"
REWRITE: Final = "rewrite"
REWRITE_WITH_TOMBSTONE: Final = "rewrite-with-tombstone"
DELETE_TO_TOMBSTONE: Final = "delete-to-tombstone"
_MODES: Final = (DROP, TOMBSTONE, REWRITE, REWRITE_WITH_TOMBSTONE, DELETE_TO_TOMBSTONE)
_DELETED: Final = "__deleted"
_MAX_LAYOUTS: Final = 1000


class ExtractNewRecordStateConfig(Config):
    delete_tombstone_handling_mode: Annotated[str, CaseInsensitiveValidString(*_MODES)] = key(
        name="delete.tombstone.handling.mode",
        default=TOMBSTONE,
        importance=HIGH,
        doc="What becomes of deletes and of the tombstones that follow them. tombstone: a delete becomes a null value "
        "with the row's schema; delete-to-tombstone: a null value without a schema; drop: nothing is left; rewrite: a "
        f"delete becomes the row before it, and every row says in {_DELETED} whether it is one; "
        "rewrite-with-tombstone: the same, and the tombstone goes on too. All but the last drop tombstones.",
    )
    route_by_field: str | None = key(
        default=None, importance=LOW, doc="The field of the row whose text becomes the topic, unless it is blank."
    )
    add_fields: list[str] = key(
        default=[],
        importance=LOW,
        doc="Fields of the event to add to the row: op, table, source.ts_ms, transaction.id …, each with a :name if "
        "it is to have another. A field without its struct is looked for in source (id and the orders in "
        "transaction). Those that an event has not are left out.",
    )
    add_fields_prefix: str = key(default="__", importance=LOW, doc="What the names of added fields begin with.")
    add_headers: list[str] = key(
        default=[], importance=LOW, doc="Fields of the event to add as headers, written as those of add.fields."
    )
    add_headers_prefix: str = key(default="__", importance=LOW, doc="What the keys of added headers begin with.")
    drop_fields_header_name: str | None = key(
        default=None, importance=LOW, doc="The header that lists the fields which a row is to lose."
    )
    drop_fields_from_key: bool = key(default=False, importance=LOW, doc="Whether the key loses these fields too.")
    drop_fields_keep_schema_compatible: bool = key(
        default=True, importance=LOW, doc="Whether only optional fields are lost, so that older readers go on."
    )
    replace_null_with_default: bool = key(
        default=True,
        importance=MEDIUM,
        doc="Whether, when rows are rewritten, fields that are null get the default of their schema.",
    )


class _Layout(NamedTuple):
    """What rows of one schema become: the new schema, what is added to a row, what it loses, and the defaults that
    its nulls give way to."""

    schema: Schema
    added: tuple[FieldReference, ...]
    dropped: tuple[str, ...]
    defaults: tuple[tuple[str, Any], ...]


class ExtractNewRecordState(Transform[ExtractNewRecordStateConfig]):
    """What is no change event passes as it is; truncations are dropped."""

    def configure(self, config: ExtractNewRecordStateConfig) -> None:
        self._mode = config.delete_tombstone_handling_mode.lower()
        self._rewrites = self._mode in (REWRITE, REWRITE_WITH_TOMBSTONE)
        self._route_field = config.route_by_field or None
        self._fields = parse_references(config.add_fields, config.add_fields_prefix, "add.fields")
        self._headers = parse_references(config.add_headers, config.add_headers_prefix, "add.headers")
        self._drop_header = (config.drop_fields_header_name or "").strip() or None
        self._drop_from_key = config.drop_fields_from_key
        self._keep_compatible = config.drop_fields_keep_schema_compatible
        self._replace_null = config.replace_null_with_default
        self._layouts: dict[tuple[Schema, Schema, frozenset[str]], _Layout] = {}

    def apply(self, record: R) -> R | None:
        if record.value is None:
            return self._tombstone(record)
        if not is_envelope(record):
            return record
        envelope, event = record.value_schema, record.value
        assert envelope is not None
        side = "before" if _row_of(envelope, event, "after") is None else "after"
        row = _row_of(envelope, event, side)
        headers = record.headers + self._new_headers(envelope, event)
        if row is None:
            return None  # a truncation
        row_schema = required_field(envelope, side, "the row").schema
        dropped = self._to_drop(record)
        result = msgspec.structs.replace(record, topic=self._topic(row_schema, row) or record.topic, headers=headers)
        self._drop_of_key(result, dropped)
        deleted = side == "before"
        if not deleted or self._rewrites:
            layout = self._layout(envelope, row_schema, dropped)
            result.value_schema = layout.schema
            result.value = self._rewritten(layout, row, envelope, event, deleted)
            return result
        if self._mode == DROP:
            return None
        result.value = None
        after = required_field(envelope, "after", "a delete").schema
        result.value_schema = None if self._mode == DELETE_TO_TOMBSTONE else after
        return result

    def _tombstone(self, record: R) -> R | None:
        if self._mode != REWRITE_WITH_TOMBSTONE:
            return None
        operations = [reference.new_name for reference in self._headers if reference.field == "op"]
        headers = tuple(Header(name, STRING_SCHEMA, DELETE) for name in operations)
        return msgspec.structs.replace(record, headers=record.headers + headers)

    def _new_headers(self, envelope: Schema, event: Mapping[str, Any]) -> tuple[Header, ...]:
        headers: list[Header] = []
        for reference in self._headers:
            schema = reference.schema(envelope)
            if schema is not None:
                headers.append(Header(reference.new_name, schema, reference.value(envelope, event)))
        return tuple(headers)

    def _topic(self, row_schema: Schema, row: Mapping[str, Any]) -> str | None:
        """Where the row says that it belongs; None where it does not say."""
        if self._route_field is None:
            return None
        field = required_field(row_schema, self._route_field, "route.by.field")
        require_type(field, Type.STRING, "route.by.field")
        topic: str | None = field.get(row)
        return topic if topic is not None and topic.strip() else None

    def _to_drop(self, record: SourceRecord | SinkRecord) -> frozenset[str]:
        """The fields that the header of `drop.fields.header.name` lists."""
        for header in record.headers if self._drop_header is not None else ():
            if header.key == self._drop_header:
                names = [] if header.value is None else header.value
                if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                    raise DataError(f"header {header.key!r} should list fields to drop, and is {names!r:.60}")
                return frozenset(names)
        return frozenset()

    def _droppable(self, schema: Schema, names: frozenset[str]) -> tuple[str, ...]:
        """Those of `names` that a struct of `schema` loses."""
        keep = self._keep_compatible
        return tuple(each.name for each in schema.fields if each.name in names and (each.schema.optional or not keep))

    def _drop_of_key(self, record: SourceRecord | SinkRecord, names: frozenset[str]) -> None:
        schema = record.key_schema
        if not (self._drop_from_key and names and schema is not None and isinstance(record.key, dict)):
            return
        dropped = self._droppable(schema, names)
        if dropped:
            kept = {field.name: field for field in schema.fields if field.name not in dropped}
            record.key = {name: field.get(record.key) for name, field in kept.items()}
            record.key_schema = struct_like(schema, {name: field.schema for name, field in kept.items()})

    def _layout(self, envelope: Schema, row: Schema, names: frozenset[str]) -> _Layout:
        layout = self._layouts.get((envelope, row, names))
        if layout is None:
            if len(self._layouts) >= _MAX_LAYOUTS:  # a source that makes a schema per record
                self._layouts.clear()
            layout = self._layouts[envelope, row, names] = self._laid_out(envelope, row, names)
        return layout

    def _laid_out(self, envelope: Schema, row: Schema, names: frozenset[str]) -> _Layout:
        fields = {field.name: field.schema for field in row.fields}
        nulls = dict(fields) if self._rewrites and self._replace_null else {}
        if self._rewrites:
            _add(fields, _DELETED, OPTIONAL_STRING_SCHEMA)
        added: list[FieldReference] = []
        for reference in self._fields:
            schema = reference.schema(envelope)
            if schema is not None:
                _add(fields, reference.new_name, _without_fields(schema))
                added.append(reference)
        dropped = self._droppable(struct_like(row, fields), names)
        for name in dropped:
            del fields[name]
        if dropped:
            nulls = fields
        defaults = tuple((name, nulls[name].default) for name in nulls if name in fields)
        return _Layout(
            struct_like(row, fields),
            tuple(added),
            dropped,
            tuple((name, default) for name, default in defaults if default is not None),
        )

    def _rewritten(
        self, layout: _Layout, row: Mapping[str, Any], envelope: Schema, event: Mapping[str, Any], deleted: bool
    ) -> dict[str, Any]:
        made = dict(row)
        if self._rewrites:
            made[_DELETED] = "true" if deleted else "false"
        for reference in layout.added:
            value = made[reference.new_name] = reference.value(envelope, event)
            if isinstance(value, dict):
                raise DataError(f"add.fields: {reference.field!r} is a struct: add its fields one by one, struct.field")
        for name in layout.dropped:
            made.pop(name, None)
        for name, default in layout.defaults:
            if made.get(name) is None:
                made[name] = default
        return made


def _row_of(envelope: Schema, event: Mapping[str, Any], side: str) -> Any:
    row = required_field(envelope, side, "the row of a change event").get(event)
    if row is not None and not isinstance(row, dict):
        raise DataError(f"the row of a change event: {side!r} is {type(row).__name__}, not a struct")
    return row


def _without_fields(schema: Schema) -> Schema:
    """Of a struct, what only null fits; any other schema as it is."""
    return schema.replace(fields={}) if schema.type is Type.STRUCT else schema


def _add(fields: dict[str, Schema], name: str, schema: Schema) -> None:
    if name in fields:
        raise DataError(f"the row has a field {name!r} already: give the added one another :name or prefix")
    fields[name] = schema
