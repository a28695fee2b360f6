"""The SQL sink task: records in, rows out, one transaction per batch."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from kconnect.columnar import ColumnarRecords
from kconnect.errors import ConfigError, ConnectError, DataError, RetriableError
from kconnect.record import SinkRecord
from kconnect.schema import Schema
from kconnect.sink import SinkTask
from kconnect_sql.config import SqlSinkConfig
from kconnect_sql.dialect import dialect_of
from kconnect_sql.login import first_connection
from kconnect_sql.shape import Shape, shape_of, where
from kconnect_sql.table import Table
from kconnect_sql.table_form import TableForm
from kconnect_sql.writer import Writer

SHAPES_MAX = 1000
"""Of which one is made anew in no time: records may bring ever new schemas."""

ShapeKey = tuple[str, Schema | None, Schema | None, bool, bool]


class SqlSinkTask(SinkTask[SqlSinkConfig]):
    """Rows of a `put` are committed before it returns: at least once, and once for keyed upserts."""

    columnar = True

    def start(self, config: SqlSinkConfig) -> None:
        self._config = config
        self._dialect, self._url = dialect_of(config)
        self._writer: Writer | None = None
        self._shapes: dict[ShapeKey, Shape] = {}
        self._retries = config.max_retries
        self._mapping = dict(mapped(entry) for entry in config.topics_to_tables_mapping or ())
        first_connection(config, self._connect, threading.Event())

    def put(self, records: Sequence[SinkRecord]) -> None:
        if not records:
            return
        try:
            writer = self._writer or self._connect()
            try:
                with writer.transaction():
                    self._write(writer, records)
            except DataError:
                self._form.forget()
                self._write_around(writer, records)
        except RetriableError as error:
            self._disconnect()
            if self._retries == 0:
                raise ConnectError(
                    f"gave up after {self._config.max_retries} retries (max.retries): {error}"
                ) from error
            self._retries -= 1
            self.context.timeout(self._config.retry_backoff_ms)
            raise
        self._retries = self._config.max_retries

    def stop(self) -> None:
        self._disconnect()

    def _connect(self) -> Writer:
        self._writer = writer = self._dialect.writer(self._url, self._config)
        self._form = TableForm(self._config, writer)
        return writer

    def _disconnect(self) -> None:
        writer, self._writer = getattr(self, "_writer", None), None
        if writer is not None:
            writer.close()

    def _write_around(self, writer: Writer, records: Sequence[SinkRecord]) -> None:
        """Write what can be written, in one transaction, and report the rest; DataError for the first bad record if
        errors are not reported."""
        reporter = self.context.errant_record_reporter
        with writer.transaction():
            for record, error in self._refused(writer, records):
                if reporter is None:
                    raise error
                reporter.report(record, error)

    def _refused(self, writer: Writer, records: Sequence[SinkRecord]) -> Iterator[tuple[SinkRecord, DataError]]:
        """Write all but the records that are given, each with its error; found by halving."""
        try:
            with writer.savepoint():
                self._write(writer, records)
        except DataError as error:
            self._form.forget()
            if len(records) == 1:
                told = str(error).startswith(where(records[0]))
                yield records[0], error if told else DataError(f"{where(records[0])}: {error}")
                return
            middle = len(records) // 2
            yield from self._refused(writer, records[:middle])
            yield from self._refused(writer, records[middle:])

    def _write(self, writer: Writer, records: Sequence[SinkRecord]) -> None:
        for key, run in _runs(records):
            shape = self._shapes.get(key)
            if shape is None:
                if len(self._shapes) >= SHAPES_MAX:
                    self._shapes.clear()
                shape = self._shapes[key] = shape_of(self._config, run[0])
            table = self._table(key[0])
            deletes = key[3]
            if not deletes:
                self._form.fit(table, shape, run)
            for part in _parts(run, self._config.batch_size):
                if deletes:
                    self._delete(writer, table, shape, part)
                else:
                    self._store(writer, table, shape, part)

    def _store(self, writer: Writer, table: Table, shape: Shape, records: Sequence[SinkRecord]) -> None:
        mode = self._config.insert_mode
        if mode == "insert":
            writer.insert(table, shape, shape.rows(records))
            return
        if not shape.keys:
            raise ConnectError(f"insert.mode={mode} needs a primary key: set pk.mode, and pk.fields where it asks")
        # The last record of a key wins.
        rows = dict(zip(shape.key_rows(records), shape.rows(records), strict=True))
        (writer.upsert if mode == "upsert" else writer.update)(table, shape, list(rows.values()))

    def _delete(self, writer: Writer, table: Table, shape: Shape, records: Sequence[SinkRecord]) -> None:
        if not (self._config.delete_enabled and self._config.pk_mode == "record_key"):
            raise DataError(
                f"{where(records[0])} is a tombstone; set delete.enabled=true with pk.mode=record_key to delete its "
                "row, or filter it out"
            )
        writer.delete(table, shape, shape.key_rows(records))

    def _table(self, topic: str) -> Table:
        name = self._mapping.get(topic) or self._config.table_name_format.replace("${topic}", topic)
        if self._config.table_name_normalize:
            name = re.sub(r"[^A-Za-z0-9_]", "_", name)
        return self._dialect.table(name)


def _runs(records: Sequence[SinkRecord]) -> Iterable[tuple[ShapeKey, Sequence[SinkRecord]]]:
    """Neighbours of one shape, which columnar records have already."""
    if isinstance(records, ColumnarRecords):
        return [((records.topic, records.key_schema, records.value_schema, False, records.keys is None), records)]
    return ((key, list(run)) for key, run in groupby(records, _shape_key))


def _parts(records: Sequence[SinkRecord], size: int) -> list[Sequence[SinkRecord]]:
    """At most `size` records each; 0 is for any number."""
    if not size or len(records) <= size:
        return [records]
    return [records[begin : begin + size] for begin in range(0, len(records), size)]


def _shape_key(record: SinkRecord) -> ShapeKey:
    return record.topic, record.key_schema, record.value_schema, record.value is None, record.key is None


def mapped(entry: str) -> tuple[str, str]:
    """An entry of `topics.to.tables.mapping`: the topic, and its table."""
    topic, separator, table = entry.partition(":")
    if not (topic and separator and table):
        raise ConfigError("is not topic:table", key="topics.to.tables.mapping", value=entry)
    return topic, table
