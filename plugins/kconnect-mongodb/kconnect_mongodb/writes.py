"""Single writes, their documents encoded once: so that each is measured, and refused, by itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import bson
import pymongo
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from kconnect import DataError
from kconnect_mongodb.client import CODEC, Document

Operation = pymongo.InsertOne[Any] | pymongo.ReplaceOne[Any] | pymongo.UpdateOne | pymongo.DeleteOne


class Write(NamedTuple):
    """One record's write. `size` is that of its document, in bytes; `inserted` the document of an insert."""

    operation: Operation
    size: int
    inserted: RawBSONDocument | None = None


def insert(document: Document) -> Write:
    raw = encoded(document)
    return Write(pymongo.InsertOne(raw), len(raw.raw), raw)


def replace(match: Document, document: Document, *, upsert: bool = True) -> Write:
    """DataError for a document that MongoDB would take for a change, or cannot hold."""
    if document and next(iter(document)).startswith("$"):
        raise DataError(f"the document's first field is {next(iter(document))!r}, which names a change")
    raw = encoded(document)
    return Write(pymongo.ReplaceOne(_filter(match), raw, upsert=upsert), len(raw.raw))


def update(match: Document, change: Document, *, upsert: bool = True) -> Write:
    raw = encoded(change)
    if not change or not all(name.startswith("$") for name in change):
        raise DataError("it changes nothing" if not change else "it is no change: its fields must begin with $")
    return Write(pymongo.UpdateOne(_filter(match), raw, upsert=upsert), len(raw.raw))


def delete(match: Document) -> Write:
    return Write(pymongo.DeleteOne(_filter(match)), 0)


def encoded(document: Document) -> RawBSONDocument:
    """DataError for what BSON cannot hold: a name with a NUL in it, a number that is too large …"""
    try:
        return RawBSONDocument(bson.encode(document, codec_options=CODEC), RAW)
    except (BSONError, OverflowError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"MongoDB cannot hold it: {error}") from error


def _filter(match: Document) -> RawBSONDocument:
    return encoded(match)


RAW: bson.codec_options.CodecOptions[RawBSONDocument] = CODEC.with_options(document_class=RawBSONDocument)
