"""The sink's handlers of Debezium's change events, of MongoDB and of relational databases."""

from __future__ import annotations

import copy
from collections.abc import Callable

from bson.objectid import ObjectId

from kconnect import DataError
from kconnect_mongodb import writes
from kconnect_mongodb.client import Document
from kconnect_mongodb.documents import SinkDocument
from kconnect_mongodb.json_text import parse_document, parse_value
from kconnect_mongodb.writes import Write

Clean = Callable[[Document], None]

_OPERATIONS = ("c", "r", "u", "d")


def handle_rdbms(document: SinkDocument, *, without_nulls: Clean | None = None) -> Write | None:
    """Rows as documents: `_id` is the document of the primary key, the other columns are fields."""
    key, value = document.key or {}, document.value or {}
    if not value:
        return None  # a tombstone, behind the delete
    operation = _operation(value)
    if operation is None:
        return None
    match = _row_filter(key, value, operation)
    if operation == "d":
        return writes.delete(match)
    after = value.get("after")
    if not isinstance(after, dict) or not after:
        raise DataError("the event has no document as after")
    row = {"_id": copy.deepcopy(match["_id"])} if "_id" in match else {}
    row |= {name: each for name, each in after.items() if name not in key}
    return _replace(match, row, without_nulls)


def handle_mongodb_oplog(document: SinkDocument, *, without_nulls: Clean | None = None) -> Write | None:
    """Of Debezium before 2.0, whose updates are patches."""
    return _mongodb(document, without_nulls, patches=True)


def handle_mongodb_change_stream(document: SinkDocument, *, without_nulls: Clean | None = None) -> Write | None:
    """Of Debezium from change streams: updates bring the whole document."""
    return _mongodb(document, without_nulls, patches=False)


def _mongodb(document: SinkDocument, without_nulls: Clean | None, *, patches: bool) -> Write | None:
    key, value = document.key or {}, document.value or {}
    if not key:
        raise DataError("the record has no key, which Debezium's events have")
    if "id" in key and not value:
        return None  # a tombstone, behind the delete
    operation = _operation(value)
    if operation is None:
        return None
    if operation == "d":
        return writes.delete(_match(key))
    if operation == "u" and patches:
        return _patch(key, _json(value, "patch"), without_nulls)
    after = _json(value, "after")
    if operation != "u" and "_id" not in after:
        raise DataError("the event's after has no _id")
    return _replace({"_id": after["_id"]} if operation != "u" else _match(key), after, without_nulls)


def _patch(key: Document, patch: Document, without_nulls: Clean | None) -> Write | None:
    patch.pop("$v", None)
    if "_id" in patch:
        return _replace({"_id": patch["_id"]}, patch, without_nulls)
    if without_nulls is not None and isinstance(patch.get("$set"), dict):
        without_nulls(patch["$set"])
        if not patch["$set"]:
            del patch["$set"]
    return writes.update(_match(key), patch, upsert=False) if patch else None


def _replace(match: Document, document: Document, without_nulls: Clean | None) -> Write | None:
    if without_nulls is not None:
        without_nulls(document)
        if not document:
            return None
    return writes.replace(match, document)


def _operation(value: Document) -> str | None:
    """None for an event of the schema."""
    operation = value.get("op")
    if operation is None and "ddl" in value:
        return None
    if operation not in _OPERATIONS:
        raise DataError(f"the value is no change event of Debezium: op is {operation!r:.40}")
    return str(operation)


def _row_filter(key: Document, value: Document, operation: str) -> Document:
    if key:
        return {"_id": dict(key)}
    if operation in ("c", "r"):
        return {"_id": ObjectId()}
    before = value.get("before")
    if not isinstance(before, dict) or not before:
        raise DataError("the table has no primary key and the event no document as before: the row is not found")
    return dict(before)


def _match(key: Document) -> Document:
    identity = key.get("id")
    if not isinstance(identity, str):
        raise DataError("the key has no JSON text as id")
    return {"_id": parse_value(identity)}


def _json(value: Document, field: str) -> Document:
    text = value.get(field)
    if not isinstance(text, str):
        raise DataError(f"the event has no JSON text as {field}")
    try:
        return parse_document(text)
    except DataError as error:
        raise DataError(f"the event's {field} {error}") from error
