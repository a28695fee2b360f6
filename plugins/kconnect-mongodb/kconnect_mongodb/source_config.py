"""The keys of the MongoDB source: those of mongo-kafka, and a few for servers without a replica set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from bson.timestamp import Timestamp

from kconnect import HIGH, LOW, ConfigError, DataError, Password, Range, key
from kconnect.config import Type
from kconnect.java_regex import valid_regex
from kconnect.validators import CaseInsensitiveValidString
from kconnect_mongodb.client import Document
from kconnect_mongodb.connection_config import CUSTOM_LOGIN, URI, ConnectionConfig
from kconnect_mongodb.event_schema import KEY_SCHEMA, VALUE_SCHEMA
from kconnect_mongodb.java_names import JavaName, full_names
from kconnect_mongodb.json_text import FORMATS, JsonFormat, json_array, json_document

WATCHED = "What is read"
EVENTS = "Change stream"
STARTUP = "Startup"
POLLING = "Polling"
OUTPUT = "Output"
TOPICS = "Topics"
ERRORS = "Errors"
HEARTBEAT = "Heartbeat"

FORMATTERS = JavaName(*full_names("source.json.formatter", FORMATS))
MAPPERS = JavaName("source.topic.mapping.DefaultTopicMapper")

UNCOVERED: Final[Mapping[str, tuple[str, ...]]] = {**CUSTOM_LOGIN, "collation": ()}
"""Of mongo-kafka, and refused by name. pymongo takes a collation for change streams, and does not send it."""

COPY: Final = "startup.mode.copy.existing."
_OLD_COPY: Final = "copy.existing."
_STARTUP_AT: Final = "startup.mode.timestamp.start.at.operation.time"
_SECONDS = re.compile(r"-?\d{1,10}")


def _array(name: str, value: object) -> None:
    try:
        if value:
            json_array(str(value))
    except DataError as error:
        raise ConfigError(str(error), key=name, value=value) from error


def _document(name: str, value: object) -> None:
    try:
        if value:
            json_document(str(value))
    except DataError as error:
        raise ConfigError(str(error), key=name, value=value) from error


def _operation_time(name: str, value: object) -> None:
    if value:
        operation_time(str(value), name)


def _regex(name: str, value: object) -> None:
    if value:
        valid_regex(name, str(value))


_Format = CaseInsensitiveValidString("json", "bson", "schema")


class MongoSourceConfig(ConnectionConfig):
    uri: Password = key(
        name=URI,
        default=Password("mongodb://localhost:27017,localhost:27018,localhost:27019"),
        importance=HIGH,
        group=WATCHED,
        doc=ConnectionConfig.config_def.keys[URI].doc,
    )
    database: str = key(default="", importance=HIGH, group=WATCHED, doc="The database to read; empty: all.")
    collection: str = key(default="", importance=HIGH, group=WATCHED, doc="The collection to read; empty: all of them.")
    pipeline_text: Annotated[str, _array] = key(
        name="pipeline",
        default="[]",
        group=EVENTS,
        doc='What the server does to events, as `[{"$match": {"operationType": "insert"}}]`.',
    )
    batch_size: Annotated[int, Range(0)] = key(
        default=0,
        importance=LOW,
        group=EVENTS,
        doc="The most events of one answer of the server; 0: as many as it has.",
    )
    full_document: Literal["", "default", "updateLookup", "whenAvailable", "required"] = key(
        name="change.stream.full.document",
        default="",
        group=EVENTS,
        doc="What updates bring of the document besides what changed.",
    )
    full_document_before: Literal["", "default", "off", "whenAvailable", "required"] = key(
        name="change.stream.full.document.before.change",
        default="",
        group=EVENTS,
        doc="Whether events bring the document as it was.",
    )
    document_key_as_key: bool = key(
        name="change.stream.document.key.as.key",
        default=True,
        group=EVENTS,
        doc="Whether a record's key is the documentKey of the event; its resume token otherwise.",
    )
    expanded_events: bool = key(
        name="change.stream.show.expanded.events",
        default=False,
        importance=LOW,
        group=EVENTS,
        doc="Have the server tell of collections, indexes and ambiguous paths as well.",
    )
    full_document_only: bool = key(
        name="publish.full.document.only",
        default=False,
        importance=HIGH,
        group=EVENTS,
        doc="Records are documents, not events; updates are looked up. Events without a document are left out.",
    )
    tombstones: bool = key(
        name="publish.full.document.only.tombstone.on.delete",
        default=False,
        group=EVENTS,
        doc="With publish.full.document.only: a tombstone for an event without a document.",
    )
    poll_size: Annotated[int, Range(1)] = key(
        name="poll.max.batch.size", default=1000, importance=LOW, group=EVENTS, doc="The most records of one poll."
    )
    poll_await_ms: Annotated[int, Type.LONG, Range(1)] = key(
        name="poll.await.time.ms",
        default=5000,
        importance=LOW,
        group=EVENTS,
        doc="How long the server waits for events before it says that there are none, in ms; a second at most here.",
    )
    startup: Annotated[str, CaseInsensitiveValidString("", "latest", "timestamp", "copy_existing")] = key(
        name="startup.mode",
        default="",
        group=STARTUP,
        doc="Where to begin without an offset: latest, timestamp, or copy_existing for what is there and then its "
        "changes.",
    )
    startup_at: Annotated[str, _operation_time] = key(
        name=_STARTUP_AT,
        default="",
        group=STARTUP,
        doc='For timestamp: seconds since 1970, ISO 8601, or `{"$timestamp": {"t": 30, "i": 0}}`; 0: the oldest.',
    )
    copy_pipeline_text: Annotated[str, _array] = key(
        name=f"{COPY}pipeline", default="", group=STARTUP, doc="What the server does to documents that are copied."
    )
    copy_regex: Annotated[str, _regex] = key(
        name=f"{COPY}namespace.regex",
        default="",
        group=STARTUP,
        doc="Which of the collections to copy, as a Java regular expression found in `database.collection`.",
    )
    copy_disk: bool = key(
        name=f"{COPY}allow.disk.use",
        default=True,
        importance=LOW,
        group=STARTUP,
        doc="Whether the copy's pipeline may use the server's disk.",
    )
    copy_threads: Annotated[int, Range(1)] = key(
        name=f"{COPY}max.threads",
        default=1,
        importance=LOW,
        group=STARTUP,
        doc="Taken for configs that have it: collections are copied one after another.",
    )
    copy_queue: Annotated[int, Range(1)] = key(
        name=f"{COPY}queue.size",
        default=16_000,
        importance=LOW,
        group=STARTUP,
        doc="Taken for configs that have it: there is no queue.",
    )
    copy_existing: bool = key(
        default=False,
        importance=LOW,
        group=STARTUP,
        doc="The old name of startup.mode=copy_existing; keys of the old names `copy.existing.…` hold as well.",
    )
    polling_field: str = key(
        name="polling.field",
        default="",
        group=POLLING,
        doc="For servers without a replica set: read one collection by this field, not its change stream. `_id`, or "
        "one that grows with each change, of values of one type.",
    )
    polling_interval_ms: Annotated[int, Type.LONG, Range(1)] = key(
        name="polling.interval.ms", default=1000, group=POLLING, doc="How long to wait when nothing is new, in ms."
    )
    polling_delay_ms: Annotated[int, Type.LONG, Range(0)] = key(
        name="polling.delay.ms",
        default=5000,
        group=POLLING,
        doc="Where the field holds ObjectIds or dates: how old they must be to be read, by the server's clock, so that "
        "what is written late is not passed over.",
    )
    key_format: Annotated[str, _Format] = key(
        name="output.format.key", default="json", group=OUTPUT, doc="What keys are: json, bson or schema."
    )
    value_format: Annotated[str, _Format] = key(
        name="output.format.value", default="json", group=OUTPUT, doc="What values are: json, bson or schema."
    )
    formatter: Annotated[str, FORMATTERS] = key(
        name="output.json.formatter",
        default="DefaultJson",
        group=OUTPUT,
        doc="How JSON is written: DefaultJson, ExtendedJson (type by type), SimplifiedJson (ids and dates as text).",
    )
    key_schema_text: str = key(
        name="output.schema.key",
        default=KEY_SCHEMA,
        group=OUTPUT,
        doc="An Avro schema of keys, for the format schema.",
    )
    value_schema_text: str = key(
        name="output.schema.value",
        default=VALUE_SCHEMA,
        group=OUTPUT,
        doc="An Avro schema of values; the default is that of an event.",
    )
    infer_value: bool = key(
        name="output.schema.infer.value",
        default=False,
        group=OUTPUT,
        doc="Have the format schema find each document's own schema.",
    )
    topic_mapper: Annotated[str, MAPPERS] = key(
        default="DefaultTopicMapper", importance=LOW, group=TOPICS, doc="Names topics by the keys below."
    )
    topic_prefix: str = key(default="", group=TOPICS, doc="What comes before the topic's name.")
    topic_suffix: str = key(default="", group=TOPICS, doc="What comes after the topic's name.")
    topic_separator: str = key(
        default=".", importance=LOW, group=TOPICS, doc="What stands between prefix, database, collection and suffix."
    )
    topic_map: Annotated[str, _document] = key(
        name="topic.namespace.map",
        default="",
        importance=HIGH,
        group=TOPICS,
        doc='Topics of namespaces, as `{"db.coll": "a", "db": "b", "/regex": "c{sep}{coll}", "*": "d"}`; what matches '
        "first, by kind in this order.",
    )
    tolerance: Annotated[str, CaseInsensitiveValidString("none", "all")] | None = key(
        name="mongo.errors.tolerance",
        default=None,
        group=ERRORS,
        doc="In place of errors.tolerance: all leaves out what has no form in the output, and begins anew where a "
        "resume token is no longer known.",
    )
    log_errors: bool = key(
        name="mongo.errors.log.enable",
        default=False,
        group=ERRORS,
        doc="Log what is left out though it is in the dead letter topic; what is nowhere else is always logged.",
    )
    dead_letters: str = key(
        name="mongo.errors.deadletterqueue.topic.name",
        default="",
        group=ERRORS,
        doc="In place of errors.deadletterqueue.topic.name: the topic of what is left out, as Extended JSON.",
    )
    heartbeat_ms: Annotated[int, Range(0)] = key(
        name="heartbeat.interval.ms",
        default=0,
        group=HEARTBEAT,
        doc="How often to store where the stream is while no records come, in ms; 0 for never.",
    )
    heartbeat_topic: str = key(
        name="heartbeat.topic.name",
        default="__mongodb_heartbeats",
        group=HEARTBEAT,
        doc="The topic of the records that do that.",
    )
    partition_name: str = key(
        name="offset.partition.name",
        default="",
        group=HEARTBEAT,
        doc="What offsets are stored under, in place of a name made of hosts, database and collection.",
    )

    def _check(self) -> None:
        super()._check()
        if self.collection and not self.database:
            raise ConfigError("needs a database", key="collection")
        if self.tombstones and not self.full_document_only:
            raise ConfigError(
                "needs publish.full.document.only=true", key="publish.full.document.only.tombstone.on.delete"
            )
        if self.polling_field:
            self._check_polling()

    def _check_polling(self) -> None:
        if not self.collection:
            raise ConfigError("reads one collection: give database and collection", key="polling.field")
        for name, given in (
            ("startup.mode", self.startup.lower() not in ("", "copy_existing") or self.copy_existing),
            ("pipeline", bool(self.pipeline)),
            ("publish.full.document.only.tombstone.on.delete", self.tombstones),
            ("heartbeat.interval.ms", self.heartbeat_ms > 0),
        ):
            if given:
                raise ConfigError("is of change streams: polling.field does without", key=name)

    @property
    def copies(self) -> bool:
        return self.startup.lower() == "copy_existing" or (not self.startup and self.copy_existing)

    @property
    def startup_time(self) -> Timestamp | None:
        timed = self.startup.lower() == "timestamp" and self.startup_at
        return operation_time(self.startup_at, _STARTUP_AT) if timed else None

    @property
    def pipeline(self) -> list[Document]:
        return json_array(self.pipeline_text) if self.pipeline_text.strip() else []

    @property
    def copy_pipeline(self) -> list[Document]:
        text = self._copy_setting("pipeline", self.copy_pipeline_text)
        return json_array(text) if text.strip() else []

    @property
    def copy_namespaces(self) -> str:
        return self._copy_setting("namespace.regex", self.copy_regex)

    @property
    def copy_uses_disk(self) -> bool:
        return self._copy_setting("allow.disk.use", str(self.copy_disk)).strip().lower() == "true"

    def _copy_setting(self, name: str, value: str) -> str:
        """As its old name says, where its new one says nothing."""
        given = self.originals
        return value if COPY + name in given else str(given.get(_OLD_COPY + name, value))

    @property
    def json_format(self) -> JsonFormat:
        name = FORMATTERS.resolve("output.json.formatter", self.formatter)
        return FORMATS[name.rpartition(".")[2]]

    @property
    def tolerates(self) -> bool:
        """Whether single failures are passed over."""
        given = self.tolerance if self.tolerance is not None else self.originals.get("errors.tolerance", "none")
        return str(given).strip().lower() == "all"

    @property
    def dead_letter_topic(self) -> str:
        return self.dead_letters or str(self.originals.get("errors.deadletterqueue.topic.name", ""))

    @property
    def partition(self) -> dict[str, str]:
        """The source partition, as mongo-kafka names it."""
        return {"ns": self.partition_name or self.address.namespace(self.database, self.collection)}


def operation_time(text: str, name: str) -> Timestamp:
    """ConfigError, naming the key, for what is no point in time."""
    try:
        if _SECONDS.fullmatch(text.strip()):
            return Timestamp(int(text), 0)
        if text.lstrip().startswith("{"):
            found = json_document(f'{{"t": {text}}}')["t"]
            if isinstance(found, Timestamp):
                return found
        else:
            moment = datetime.fromisoformat(text.strip())
            if moment.tzinfo is not None:
                return Timestamp(int(moment.astimezone(UTC).timestamp()), 0)
    except (ValueError, DataError, OverflowError):
        pass
    raise ConfigError(
        "is no point in time",
        key=name,
        value=text,
        suggestion='seconds since 1970, 2026-01-02T03:04:05Z, or {"$timestamp": {"t": 30, "i": 0}}',
    )
