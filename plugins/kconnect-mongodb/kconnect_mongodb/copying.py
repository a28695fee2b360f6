"""The reader of what is there already, and then of its changes: `startup.mode=copy_existing`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from kconnect.java_regex import JavaPattern
from kconnect_mongodb.change_stream import ChangeStreamReader
from kconnect_mongodb.client import CODEC, Client, Document
from kconnect_mongodb.namespaces import Namespace
from kconnect_mongodb.reader import COPY, TRUE, Found, insert_event, offset_of
from kconnect_mongodb.source_config import MongoSourceConfig

_OWN_DATABASES: Final = ("admin", "config", "local")
_OWN_COLLECTIONS: Final = "system."


class CopyingReader:
    """Collections one after another, in no more memory than a poll takes. What changes meanwhile comes by the stream,
    whose place is taken before the copy begins. A copy that was interrupted begins anew."""

    def __init__(self, config: MongoSourceConfig, client: Client, stream: ChangeStreamReader) -> None:
        self._config = config
        self._client = client
        self._stream = stream
        self._events: Iterator[Document] | None = None
        self._next: Document | None = None
        self._is_done = False

    def read(self) -> Sequence[Found]:
        if self._is_done:
            return self._stream.read()
        if self._events is None:
            self._stream.open()
            self._stream.close()
            self._events = self._all()
            self._next = next(self._events, None)
        found = []
        if self._next is not None:
            events = [self._next, *islice(self._events, self._config.poll_size - 1)]
            found = [Found(event, {**offset_of(event["_id"]), COPY: TRUE}) for event in events]
            self._next = next(self._events, None)
        if self._next is None:
            self._is_done = True
            if found and self._stream.token is not None:  # the copy is complete when the last record is stored
                found[-1] = Found(found[-1].event, offset_of(self._stream.token))
        return found

    def heartbeat(self) -> dict[str, str] | None:
        return self._stream.heartbeat() if self._is_done else None

    def close(self) -> None:
        """A copy begins anew with the next read."""
        self._events = self._next = None
        self._stream.close()

    def _all(self) -> Iterator[Document]:
        for namespace in self._namespaces():
            yield from self._of(namespace)

    def _of(self, namespace: Namespace) -> Iterator[Document]:
        config = self._config
        collection = self._client.get_database(namespace.database, codec_options=CODEC)[namespace.collection]
        stages = config.copy_pipeline
        if config.pipeline:
            # Written for events: so the server has to make events.
            stages = [*stages, {"$replaceRoot": {"newRoot": _event_stage(namespace)}}, *config.pipeline]
        with collection.aggregate(stages, allowDiskUse=config.copy_uses_disk) as cursor:
            for document in cursor:
                yield document if config.pipeline else insert_event(*namespace, document)

    def _namespaces(self) -> list[Namespace]:
        config = self._config
        if config.collection:
            found = [Namespace(config.database, config.collection)]
        else:
            databases = [config.database] if config.database else self._client.list_database_names()
            found = [
                Namespace(database, collection)
                for database in databases
                if database not in _OWN_DATABASES
                for collection in sorted(self._client[database].list_collection_names())
                if not collection.startswith(_OWN_COLLECTIONS)
            ]
        regex = JavaPattern(config.copy_namespaces) if config.copy_namespaces else None
        return [each for each in found if regex is None or regex.search_groups(str(each)) is not None]


def _event_stage(namespace: Namespace) -> Document:
    """`insert_event` as the server makes it. Names are literals, whatever is in them."""
    place = {"db": {"$literal": namespace.database}, "coll": {"$literal": namespace.collection}}
    return {
        "_id": {"_id": "$_id", "copyingData": {"$literal": True}},
        "operationType": {"$literal": "insert"},
        "ns": place,
        "documentKey": {"_id": "$_id"},
        "fullDocument": "$$ROOT",
    }
