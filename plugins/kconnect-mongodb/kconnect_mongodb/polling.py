"""The reader by a field, for servers without a replica set: what is new since the last document."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bson.objectid import ObjectId
from pymongo import ASCENDING

from kconnect import DataError
from kconnect_mongodb.client import CODEC, Client, Document
from kconnect_mongodb.json_text import EXTENDED, parse_value
from kconnect_mongodb.namespaces import field_at
from kconnect_mongodb.reader import ID, Found, Pause, insert_event
from kconnect_mongodb.source_config import MongoSourceConfig

FIELD: Final = "field"
VALUE: Final = "value"
_WAIT_S: Final = 1.0


class PollingReader:
    """By the field and then by `_id`, so that documents of one value are told apart. A document without the field, or
    with null in it, is not read."""

    def __init__(
        self, config: MongoSourceConfig, client: Client, pause: Pause, offset: Mapping[str, Any] | None
    ) -> None:
        self._config = config
        self._field = config.polling_field
        database = client.get_database(config.database, codec_options=CODEC)
        self._admin = client.admin
        self._collection = database[config.collection]
        self._pause = pause
        self._position = None if offset is None else position_of(offset, self._field)
        self._again_at = 0.0

    def read(self) -> Sequence[Found]:
        wait = self._again_at - time.monotonic()
        if wait > 0:
            self._pause.wait(min(wait, _WAIT_S))
            return []
        order = [(self._field, ASCENDING)] if self._field == ID else [(self._field, ASCENDING), (ID, ASCENDING)]
        with self._collection.find(self._match()).sort(order).limit(self._config.poll_size) as cursor:
            documents = list(cursor)
        found = []
        for document in documents:
            value = field_at(document, self._field)
            event = insert_event(self._config.database, self._config.collection, document)
            found.append(Found(event, self._offset(value, document[ID])))
            self._position = (value, document[ID])
        if not found:
            self._again_at = time.monotonic() + self._config.polling_interval_ms / 1000
        return found

    def heartbeat(self) -> dict[str, str] | None:
        return None

    def close(self) -> None:
        pass

    def _match(self) -> Document:
        """What is behind the position, and old enough."""
        field, limit = self._field, self._limit()
        old_enough: list[Document] = [{field: {"$lt": limit}}] if limit is not None else []
        if self._position is None:
            return {"$and": [{field: {"$exists": True, "$ne": None}}, *old_enough]}
        value, identity = self._position
        behind: list[Document] = [{field: {"$gt": value}}]
        if field != ID:
            behind.append({field: value, ID: {"$gt": identity}})
        return {"$and": [{"$or": behind} if len(behind) > 1 else behind[0], *old_enough]}

    def _limit(self) -> Any:
        """None where the field's values have no age."""
        value = self._position[0] if self._position is not None else self._first()
        if not self._config.polling_delay_ms or not isinstance(value, ObjectId | datetime):
            return None
        now = self._admin.command("hello").get("localTime", datetime.now(UTC))
        limit = now - timedelta(milliseconds=self._config.polling_delay_ms)
        return ObjectId.from_datetime(limit) if isinstance(value, ObjectId) else limit

    def _first(self) -> Any:
        document = self._collection.find_one({self._field: {"$exists": True, "$ne": None}}, {self._field: 1})
        return field_at(document, self._field)

    def _offset(self, value: Any, identity: Any) -> dict[str, str]:
        return {FIELD: self._field, VALUE: EXTENDED.value(value), ID: EXTENDED.value(identity)}


def position_of(offset: Mapping[str, Any], field: str) -> tuple[Any, Any]:
    """Value and `_id` of the last document. DataError for what is no offset of this field."""
    if offset.get(FIELD) != field or offset.keys() != {FIELD, VALUE, ID}:
        raise DataError(
            f"the offset {dict(offset)} is none of polling.field={field}, which has {FIELD}, {VALUE} and {ID}"
        )
    try:
        value, identity = (parse_value(str(offset[name])) for name in (VALUE, ID))
    except DataError as error:
        raise DataError(f"the offset {dict(offset)} holds what is no Extended JSON") from error
    return value, identity
