"""EventRouter: of rows inserted into an outbox table, the events that an application put there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from kconnect.config import HIGH, LOW, MEDIUM, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect.record import Header, SchemaAndValue
from kconnect.schema import Field, Schema, Type
from kconnect.transform import R, Transform
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.debezium.envelope import DELETE, UPDATE, is_envelope, require_type, required_field
from kconnect_transforms.debezium.json_payload import NULL_SCHEMAS, JsonPayload
from kconnect_transforms.debezium.name_adjustment import FIELD_NAMES

_log = logging.getLogger(__name__)

_PAYLOAD: Final = "payload"
_MAX_SCHEMAS: Final = 10_000
_UNITS_PER_MS: Final = {
    "io.debezium.time.Timestamp": 1,
    "io.debezium.time.MicroTimestamp": 1_000,
    "io.debezium.time.NanoTimestamp": 1_000_000,
}

HEADER: Final = "header"
ENVELOPE: Final = "envelope"
PARTITION: Final = "partition"


class Placement(NamedTuple):
    """Where a further column goes, and under which name."""

    field: str
    place: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Placement:
        """`column:place` or `column:place:name`. ConfigError for anything else."""
        parts = [part.strip() for part in text.split(":")]
        if len(parts) not in (2, 3) or not all(parts) or parts[1].lower() not in (HEADER, ENVELOPE, PARTITION):
            raise ConfigError(
                f"{text!r} says not where a column goes",
                key="table.fields.additional.placement",
                suggestion="write column:header, column:envelope or column:partition, and :name for another name",
            )
        return cls(parts[0], parts[1].lower(), parts[-1] if len(parts) == 3 else parts[0])


def _valid_placements(name: str, value: list[str] | None) -> None:
    if value is None:
        return
    if not value:
        raise ConfigError("names no column", key=name, suggestion="leave it out, or write column:header")
    for text in value:
        Placement.parse(text)


class EventRouterConfig(Config):
    table_field_event_id: str = key(
        default="id", importance=LOW, doc="The column with the event's id, which becomes the header id."
    )
    table_field_event_key: str = key(default="aggregateid", importance=LOW, doc="The column with the record's key.")
    table_field_event_payload: str = key(default="payload", importance=LOW, doc="The column with the record's value.")
    table_field_event_timestamp: str | None = key(
        default=None,
        importance=MEDIUM,
        doc="The column with the record's timestamp, one of Debezium's times. Without it, or where it is null, the "
        "time at which the change was seen.",
    )
    table_field_event_schema_version: str | None = key(
        default=None, importance=LOW, doc="The column with the version of the value's schema, an int32."
    )
    table_fields_additional_placement: list[str] | None = key(
        default=None,
        importance=HIGH,
        validator=_valid_placements,
        doc="Where further columns go: column:header, column:envelope or column:partition, each with a :name if it is "
        "to have another. With one in the envelope the value becomes a struct of payload and these.",
    )
    table_field_additional_missing: Annotated[str, CaseInsensitiveValidString("error", "ignore")] = key(
        default="error", importance=MEDIUM, doc="Whether a further column that the table has not is an error."
    )
    table_fields_additional_error_on_missing: bool = key(
        default=True,
        importance=LOW,
        doc="The older way to say it: false is table.field.additional.missing=ignore.",
    )
    table_op_invalid_behavior: Annotated[str, CaseInsensitiveValidString("warn", "error", "fatal")] = key(
        default="warn",
        importance=MEDIUM,
        doc="What to do about a row that was changed: leave it out with a warning or an error in the log, or fail.",
    )
    table_expand_json_payload: bool = key(
        default=False,
        importance=MEDIUM,
        doc="Whether a payload that is a JSON text becomes the struct that it describes. What is no object or array, "
        "or is so irregular that no schema fits, stays a text, and the log says why.",
    )
    table_json_payload_null_behavior: Annotated[str, CaseInsensitiveValidString(*NULL_SCHEMAS)] = key(
        default="ignore",
        importance=MEDIUM,
        doc="What becomes of nulls in an expanded payload: left out (ignore), or kept as optional bytes.",
    )
    field_name_adjustment_mode: Literal["none", "avro", "avro_unicode"] = key(
        default="none", importance=LOW, doc="How names of fields in an expanded payload are made fit for Avro."
    )
    route_by_field: str = key(
        default="aggregatetype", importance=HIGH, doc="The column whose text the topic is made of."
    )
    route_topic_regex: str = key(
        default="(?<routedByValue>.*)",
        importance=LOW,
        validator=valid_regex,
        doc="What that whole text must match, as in Java; one that does not is the topic itself.",
    )
    route_topic_replacement: str = key(
        default="outbox.event.${routedByValue}",
        importance=HIGH,
        doc="The topic; ${name} stands for what a group of the regex matched.",
    )
    route_tombstone_on_empty_payload: bool = key(
        default=False, importance=HIGH, doc="Whether an empty payload becomes a null value without a schema."
    )


class _Table(NamedTuple):
    """What events of one schema have in common."""

    row: Schema
    id: Field
    key: Field
    payload: Field
    route: Field
    timestamp: Field | None
    version: Field | None
    placed: tuple[tuple[Placement, Field], ...]


class EventRouter(Transform[EventRouterConfig]):
    """What is no change event passes as it is; deletes and tombstones are dropped."""

    def configure(self, config: EventRouterConfig) -> None:
        self._config = config
        self._placements = tuple(map(Placement.parse, config.table_fields_additional_placement or ()))
        self._wraps = any(placement.place == ENVELOPE for placement in self._placements)
        self._ignores_missing = (
            config.table_field_additional_missing.lower() == "ignore"
            or not config.table_fields_additional_error_on_missing
        )
        self._pattern = JavaPattern(config.route_topic_regex)
        self._on_update = config.table_op_invalid_behavior.lower()
        self._json = JsonPayload(
            NULL_SCHEMAS[config.table_json_payload_null_behavior.lower()],
            FIELD_NAMES[config.field_name_adjustment_mode],
        )
        self._tables: dict[Schema, _Table] = {}
        self._schemas: dict[tuple[Schema | None, Schema, str, int | None], Schema] = {}

    def apply(self, record: R) -> R | None:
        event = record.value
        if event is None:
            return None
        if not is_envelope(record):
            return record
        operation = event.get("op")
        if operation == DELETE:
            return None
        if operation == UPDATE:
            self._complain(record.key)
            return None
        assert record.value_schema is not None
        table = self._table(record.value_schema)
        row = event.get("after")
        if not isinstance(row, dict):
            raise DataError(f"an event with the operation {operation!r} has no row: an outbox takes inserts alone")
        headers = [*record.headers, Header("id", table.id.schema, table.id.get(row))]
        partition = None
        for placement, field in table.placed:
            if placement.place == HEADER:
                headers.append(Header(placement.name, field.schema, field.get(row)))
            elif placement.place == PARTITION:
                require_type(field, Type.INT32, "table.fields.additional.placement")
                partition = field.get(row)
        routed_by = table.route.get(row)
        if routed_by is None:
            raise DataError(f"route.by.field: {table.route.name!r} is null, and no topic")
        schema, value = self._value(table, row, routed_by)
        return msgspec.structs.replace(
            record,
            topic=self._topic(routed_by),
            partition=partition,
            key_schema=table.key.schema,
            key=table.key.get(row),
            value_schema=schema,
            value=value,
            timestamp=self._timestamp(table, row, event),
            headers=tuple(headers),
        )

    def _complain(self, row_key: Any) -> None:
        told = f"the row {row_key!r:.100} of an outbox was changed, and outboxes take inserts alone"
        if self._on_update == "fatal":
            raise DataError(f"{told} (table.op.invalid.behavior=fatal)")
        _log.log(logging.ERROR if self._on_update == "error" else logging.WARNING, "%s: left out", told)

    def _table(self, envelope: Schema) -> _Table:
        table = self._tables.get(envelope)
        if table is None:
            if len(self._tables) >= _MAX_SCHEMAS:
                self._tables.clear()
            table = self._tables[envelope] = self._described(envelope)
        return table

    def _described(self, envelope: Schema) -> _Table:
        config = self._config
        row = required_field(envelope, "after", "the row of an outbox").schema

        def column(setting: str, name: str) -> Field:
            return required_field(row, name, setting)

        route = column("route.by.field", config.route_by_field)
        require_type(route, Type.STRING, "route.by.field")
        timestamp = version = None
        if config.table_field_event_timestamp is not None:
            timestamp = column("table.field.event.timestamp", config.table_field_event_timestamp)
            if timestamp.schema.name not in _UNITS_PER_MS or timestamp.schema.type is not Type.INT64:
                raise DataError(
                    f"table.field.event.timestamp: column {timestamp.name!r} is {timestamp.schema!r}, and not one of "
                    + ", ".join(_UNITS_PER_MS)
                )
        if config.table_field_event_schema_version is not None and self._wraps:
            version = column("table.field.event.schema.version", config.table_field_event_schema_version)
            require_type(version, Type.INT32, "table.field.event.schema.version")
        return _Table(
            row=row,
            id=column("table.field.event.id", config.table_field_event_id),
            key=column("table.field.event.key", config.table_field_event_key),
            payload=column("table.field.event.payload", config.table_field_event_payload),
            route=route,
            timestamp=timestamp,
            version=version,
            placed=tuple(
                (placement, column("table.fields.additional.placement", placement.field))
                for placement in self._placements
                if not (self._ignores_missing and row.field(placement.field) is None)
            ),
        )

    def _topic(self, routed_by: str) -> str:
        if not self._pattern.matches(routed_by):
            return routed_by
        return self._pattern.replace_first(routed_by, self._config.route_topic_replacement)

    def _timestamp(self, table: _Table, row: Mapping[str, Any], event: Mapping[str, Any]) -> int | None:
        """Milliseconds since the epoch."""
        if table.timestamp is not None:
            given: int | None = table.timestamp.get(row)
            if given is not None:
                return given // _UNITS_PER_MS[table.timestamp.schema.name or ""]
        seen: int | None = event.get("ts_ms")
        return seen

    def _value(self, table: _Table, row: Mapping[str, Any], routed_by: str) -> SchemaAndValue:
        schema, value = self._payload(table.payload, row)
        if self._config.route_tombstone_on_empty_payload and (value is None or not str(value).strip()):
            return SchemaAndValue(None, None)
        if not self._wraps:
            return SchemaAndValue(schema, value)
        version = None if table.version is None else table.version.get(row)
        made = {_PAYLOAD: value}
        for placement, field in table.placed:
            if placement.place == ENVELOPE:
                made[placement.name] = field.get(row)
        return SchemaAndValue(self._wrapped(table, schema, routed_by, version), made)

    def _payload(self, field: Field, row: Mapping[str, Any]) -> tuple[Schema, Any]:
        value = field.get(row)
        if self._config.table_expand_json_payload and isinstance(value, str):
            try:
                schema, expanded = self._json.expand(field.name, value)
                assert schema is not None
                return schema, expanded
            except DataError as error:
                _log.warning("the payload %.60r stays a text: %s", value, error)
        return field.schema, value

    def _wrapped(self, table: _Table, payload: Schema, routed_by: str, version: int | None) -> Schema:
        """The schema of payload and further columns; its name is the table's with what it is routed by."""
        identity = (payload, table.row, routed_by, version)
        schema = self._schemas.get(identity)
        if schema is None:
            fields = {_PAYLOAD: payload}
            for placement, field in table.placed:
                if placement.place == ENVELOPE:
                    if placement.name in fields:
                        raise DataError(
                            f"table.fields.additional.placement: there would be two fields {placement.name!r}"
                        )
                    fields[placement.name] = field.schema
            space, dot, name = (table.row.name or "").rpartition(".")
            full_name = f"{space}{dot}{routed_by}.{name}" if name else routed_by
            schema = Schema(Type.STRUCT, name=full_name, version=version, fields=fields)
            if len(self._schemas) >= _MAX_SCHEMAS:
                self._schemas.clear()
            self._schemas[identity] = schema
        return schema
