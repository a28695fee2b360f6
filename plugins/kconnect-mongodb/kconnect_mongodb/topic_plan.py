"""What the configuration makes of one topic's records: where they go, and as which writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kconnect import DataError, SinkRecord
from kconnect_mongodb.change_events import handle_change_event
from kconnect_mongodb.debezium import handle_mongodb_change_stream, handle_mongodb_oplog, handle_rdbms
from kconnect_mongodb.documents import SinkDocument
from kconnect_mongodb.namespaces import Namespace, namespace_mapper
from kconnect_mongodb.post_processors import Processor, processors_of, without_nulls
from kconnect_mongodb.sink_config import HANDLERS, MongoSinkConfig
from kconnect_mongodb.write_models import tombstone_model, value_model
from kconnect_mongodb.writes import Write

Handler = Callable[[SinkDocument], Write | None]


class TopicPlan:
    """Raises ConfigError for strategies that do not go together."""

    def __init__(self, config: MongoSinkConfig, topic: str) -> None:
        self.config = config.for_topic(topic)
        self._namespace = namespace_mapper(self.config, topic)
        self._handler = _handler(self.config)
        # With a handler too: a mistake in what is not used now shows now.
        self._processors: Sequence[Processor] = processors_of(self.config)
        self._value_model = value_model(self.config)
        self._tombstone_model = tombstone_model(self.config)

    def prepared(self, record: SinkRecord) -> tuple[Namespace, Write] | None:
        """None for a record that nothing is to be written of. DataError, without its place, for one that does not
        fit."""
        document = SinkDocument(record)
        namespace = self._namespace(document)
        write = self._write(document) if self._handler is None else self._handler(document)
        return None if write is None else (namespace, write)

    def _write(self, document: SinkDocument) -> Write:
        for process in self._processors:
            process(document)
        if document.value is not None:
            return self._value_model(document)
        if document.key is None:
            raise DataError("the record has neither key nor value")
        if self._tombstone_model is None:
            raise DataError("the record has no value: delete.on.null.values=true has such records delete")
        return self._tombstone_model(document)


def _handler(config: MongoSinkConfig) -> Handler | None:
    if not config.handler:
        return None
    name = HANDLERS.resolve("change.data.capture.handler", config.handler)
    if not name:
        return None
    if name.endswith(("RdbmsHandler", "MysqlHandler", "PostgresHandler")):
        handle = handle_rdbms
    elif name.endswith("MongoDbHandler"):
        handle = handle_mongodb_oplog
    else:
        handle = handle_mongodb_change_stream if ".debezium." in name else handle_change_event
    clean = without_nulls if config.cdc_remove_nulls else None
    return lambda document: handle(document, without_nulls=clean)
