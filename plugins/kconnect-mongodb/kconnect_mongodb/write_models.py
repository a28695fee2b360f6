"""How documents are written: mongo-kafka's write model strategies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kconnect import ConfigError, DataError
from kconnect_mongodb import writes
from kconnect_mongodb.client import Document
from kconnect_mongodb.documents import SinkDocument
from kconnect_mongodb.ids import OF_KEYS, PARTIAL, IdStrategy, id_class, id_strategy
from kconnect_mongodb.sink_config import WRITE_MODELS, MongoSinkConfig
from kconnect_mongodb.writes import Write

KEY = "writemodel.strategy"
DELETE_KEY = "delete.writemodel.strategy"
ON_NULL = "delete.on.null.values"

WriteModel = Callable[[SinkDocument], Write]
"""DataError for a record that cannot be written that way."""


def value_model(config: MongoSinkConfig) -> WriteModel:
    """Of records that have a value."""
    name = config.class_of(KEY, WRITE_MODELS, config.write_model)
    if name == "DefaultWriteModelStrategy":
        name = "InsertOneDefaultStrategy" if config.is_time_series else "ReplaceOneDefaultStrategy"
    return _model(KEY, name, config)


def tombstone_model(config: MongoSinkConfig) -> WriteModel | None:
    """Of records that have none; None where they are not deleted by. ConfigError for a strategy of ids that are not of
    the key."""
    if not config.delete_on_null:
        return None
    name = config.class_of(DELETE_KEY, WRITE_MODELS, config.delete_model)
    if name != "DeleteOneDefaultStrategy":
        return _model(DELETE_KEY, name, config)
    if id_class(config) not in OF_KEYS:
        raise ConfigError(
            f"needs ids of the key, and document.id.strategy is {id_class(config)}",
            key=ON_NULL,
            suggestion=f"one of {', '.join(OF_KEYS)}",
        )
    strategy = id_strategy(config)

    def delete(document: SinkDocument) -> Write:
        document.required_key("a delete")
        return writes.delete({"_id": strategy(document)})

    return delete


def _model(key: str, name: str, config: MongoSinkConfig) -> WriteModel:
    partial = id_class(config) in PARTIAL
    match name:
        case "ReplaceOneDefaultStrategy" | "DefaultWriteModelStrategy":
            return _replace
        case "ReplaceOneBusinessKeyStrategy":
            return lambda document: writes.replace(*_by_business_key(document, partial))
        case "InsertOneDefaultStrategy":
            return lambda document: writes.insert(document.required_value("an insert"))
        case "UpdateOneDefaultStrategy":
            return _update
        case "UpdateOneTimestampsStrategy":
            return _update_with_times
        case "UpdateOneBusinessKeyTimestampStrategy":
            return lambda document: _with_times(*_by_business_key(document, partial))
        case "DeleteOneDefaultStrategy":
            return _delete
        case "DeleteOneBusinessKeyStrategy":
            return lambda document: writes.delete(_by_business_key(document, partial)[0])
    return _tombstone_by_business_key(key, config)


def _replace(document: SinkDocument) -> Write:
    value = document.required_value("a replacement")
    return writes.replace({"_id": _id_of(value)}, value)


def _update(document: SinkDocument) -> Write:
    value = document.required_value("an update")
    match = {"_id": _id_of(value)}
    return writes.update(match, {"$set": {name: each for name, each in value.items() if name != "_id"}})


def _update_with_times(document: SinkDocument) -> Write:
    value = document.required_value("an update")
    return _with_times({"_id": _id_of(value)}, value)


def _with_times(match: Document, value: Document) -> Write:
    now = datetime.now(UTC)
    change = {"$set": {**value, "_modifiedTS": now}, "$setOnInsert": {"_insertedTS": now}}
    return writes.update(match, change)


def _delete(document: SinkDocument) -> Write:
    key = document.required_key("a delete")
    return writes.delete(key if "_id" in key else {"_id": key})


def _by_business_key(document: SinkDocument, partial: bool) -> tuple[Document, Document]:
    """What finds the document, and the value without its `_id`."""
    value = document.required_value("a business key")
    fields = value.get("_id")
    if not isinstance(fields, dict):
        raise DataError(
            "its _id is no document with the fields of the business key (document.id.strategy."
            "overwrite.existing=true replaces one that the value brings)"
        )
    rest = {name: each for name, each in value.items() if name != "_id"}
    return (flattened(fields) if partial else fields), rest


def _tombstone_by_business_key(key: str, config: MongoSinkConfig) -> WriteModel:
    if id_class(config) != "PartialKeyStrategy":
        raise ConfigError(
            f"DeleteOneTombstoneBusinessKeyStrategy needs PartialKeyStrategy, and document.id.strategy is "
            f"{id_class(config)}",
            key=key,
        )
    strategy: IdStrategy = id_strategy(config)

    def delete(document: SinkDocument) -> Write:
        document.required_key("a delete")
        return writes.delete(flattened(strategy(document)))

    return delete


def _id_of(value: Document) -> Any:
    if "_id" not in value:
        raise DataError("the document has no _id")
    return value["_id"]


def flattened(document: Document, above: str = "") -> Document:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`."""
    flat: Document = {}
    for name, value in document.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = value
    return flat
