"""The SQL source task: looks at each of its tables in turn."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from kconnect.errors import RetriableError
from kconnect.record import RowBatch
from kconnect.source import SourceTask
from kconnect_sql.config import SqlTaskConfig
from kconnect_sql.cursor import TableCursor
from kconnect_sql.dialect import Reader, Table, dialect_of
from kconnect_sql.position import Position, earlier_partitions, partition_of

WAIT_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Turn:
    """A table's next look: when it is due (monotonic seconds), and the batches of the look that is under way."""

    cursor: TableCursor
    due: float = 0.0
    batches: Iterator[RowBatch] | None = None


class SqlSourceTask(SourceTask[SqlTaskConfig]):
    """Reads tables, or a query, in the order in which they are due. A lost connection is made anew at the next poll."""

    disposable_values = True

    def start(self, config: SqlTaskConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._dialect, self._url = dialect_of(config)
        self._reader: Reader | None = None
        self._turns: list[_Turn] = []
        self._connect()

    def poll(self) -> RowBatch | None:
        try:
            if self._reader is None:
                self._connect()
            return self._next_batch()
        except RetriableError:
            self._disconnect()
            raise

    def stop(self) -> None:
        if hasattr(self, "_stopping"):
            if self._stopping.is_set():
                self._disconnect()
            self._stopping.set()

    def _connect(self) -> None:
        self._reader = reader = self._dialect.reader(self._url, self._config)
        tables: list[Table | None] = [Table.parse(name) for name in self._config.tables]
        if self._config.query:
            tables = [None]
        self._turns = [_Turn(TableCursor(self._config, reader, table, self._position(table))) for table in tables]

    def _disconnect(self) -> None:
        reader, self._reader, self._turns = self._reader, None, []
        if reader is not None:
            reader.close()

    def _position(self, table: Table | None) -> Position | None:
        candidates = [partition_of(table)]
        if table is not None:
            candidates += earlier_partitions(table, self._url.database or None)
        stored = self.context.offset_storage_reader.offsets(candidates)
        found = next((offset for offset in stored if offset), None)
        return Position.from_offset(found) if found is not None else None

    def _next_batch(self) -> RowBatch | None:
        while not self._stopping.is_set():
            turn = min(self._turns, key=lambda turn: turn.due, default=None)
            wait = WAIT_SECONDS if turn is None else turn.due - time.monotonic()
            if turn is None or wait > 0:
                self._stopping.wait(min(wait, WAIT_SECONDS))
                return None
            if turn.batches is None:
                turn.batches = turn.cursor.round()
            batch = next(turn.batches, None)
            if batch is not None:
                turn.due = max(turn.due, time.monotonic() - 1e-6)  # the other tables that are due come first
                return batch
            turn.batches = None
            turn.due = time.monotonic() + self._config.poll_interval_ms / 1000
        return None
