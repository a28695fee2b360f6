"""Which collection a record goes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kconnect import ConfigError, DataError
from kconnect_mongodb.client import Document
from kconnect_mongodb.documents import SinkDocument
from kconnect_mongodb.sink_config import MAPPERS, MongoSinkConfig

KEY = "namespace.mapper"


class Namespace(NamedTuple):
    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"


NamespaceMapper = Callable[[SinkDocument], Namespace]
"""DataError for a record whose fields name none."""


def namespace_mapper(config: MongoSinkConfig, topic: str) -> NamespaceMapper:
    default = Namespace(config.database, config.collection or topic)
    try:
        _checked(default)
    except DataError as error:
        named = "database" if str(error).endswith("database") else "collection"
        raise ConfigError(str(error), key=named) from error
    if config.class_of(KEY, MAPPERS, config.mapper) == "DefaultNamespaceMapper":
        return lambda _: default
    database = _field("database", config.key_database_field, config.value_database_field)
    collection = _field("collection", config.key_collection_field, config.value_collection_field)
    if database is None and collection is None:
        raise ConfigError("FieldPathNamespaceMapper needs the field of database or collection", key=KEY)
    strict = config.mapper_strict

    def of(document: SinkDocument) -> Namespace:
        return _checked(
            Namespace(
                _named(document, database, default.database, strict),
                _named(document, collection, default.collection, strict),
            )
        )

    return of


Field = tuple[str, str]


def _field(what: str, key: str, value: str) -> Field | None:
    if key and value:
        raise ConfigError(
            f"cannot be beside namespace.mapper.value.{what}.field", key=f"namespace.mapper.key.{what}.field"
        )
    return ("key", key) if key else ("value", value) if value else None


def _named(document: SinkDocument, field: Field | None, default: str, strict: bool) -> str:
    if field is None:
        return default
    where, path = field
    found = field_at(document.key if where == "key" else document.value, path)
    if isinstance(found, str) and found:
        return found
    if strict:
        raise DataError(f"the {where} has no text at {path}, which names where it goes (namespace.mapper)")
    return default


def field_at(document: Document | None, path: str) -> Any:
    """By a field of the whole name, or step by step; None where there is none."""
    if document is None or path in document:
        return None if document is None else document[path]
    first, dot, rest = path.partition(".")
    below = document.get(first) if dot and rest else None
    return field_at(below, rest) if isinstance(below, dict) else None


def _checked(namespace: Namespace) -> Namespace:
    if any(letter in namespace.database for letter in '/\\. "$\0') or not namespace.database:
        raise DataError(f"{namespace.database!r} is no name of a database")
    if "$" in namespace.collection or "\0" in namespace.collection or not namespace.collection:
        raise DataError(f"{namespace.collection!r} is no name of a collection")
    return namespace
