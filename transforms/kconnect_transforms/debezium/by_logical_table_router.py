"""ByLogicalTableRouter: sends the changes of many tables, such as the shards of one, to one topic."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from kconnect.config import LOW, Config, ConfigError, NonEmptyString, Range, key
from kconnect.errors import DataError
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect.schema import STRING_SCHEMA, Schema, Type
from kconnect.transform import R, Transform
from kconnect.validators import CompositeValidator, Nullable
from kconnect_transforms.debezium.envelope import is_envelope, required_field
from kconnect_transforms.debezium.name_adjustment import SCHEMA_NAMES

_log = logging.getLogger(__name__)

_ROWS: Final = ("before", "after")
_MIN_REMEMBERED: Final = 1000


class ByLogicalTableRouterConfig(Config):
    topic_regex: str = key(
        importance=LOW,
        validator=CompositeValidator(NonEmptyString(), valid_regex),
        doc="What the whole name of a topic must match, as in Java, for its records to be sent on.",
    )
    topic_replacement: str = key(
        importance=LOW,
        validator=NonEmptyString(),
        doc="The topic that they are sent to; $1 and ${name} stand for what groups of the regex matched.",
    )
    key_enforce_uniqueness: bool = key(
        default=True,
        importance=LOW,
        doc="Whether keys get a field that tells from which table they are, so that equal keys stay apart.",
    )
    key_field_name: str = key(default="__dbz__physicalTableIdentifier", importance=LOW, doc="The name of that field.")
    key_field_regex: str | None = key(
        default=None,
        importance=LOW,
        validator=Nullable(valid_regex),
        doc="What the whole name of a topic must match for key.field.replacement to make the field's text. Otherwise "
        "the text is the topic.",
    )
    key_field_replacement: str | None = key(
        default=None, importance=LOW, doc="The field's text; $1 and ${name} stand for what groups of the regex matched."
    )
    schema_name_adjustment_mode: Literal["none", "avro", "avro_unicode"] = key(
        default="none", importance=LOW, doc="How the names of schemas, made of the topic's, are made fit for Avro."
    )
    logical_table_cache_size: Annotated[int, Range(0)] = key(
        default=16,
        importance=LOW,
        doc=f"How many schemas and topics are remembered before they are worked out anew; {_MIN_REMEMBERED} at least.",
    )

    def _check(self) -> None:
        if (self.key_field_regex or "").strip() and not (self.key_field_replacement or "").strip():
            raise ConfigError(
                "says not what the field's text is",
                key="key.field.replacement",
                suggestion="set it, or leave out key.field.regex",
            )


class _Route(NamedTuple):
    """Where records of a topic go, and the text that tells them apart there."""

    topic: str
    table: str


class ByLogicalTableRouter(Transform[ByLogicalTableRouterConfig]):
    """Other topics' records pass as they are. Schemas are renamed after the new topic; values stay."""

    def configure(self, config: ByLogicalTableRouterConfig) -> None:
        self._config = config
        self._pattern = JavaPattern(config.topic_regex)
        regex = (config.key_field_regex or "").strip()
        self._key_pattern = JavaPattern(regex) if regex else None
        self._adjust = SCHEMA_NAMES[config.schema_name_adjustment_mode]
        self._routes: dict[str, _Route | None] = {}
        self._schemas: dict[tuple[Schema, str], Schema] = {}

    def apply(self, record: R) -> R | None:
        route = self._route(record.topic)
        if route is None:
            return record
        key_schema, key_ = None, None
        if record.key is not None:
            if record.key_schema is None or record.key_schema.type is not Type.STRUCT:
                raise DataError(f"the key is {type(record.key).__name__}, and not a struct with a schema")
            key_schema = self._schema(record.key_schema, route.topic, self._new_key)
            key_ = dict(record.key)
            if self._config.key_enforce_uniqueness:
                key_[self._config.key_field_name] = route.table
        result = msgspec.structs.replace(record, topic=route.topic, key_schema=key_schema, key=key_)
        if record.value is not None and is_envelope(record):
            assert record.value_schema is not None
            result.value_schema = self._schema(record.value_schema, route.topic, self._new_envelope)
        return result

    def _route(self, topic: str) -> _Route | None:
        if topic not in self._routes:
            self._make_room(self._routes)
            self._routes[topic] = self._found(topic)
        return self._routes[topic]

    def _found(self, topic: str) -> _Route | None:
        if not self._pattern.matches(topic):
            return None
        routed = self._pattern.replace_first(topic, self._config.topic_replacement)
        if not routed:
            _log.warning("topic.replacement makes an empty name of the topic %s: its records stay there", topic)
            return None
        table = topic
        if self._key_pattern is not None and self._key_pattern.matches(topic):
            table = self._key_pattern.replace_first(topic, self._config.key_field_replacement or "")
        return _Route(routed, table)

    def _schema(self, schema: Schema, topic: str, make: Callable[[Schema, str], Schema]) -> Schema:
        made = self._schemas.get((schema, topic))
        if made is None:
            self._make_room(self._schemas)
            made = self._schemas[schema, topic] = make(schema, topic)
        return made

    def _make_room(self, cache: dict[Any, Any]) -> None:
        if len(cache) >= max(_MIN_REMEMBERED, self._config.logical_table_cache_size):
            cache.clear()

    def _new_key(self, schema: Schema, topic: str) -> Schema:
        fields = {field.name: field.schema for field in schema.fields}
        if self._config.key_enforce_uniqueness:
            name = self._config.key_field_name
            if name in fields:
                raise DataError(f"key.field.name={name}: the key has such a field already")
            fields[name] = STRING_SCHEMA
        return schema.replace(name=self._adjust(f"{topic}.Key"), fields=fields, default=None)

    def _new_envelope(self, schema: Schema, topic: str) -> Schema:
        row = required_field(schema, "before", "the rows of a change event").schema
        row = row.replace(name=self._adjust(f"{topic}.Value"), default=None)
        fields = {field.name: row if field.name in _ROWS else field.schema for field in schema.fields}
        return schema.replace(name=self._adjust(f"{topic}.Envelope"), fields=fields, default=None)
