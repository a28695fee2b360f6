"""The reader of change streams: goes on behind the last token, after whatever interrupts it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo.change_stream import ChangeStream
from pymongo.errors import InvalidOperation, OperationFailure, PyMongoError

from kconnect import ConnectError
from kconnect_mongodb.client import CODEC, Client, Document
from kconnect_mongodb.failures import NOT_FOUND, NOT_IMPLEMENTED, message_of
from kconnect_mongodb.json_text import RELAXED
from kconnect_mongodb.reader import HEARTBEAT, TRUE, Found, Pause, offset_of
from kconnect_mongodb.source_config import MongoSourceConfig

log = logging.getLogger(__name__)

_AWAIT_MS: Final = 1000
_TOKEN_CODES: Final = frozenset({222, 260, 280, 286, 10334})
"""A token that is none, or lies before what the oplog has; an event too large to go past."""
_TOKEN_WORDS: Final = (
    ("resume token", "resume point"),
    ("not found", "does not exist", "invalid resume token", "no longer be in the oplog"),
)
_ILLEGAL: Final = (20, 40415, 40573, 40324)
_NO_REPLICA_SET: Final = 40573


class ChangeStreamReader:
    """`token` is where to go on; None: where `startup.mode` says."""

    def __init__(self, config: MongoSourceConfig, client: Client, pause: Pause, token: Document | None) -> None:
        self._config = config
        self._client = client
        self._pause = pause
        self._token = token
        self._stream: ChangeStream[Document] | None = None
        self._beat_at = time.monotonic()
        self._beat_token: Document | None = None

    @property
    def token(self) -> Document | None:
        """Behind everything that was read."""
        return self._token

    def read(self) -> Sequence[Found]:
        stream = self._opened()
        if stream is None:
            self._pause.wait(_AWAIT_MS / 1000)
            return []
        try:
            found = self._batch(stream)
        except PyMongoError as error:
            self.close()
            if not _is_of_token(error):
                raise
            self._begin_anew(error)
            return []
        if not stream.alive:  # behind an event that ends it: a collection dropped, say
            self.close()
        return found

    def heartbeat(self) -> dict[str, str] | None:
        interval = self._config.heartbeat_ms / 1000
        if not interval or time.monotonic() - self._beat_at <= interval:
            return None
        self._beat_at = time.monotonic()
        if self._token is None or self._token == self._beat_token:
            return None
        self._beat_token = self._token
        return {**offset_of(self._token), HEARTBEAT: TRUE}

    def close(self) -> None:
        """Opened again by the next read, where it was."""
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except (PyMongoError, InvalidOperation) as error:
                log.debug("the change stream could not be closed in order: %s", error)

    def open(self) -> None:
        """Take hold of where the stream is now, before anything else is read."""
        if self._opened() is not None and self._token is None:
            raise ConnectError(
                "startup.mode=copy_existing: this server does not say where its change stream begins; MongoDB 4.2 and "
                "newer do"
            )

    def _batch(self, stream: ChangeStream[Document]) -> list[Found]:
        found: list[Found] = []
        while len(found) < self._config.poll_size:
            event = stream.try_next()
            if event is None:
                break
            found.append(Found(event, offset_of(event["_id"])))
            # Not to wait for more while there are some: the driver says so nowhere else.
            if not stream._cursor._has_next():
                break
        if found:
            self._token = found[-1].event["_id"]
        elif stream.resume_token is not None:
            self._token = dict(stream.resume_token)
        return found

    def _opened(self) -> ChangeStream[Document] | None:
        """None while what is to be watched is not there."""
        if self._stream is None:
            try:
                self._stream = self._watch()
            except OperationFailure as error:
                self._judge(error)
                return None
            if self._token is None and self._stream.resume_token is not None:
                self._token = dict(self._stream.resume_token)
        return self._stream

    def _watch(self) -> ChangeStream[Document]:
        config = self._config
        options: dict[str, Any] = {"max_await_time_ms": min(config.poll_await_ms, _AWAIT_MS)}
        if self._token is not None:
            options["start_after"] = self._token
        elif (moment := config.startup_time) is not None:
            options["start_at_operation_time"] = moment
        full = "updateLookup" if config.full_document_only else config.full_document
        given: Mapping[str, Any] = {
            "full_document": "" if full == "default" else full,
            "full_document_before_change": config.full_document_before.removeprefix("default"),
            "batch_size": config.batch_size,
            "show_expanded_events": config.expanded_events or None,
        }
        options |= {name: value for name, value in given.items() if value}
        if not config.database:
            # Of a client codecs cannot be told apart from a database's.
            return self._client.watch(config.pipeline, **options)
        database = self._client.get_database(config.database, codec_options=CODEC)
        if not config.collection:
            return database.watch(config.pipeline, **options)
        return database.get_collection(config.collection).watch(config.pipeline, **options)

    def _judge(self, error: OperationFailure) -> None:
        if error.code == NOT_FOUND:
            return
        if self._token is not None and _is_of_token(error):
            self._begin_anew(error)
            return
        if error.code in (*NOT_IMPLEMENTED, _NO_REPLICA_SET):
            raise ConnectError(
                f"the server has no change streams: {message_of(error)}. They need a replica set; without one "
                "polling.field reads a collection"
            ) from error
        if error.code in _ILLEGAL:
            raise ConnectError(
                f"the change stream is refused: {message_of(error)}. Check pipeline, and what the server's version has"
            ) from error
        raise error

    def _begin_anew(self, error: PyMongoError) -> None:
        """ConnectError unless that is tolerated."""
        token = "" if self._token is None else RELAXED.text(self._token)
        if not self._config.tolerates:
            raise ConnectError(
                f"the change stream cannot go on behind {token}: {message_of(error)}. Events since then are lost. "
                "To go on with what happens from now on, reset the connector's offsets, set offset.partition.name to a "
                "new name, or errors.tolerance=all; with startup.mode=copy_existing everything is read again"
            ) from error
        log.error(
            "the change stream cannot go on behind %s (%s): it begins anew, as errors.tolerance=all says; EVENTS "
            "BETWEEN ARE LOST",
            token,
            message_of(error),
        )
        self._token = None


def _is_of_token(error: PyMongoError) -> bool:
    if getattr(error, "code", None) in _TOKEN_CODES:
        return True
    text = message_of(error).lower()
    return all(any(word in text for word in words) for words in _TOKEN_WORDS)
