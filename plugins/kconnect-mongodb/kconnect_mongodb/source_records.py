"""Events as records: which topic, which key, in which form."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import bson
from bson.errors import BSONError

from kconnect import DataError, Schema, SchemaAndValue, SourceRecord
from kconnect.schema import BYTES_SCHEMA, STRING_SCHEMA
from kconnect_mongodb.avro_schema import schema_of_avro
from kconnect_mongodb.client import CODEC, Document
from kconnect_mongodb.inferred_schema import inferred_schema
from kconnect_mongodb.json_text import RELAXED
from kconnect_mongodb.reader import ID, Found
from kconnect_mongodb.schema_values import SchemaValues
from kconnect_mongodb.source_config import MongoSourceConfig
from kconnect_mongodb.topics import TopicMapper

log = logging.getLogger(__name__)

Output = Callable[[Document], SchemaAndValue]
_NOTHING = SchemaAndValue(None, None)


class RecordMaker:
    """ConfigError for a topic map or schemas that are none."""

    def __init__(self, config: MongoSourceConfig) -> None:
        self._config = config
        self._partition = config.partition
        self._topics = TopicMapper(config)
        # Both schemas: a mistake in what is not used now shows now.
        key_schema = schema_of_avro("output.schema.key", config.key_schema_text)
        value_schema = schema_of_avro("output.schema.value", config.value_schema_text)
        self._key = _output(config.key_format, config, key_schema)
        self._value = _output(config.value_format, config, None if config.infer_value else value_schema)
        self._key_is_event = config.key_format.lower() == "schema"

    def records(self, found: Sequence[Found]) -> list[SourceRecord]:
        """DataError for an event that has no form, unless that is tolerated."""
        made = [self._record(*each) for each in found]
        return [record for record in made if record is not None]

    def heartbeat(self, offset: dict[str, str]) -> SourceRecord:
        topic = self._config.heartbeat_topic
        return SourceRecord(
            self._partition, offset, topic, None, STRING_SCHEMA, offset[ID], BYTES_SCHEMA.replace(optional=True), None
        )

    def _record(self, event: Document, offset: dict[str, str]) -> SourceRecord | None:
        topic = self._topics.topic_of(event)
        if not topic:
            log.debug("an event of no database is left out: %s", offset)
            return None
        value: Document | None = event
        if self._config.full_document_only:
            full = event.get("fullDocument")
            value = full if isinstance(full, dict) else None
            is_tombstone = self._config.tombstones and "fullDocument" not in event
            if value is None and not is_tombstone:
                return None
        key = event if self._key_is_event else self._key_document(event)
        try:
            key_schema, made_key = self._key(key)
            value_schema, made_value = _NOTHING if value is None else self._value(value)
        except (DataError, BSONError) as error:
            return self._passed_over(key, value, offset, error)
        return SourceRecord(self._partition, offset, topic, None, key_schema, made_key, value_schema, made_value)

    def _key_document(self, event: Document) -> Document:
        document_key = event.get("documentKey") if self._config.document_key_as_key else None
        return document_key if isinstance(document_key, dict) else {ID: event.get(ID)}

    def _passed_over(
        self, key: Document, value: Document | None, offset: dict[str, str], error: Exception
    ) -> SourceRecord | None:
        """What goes to the dead letter topic, if there is one."""
        shown = RELAXED.text(key)
        if not self._config.tolerates:
            raise DataError(f"an event has no form in the output: {error}. Its key is {shown:.500}") from error
        topic = self._config.dead_letter_topic
        if self._config.log_errors or not topic:
            log.warning("passed over, as errors.tolerance=all says: %s. Its key is %.500s", error, shown)
        if not topic:
            return None
        text = "" if value is None else RELAXED.text(value)
        return SourceRecord(self._partition, offset, topic, None, STRING_SCHEMA, shown, STRING_SCHEMA, text)


def _output(kind: str, config: MongoSourceConfig, schema: Schema | None) -> Output:
    match kind.lower():
        case "json":
            write = config.json_format.text
            return lambda document: SchemaAndValue(STRING_SCHEMA, write(document))
        case "bson":
            return lambda document: SchemaAndValue(BYTES_SCHEMA, bson.encode(document, codec_options=CODEC))
    values = SchemaValues(config.json_format)
    if schema is not None:
        return lambda document: SchemaAndValue(schema, values.value(schema, document))

    def infer(document: Document) -> SchemaAndValue:
        found = inferred_schema(document)
        return SchemaAndValue(found, values.value(found, document))

    return infer
