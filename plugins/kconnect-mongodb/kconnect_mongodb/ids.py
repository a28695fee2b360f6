"""Where a document's `_id` comes from: mongo-kafka's id strategies."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from typing import Any

from bson.binary import UUID_SUBTYPE, Binary, UuidRepresentation
from bson.objectid import ObjectId

from kconnect import ConfigError, DataError
from kconnect_mongodb.client import Document
from kconnect_mongodb.documents import SinkDocument
from kconnect_mongodb.projections import Projection, projection_of
from kconnect_mongodb.sink_config import ID_STRATEGIES, MongoSinkConfig

KEY = "document.id.strategy"
IdStrategy = Callable[[SinkDocument], Any]
"""DataError for a record that has no such id."""

OF_KEYS = ("FullKeyStrategy", "PartialKeyStrategy", "ProvidedInKeyStrategy")
"""By which a tombstone's document is found."""
PARTIAL = ("PartialKeyStrategy", "PartialValueStrategy")


def id_class(config: MongoSinkConfig) -> str:
    return config.class_of(KEY, ID_STRATEGIES, config.id_strategy) or "BsonOidStrategy"


def id_strategy(config: MongoSinkConfig) -> IdStrategy:
    match id_class(config):
        case "BsonOidStrategy":
            return lambda _: ObjectId()
        case "FullKeyStrategy":
            return lambda document: copy.deepcopy(document.key) or {}
        case "KafkaMetaDataStrategy":
            return _meta_data
        case "PartialKeyStrategy":
            project = _partial("key", config.id_key_projection, config.id_key_fields, config)
            return lambda document: _projected(document.key, project)
        case "PartialValueStrategy":
            project = _partial("value", config.id_value_projection, config.id_value_fields, config)
            return lambda document: _projected(document.value, project)
        case "ProvidedInKeyStrategy":
            return lambda document: _provided(document.key, "key")
        case "ProvidedInValueStrategy":
            return lambda document: _provided(document.value, "value")
        case "UuidProvidedInKeyStrategy":
            return lambda document: _uuid(_provided(document.key, "key"))
        case "UuidProvidedInValueStrategy":
            return lambda document: _uuid(_provided(document.value, "value"))
        case _ if config.uuid_format.lower() == "string":
            return lambda _: str(uuid.uuid4())
    return lambda _: Binary.from_uuid(uuid.uuid4(), UuidRepresentation.STANDARD)


def _meta_data(document: SinkDocument) -> str:
    record = document.record
    return f"{record.topic}#{record.partition}#{record.offset}"


def _partial(what: str, kind: str, fields: str, config: MongoSinkConfig) -> Projection:
    general, general_fields = (
        (config.key_projection, config.key_fields) if what == "key" else (config.value_projection, config.value_fields)
    )
    project = projection_of(kind or general, fields or general_fields)
    if project is None:
        raise ConfigError(
            f"Partial{what.capitalize()}Strategy needs AllowList or BlockList in "
            f"document.id.strategy.partial.{what}.projection.type",
            key=KEY,
        )
    return project


def _projected(document: Document | None, project: Projection) -> Document:
    found = copy.deepcopy(document) or {}
    project(found)
    return found


def _provided(document: Document | None, what: str) -> Any:
    found = None if document is None else document.get("_id")
    if found is None:
        raise DataError(f"the {what} has no _id, or it is null")
    return found


def _uuid(value: Any) -> Binary:
    if isinstance(value, Binary) and value.subtype in (3, UUID_SUBTYPE):
        return value
    if isinstance(value, str) and len(value) in (32, 36):
        try:
            return Binary.from_uuid(uuid.UUID(value), UuidRepresentation.STANDARD)
        except ValueError:
            pass
    raise DataError(f"its _id {value!r:.80} is no UUID")
