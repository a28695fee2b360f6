"""The sink's handler of MongoDB's own change events: what happened in one place is done in another."""

from __future__ import annotations

from typing import Any

from kconnect import DataError
from kconnect_mongodb import writes
from kconnect_mongodb.client import Document
from kconnect_mongodb.documents import SinkDocument
from kconnect_mongodb.writes import Write

_UPDATE_FIELDS = frozenset({"updatedFields", "removedFields", "truncatedArrays", "disambiguatedPaths"})


def handle_change_event(document: SinkDocument, *, without_nulls: Any = None) -> Write | None:
    """None for an event of anything but documents. DataError for one that is incomplete."""
    event = document.value or {}
    kind = event.get("operationType")
    if not isinstance(kind, str):
        raise DataError("the value is no change event: it has no operationType")
    match kind.lower():
        case "insert" | "replace":
            return _replace(_document(event, "documentKey"), event, without_nulls, upsert=True)
        case "update" if "fullDocument" in event:
            return _replace(_document(event, "documentKey"), event, without_nulls, upsert=False)
        case "update":
            return _update(_document(event, "documentKey"), event, without_nulls)
        case "delete":
            return writes.delete(_document(event, "documentKey"))
    return None


def _replace(match: Document, event: Document, without_nulls: Any, *, upsert: bool) -> Write | None:
    full = _document(event, "fullDocument")
    if without_nulls is not None:
        without_nulls(full)
        if not full:
            return None
    return writes.replace(match, full, upsert=upsert)


def _update(match: Document, event: Document, without_nulls: Any) -> Write | None:
    description = _document(event, "updateDescription")
    unknown = description.keys() - _UPDATE_FIELDS
    if unknown:
        raise DataError(f"its updateDescription has what is not known, and may matter: {', '.join(sorted(unknown))}")
    if description.get("truncatedArrays"):
        raise DataError(
            "its updateDescription has truncatedArrays, which no single change can do: have the source look documents "
            "up (change.stream.full.document=updateLookup)"
        )
    updated, removed = _document(description, "updatedFields"), description.get("removedFields")
    if not isinstance(removed, list) or not all(isinstance(each, str) for each in removed):
        raise DataError("its updateDescription has no list of names as removedFields")
    if without_nulls is not None:
        without_nulls(updated)
    change: Document = {"$set": updated} if updated else {}
    if removed:
        change["$unset"] = dict.fromkeys(removed, "")
    return writes.update(match, change, upsert=False) if change else None


def _document(event: Document, field: str) -> Document:
    found = event.get(field)
    if not isinstance(found, dict):
        raise DataError(f"the change event has no document as {field}")
    return found
