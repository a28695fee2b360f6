"""The keys of the MongoDB sink: those of mongo-kafka."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from kconnect import HIGH, LOW, ConfigError, DataError, Range, key
from kconnect.config import NonEmptyString, Type
from kconnect.validators import CaseInsensitiveValidString
from kconnect_mongodb import projections
from kconnect_mongodb.connection_config import CUSTOM_LOGIN, ConnectionConfig
from kconnect_mongodb.java_names import JavaName, full_names
from kconnect_mongodb.json_text import json_array

NAMESPACE = "Namespace"
WRITES = "Writes"
PROCESSING = "Post processing"
IDS = "Ids"
ERRORS = "Errors"
CDC = "Change data capture"
SERIES = "Time series"

OVERRIDE: Final = "topic.override."

MAPPERS = JavaName(
    *full_names("sink.namespace.mapping", ("DefaultNamespaceMapper", "FieldPathNamespaceMapper")),
)
ID_STRATEGIES = JavaName(
    *full_names(
        "sink.processor.id.strategy",
        (
            "BsonOidStrategy",
            "FullKeyStrategy",
            "KafkaMetaDataStrategy",
            "PartialKeyStrategy",
            "PartialValueStrategy",
            "ProvidedInKeyStrategy",
            "ProvidedInValueStrategy",
            "UuidProvidedInKeyStrategy",
            "UuidProvidedInValueStrategy",
            "UuidStrategy",
        ),
    ),
    empty=True,
)
_MODELS = "sink.writemodel.strategy"
WRITE_MODELS = JavaName(
    *full_names(
        _MODELS,
        (
            "DefaultWriteModelStrategy",
            "ReplaceOneDefaultStrategy",
            "ReplaceOneBusinessKeyStrategy",
            "InsertOneDefaultStrategy",
            "UpdateOneDefaultStrategy",
            "UpdateOneTimestampsStrategy",
            "UpdateOneBusinessKeyTimestampStrategy",
            "DeleteOneDefaultStrategy",
            "DeleteOneBusinessKeyStrategy",
            "DeleteOneTombstoneBusinessKeyStrategy",
        ),
    )
)
PROCESSORS = JavaName(
    *full_names(
        "sink.processor",
        (
            "DocumentIdAdder",
            "AllowListKeyProjector",
            "AllowListValueProjector",
            "BlockListKeyProjector",
            "BlockListValueProjector",
            "KafkaMetaAdder",
            "NullFieldValueRemover",
            "WhitelistKeyProjector",
            "WhitelistValueProjector",
            "BlacklistKeyProjector",
            "BlacklistValueProjector",
        ),
    ),
    *full_names("sink.processor.field.renaming", ("RenameByMapping", "RenameByRegExp")),
)
HANDLERS = JavaName(
    "sink.cdc.mongodb.ChangeStreamHandler",
    *full_names("sink.cdc.debezium.mongodb", ("MongoDbHandler", "ChangeStreamHandler")),
    "sink.cdc.debezium.rdbms.RdbmsHandler",
    "sink.cdc.debezium.rdbms.mysql.MysqlHandler",
    "sink.cdc.debezium.rdbms.postgres.PostgresHandler",
    empty=True,
)
_ISO_PATTERN = (
    "yyyy-MM-dd[['T'][ ]][HH:mm:ss[[.][SSSSSS][SSS]][ ]VV[ ]'['VV']'][HH:mm:ss[[.][SSSSSS][SSS]][ ]X]"
    "[HH:mm:ss[[.][SSSSSS][SSS]]]"
)
UNCOVERED: Final[Mapping[str, tuple[str, ...]]] = {
    **CUSTOM_LOGIN,
    "csfle.enabled": ("false",),
    "csfle.key.vault.namespace": (),
    "csfle.local.master.key": (),
    "csfle.schema.map": (),
    "field.value.transformer": (),
    "field.value.transformer.fields": (),
    "timeseries.timefield.auto.convert.date.format": (_ISO_PATTERN.lower(),),
    "timeseries.timefield.auto.convert.locale.language.tag": (),
}
"""Of mongo-kafka, and refused by name; with each, what asks for nothing else than what is done."""


def _array(name: str, value: object) -> None:
    try:
        json_array(str(value))
    except DataError as error:
        raise ConfigError(str(error), key=name, value=value) from error


_Projection = CaseInsensitiveValidString(*projections.TYPES)
_OptionalProjection = CaseInsensitiveValidString("", *projections.TYPES)


class MongoSinkConfig(ConnectionConfig):
    database: Annotated[str, NonEmptyString()] = key(importance=HIGH, group=NAMESPACE, doc="The database to write to.")
    collection: str = key(
        default="", importance=HIGH, group=NAMESPACE, doc="The collection to write to; empty: that of the topic's name."
    )
    mapper: Annotated[str, MAPPERS] = key(
        name="namespace.mapper",
        default="DefaultNamespaceMapper",
        group=NAMESPACE,
        doc="FieldPathNamespaceMapper takes database or collection from fields of the record.",
    )
    key_database_field: str = key(
        name="namespace.mapper.key.database.field",
        default="",
        group=NAMESPACE,
        doc="The field of the key that names the database.",
    )
    key_collection_field: str = key(
        name="namespace.mapper.key.collection.field",
        default="",
        group=NAMESPACE,
        doc="The field of the key that names the collection.",
    )
    value_database_field: str = key(
        name="namespace.mapper.value.database.field",
        default="",
        group=NAMESPACE,
        doc="The field of the value that names the database.",
    )
    value_collection_field: str = key(
        name="namespace.mapper.value.collection.field",
        default="",
        group=NAMESPACE,
        doc="The field of the value that names the collection.",
    )
    mapper_strict: bool = key(
        name="namespace.mapper.error.if.invalid",
        default=False,
        group=NAMESPACE,
        doc="Refuse records without that field; otherwise they go to database and collection of the configuration.",
    )
    write_model: Annotated[str, WRITE_MODELS] = key(
        name="writemodel.strategy",
        default="DefaultWriteModelStrategy",
        group=WRITES,
        doc="How documents are written; the default replaces by `_id`, and inserts into time series.",
    )
    delete_on_null: bool = key(
        name="delete.on.null.values", default=False, group=WRITES, doc="Whether tombstones delete, by the record's key."
    )
    delete_model: Annotated[str, WRITE_MODELS] = key(
        name="delete.writemodel.strategy",
        default="DeleteOneDefaultStrategy",
        group=WRITES,
        doc="How tombstones delete.",
    )
    max_batch_size: Annotated[int, Range(0)] = key(
        default=0, group=WRITES, doc="The most documents of one bulk write; 0: all that were put."
    )
    ordered: bool = key(
        name="bulk.write.ordered",
        default=True,
        group=WRITES,
        doc="Have the server keep the order within a bulk write; without it, changes of one document may swap.",
    )
    rate_timeout: Annotated[int, Range(0, 60_000)] = key(
        name="rate.limiting.timeout", default=0, importance=LOW, group=WRITES, doc="How long to wait then, in ms."
    )
    rate_every: Annotated[int, Range(0)] = key(
        name="rate.limiting.every.n",
        default=0,
        importance=LOW,
        group=WRITES,
        doc="After how many bulk writes to wait for rate.limiting.timeout; 0 for never.",
    )
    processors: Annotated[list[str], PROCESSORS] = key(
        name="post.processor.chain",
        default=["DocumentIdAdder"],
        group=PROCESSING,
        doc="What is done to each document, in this order. DocumentIdAdder comes first where it is not named.",
    )
    key_projection: Annotated[str, _Projection] = key(
        name="key.projection.type", default="none", group=PROCESSING, doc="AllowList or BlockList, of key fields."
    )
    key_fields: str = key(
        name="key.projection.list", default="", group=PROCESSING, doc="The fields that key projectors keep or remove."
    )
    value_projection: Annotated[str, _Projection] = key(
        name="value.projection.type", default="none", group=PROCESSING, doc="AllowList or BlockList, of value fields."
    )
    value_fields: str = key(
        name="value.projection.list",
        default="",
        group=PROCESSING,
        doc="The fields that value projectors keep or remove; `a.b`, `a.*` and `a.**` reach into documents.",
    )
    rename_mapping: Annotated[str, _array] = key(
        name="field.renamer.mapping",
        default="[]",
        group=PROCESSING,
        doc='For RenameByMapping: `[{"oldName": "value.a", "newName": "b"}]`.',
    )
    rename_regexp: Annotated[str, _array] = key(
        name="field.renamer.regexp",
        default="[]",
        group=PROCESSING,
        doc='For RenameByRegExp: `[{"regexp": "^value.*", "pattern": "-", "replace": "_"}]`, in Java\'s syntax.',
    )
    id_strategy: Annotated[str, ID_STRATEGIES] = key(
        name="document.id.strategy",
        default="BsonOidStrategy",
        importance=HIGH,
        group=IDS,
        doc="Where `_id` comes from, in documents that have none.",
    )
    overwrite_id: bool = key(
        name="document.id.strategy.overwrite.existing",
        default=False,
        group=IDS,
        doc="Have the strategy's `_id` replace that of the document.",
    )
    uuid_format: Annotated[str, CaseInsensitiveValidString("string", "binary")] = key(
        name="document.id.strategy.uuid.format", default="string", group=IDS, doc="What UuidStrategy makes."
    )
    id_key_projection: Annotated[str, _OptionalProjection] = key(
        name="document.id.strategy.partial.key.projection.type",
        default="",
        group=IDS,
        doc="AllowList or BlockList for PartialKeyStrategy; empty: key.projection.type.",
    )
    id_key_fields: str = key(
        name="document.id.strategy.partial.key.projection.list",
        default="",
        group=IDS,
        doc="The fields for that; empty: key.projection.list.",
    )
    id_value_projection: Annotated[str, _OptionalProjection] = key(
        name="document.id.strategy.partial.value.projection.type",
        default="",
        group=IDS,
        doc="AllowList or BlockList for PartialValueStrategy; empty: value.projection.type.",
    )
    id_value_fields: str = key(
        name="document.id.strategy.partial.value.projection.list",
        default="",
        group=IDS,
        doc="The fields for that; empty: value.projection.list.",
    )
    tolerance: Annotated[str, CaseInsensitiveValidString("none", "data", "all")] | None = key(
        name="mongo.errors.tolerance",
        default=None,
        group=ERRORS,
        doc="In place of errors.tolerance, for what MongoDB cannot take: none fails the task, data and all report it "
        "to the dead letter queue, or log it where there is none. What passes is waited for in any case.",
    )
    log_errors: bool = key(
        name="mongo.errors.log.enable",
        default=False,
        group=ERRORS,
        doc="Log each record that is passed over, beside its report; what nobody else is told of is always logged.",
    )
    handler: Annotated[str, HANDLERS] = key(
        name="change.data.capture.handler",
        default="",
        group=CDC,
        doc="Records are changes, in the form of the source that this names; write models and processors are not used.",
    )
    cdc_remove_nulls: bool = key(
        name="change.data.capture.handler.remove.null.values",
        default=False,
        group=CDC,
        doc="Leave out fields that are null of what the handler writes.",
    )
    time_field: str = key(
        name="timeseries.timefield",
        default="",
        group=SERIES,
        doc="The field of the time: collections that are missing are made as time series.",
    )
    meta_field: str = key(
        name="timeseries.metafield", default="", group=SERIES, doc="The field that tells one series from another."
    )
    expire_after: Annotated[int, Type.LONG, Range(0)] = key(
        name="timeseries.expire.after.seconds",
        default=0,
        group=SERIES,
        doc="How long documents are kept, in seconds; 0 for ever.",
    )
    granularity: Annotated[str, CaseInsensitiveValidString("", "seconds", "minutes", "hours")] = key(
        name="timeseries.granularity", default="", group=SERIES, doc="seconds, minutes or hours: how dense a series is."
    )
    convert_time: bool = key(
        name="timeseries.timefield.auto.convert",
        default=False,
        group=SERIES,
        doc="Make dates of numbers (ms since 1970) and ISO 8601 text in the time field; the rest stays as it is.",
    )

    @property
    def is_time_series(self) -> bool:
        return bool(self.time_field.strip())

    def class_of(self, name: str, names: JavaName, value: str) -> str:
        """The last part of the class that a key names."""
        return names.resolve(name, value).rpartition(".")[2]

    def for_topic(self, topic: str) -> MongoSinkConfig:
        """With the keys of `topic.override.<topic>.` in place of its own."""
        own = {name: value for name, value in self.originals.items() if not name.startswith(OVERRIDE)}
        overrides = self.originals_with_prefix(f"{OVERRIDE}{topic}.")
        known = {name: value for name, value in overrides.items() if name in self.config_def.keys}
        return MongoSinkConfig.parse(own | known)

    def _check(self) -> None:
        super()._check()
        for name, given in (
            ("timeseries.metafield", self.meta_field),
            ("timeseries.expire.after.seconds", self.expire_after),
            ("timeseries.granularity", self.granularity),
        ):
            if given and not self.is_time_series:
                raise ConfigError("needs timeseries.timefield", key=name)
        self._check_overrides()

    def _check_overrides(self) -> None:
        names = [name for name in self.originals if name.startswith(OVERRIDE)]
        for topic, setting in sorted({overridden(name, self.config_def.keys) for name in names}):
            if setting in ("connection.uri", "topics"):
                raise ConfigError("holds for all topics", key=f"{OVERRIDE}{topic}.{setting}")
            try:
                self.for_topic(topic)
            except ConfigError as error:
                raise ConfigError(str(error), key=f"{OVERRIDE}{topic}.{setting}") from error


def overridden(name: str, known: Mapping[str, Any]) -> tuple[str, str]:
    """Topic and key of an override: topics have dots as keys have, so the longest key counts. ConfigError where the
    name ends with none."""
    steps = name.removeprefix(OVERRIDE).split(".")
    for length in range(1, len(steps)):
        if (setting := ".".join(steps[length:])) in known:
            return ".".join(steps[:length]), setting
    raise ConfigError("ends with no key that topics may override", key=name)
