"""The MongoDB source: change streams, after a copy of what is there if that is wanted, or a poll by a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from bson.errors import BSONError
from pymongo.errors import PyMongoError

from kconnect import (
    ConfigError,
    ConnectError,
    DataError,
    ExactlyOnceSupport,
    RetriableError,
    SourceConnector,
    SourceRecord,
    SourceTask,
)
from kconnect.config import ConfigValue
from kconnect_mongodb.change_stream import ChangeStreamReader
from kconnect_mongodb.client import Client, Document, client_of, closed
from kconnect_mongodb.connection_config import add_error, refusals
from kconnect_mongodb.copying import CopyingReader
from kconnect_mongodb.failures import translated, translating
from kconnect_mongodb.json_text import parse_document
from kconnect_mongodb.polling import PollingReader, position_of
from kconnect_mongodb.reader import COPY, HEARTBEAT, ID, Pause, Reader
from kconnect_mongodb.source_config import UNCOVERED, MongoSourceConfig
from kconnect_mongodb.source_records import RecordMaker


class MongoSourceTask(SourceTask[MongoSourceConfig]):
    """After an error it goes on behind what it has read; the stored offset counts when it starts."""

    disposable_values = True

    _client: Client | None = None

    def start(self, config: MongoSourceConfig) -> None:
        self._pause = Pause()
        self._address = config.address
        self._make = RecordMaker(config)
        self._client = client_of(config, "source")
        offset = self.context.offset_storage_reader.offset(config.partition)
        self._reader = self._reader_for(config, self._client, offset)
        with suppress(RetriableError), translating(self._address):  # it may come later; a wrong password is told now
            self._client.admin.command("ping")

    def poll(self) -> Sequence[SourceRecord]:
        if self._pause.is_stopped():
            return []
        try:
            records = self._make.records(self._reader.read())
        except (PyMongoError, BSONError) as error:
            if self._pause.is_stopped():
                return []
            self._reader.close()
            raise translated(error, self._address) from error
        if records or (beat := self._reader.heartbeat()) is None:
            return records
        return [self._make.heartbeat(beat)]

    def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._pause.stop()
            closed(client)

    def _reader_for(self, config: MongoSourceConfig, client: Client, offset: Mapping[str, Any] | None) -> Reader:
        if config.polling_field:
            return PollingReader(config, client, self._pause, offset)
        is_partial = offset is not None and COPY in offset
        token = None if offset is None or is_partial else token_of(offset)
        stream = ChangeStreamReader(config, client, self._pause, token)
        return CopyingReader(config, client, stream) if config.copies and token is None else stream


class MongoSource(SourceConnector[MongoSourceConfig]):
    """One task: a change stream has one order."""

    task = MongoSourceTask

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        values = super().validate(props) + refusals(UNCOVERED, props)
        if not any(value.errors for value in values):
            try:
                RecordMaker(MongoSourceConfig.parse(props))
            except ConfigError as error:
                add_error(values, error)
        return values

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [dict(self.props)]

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        """A copy that is interrupted begins anew."""
        copies = MongoSourceConfig.parse(props).copies
        return ExactlyOnceSupport.UNSUPPORTED if copies else ExactlyOnceSupport.SUPPORTED

    def alter_offsets(
        self, props: Mapping[str, str], offsets: Mapping[frozenset[tuple[str, Any]], Mapping[str, Any] | None]
    ) -> bool:
        config = MongoSourceConfig.parse(props)
        for partition, offset in offsets.items():
            if offset is None:
                continue  # of whatever name: it may be forgotten
            if dict(partition) != config.partition:
                raise ConnectError(f"the partition {dict(partition)} is not read: it must be {config.partition}")
            try:
                if config.polling_field:
                    position_of(offset, config.polling_field)
                else:
                    token_of(offset)
            except DataError as error:
                raise ConnectError(str(error)) from error
        return True


def token_of(offset: Mapping[str, Any]) -> Document:
    """The resume token. DataError for what is no offset of a change stream."""
    text, others = offset.get(ID), offset.keys() - {ID, COPY, HEARTBEAT}
    if not isinstance(text, str) or others:
        raise DataError(f"the offset {dict(offset)} is none of a change stream: it has the resume token's JSON as {ID}")
    try:
        return parse_document(text)
    except DataError as error:
        raise DataError(f"the offset's {ID} {error}") from error
