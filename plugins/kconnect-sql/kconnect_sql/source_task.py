"""The SQL source task: looks at each of its tables in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kconnect.errors import RetriableError
from kconnect.record import RowBatch
from kconnect.source import SourceTask
from kconnect_sql.config import SqlTaskConfig
from kconnect_sql.cursor import TableCursor
from kconnect_sql.dialect import dialect_of
from kconnect_sql.login import first_connection
from kconnect_sql.open_round import OpenRound
from kconnect_sql.position import place_of
from kconnect_sql.reader import Reader
from kconnect_sql.table import Table, decode_tables

WAIT_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.2


@dataclass(slots=True)
class _Turn:
    """A table's next look: when it is due, in monotonic seconds."""

    cursor: TableCursor
    due: float = 0.0


class SqlSourceTask(SourceTask[SqlTaskConfig]):
    """Reads tables, or a query, in the order in which they are due, each to its end.

    A lost connection is made anew at the next poll, and reading goes on after the last row handed over.
    """

    disposable_values = True

    def start(self, config: SqlTaskConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._reader: Reader | None = None
        self._turns: list[_Turn] = []
        self._round = OpenRound(self._stopping)
        self._dialect, self._url = dialect_of(config)
        tables: Sequence[Table | None] = [None] if config.query else decode_tables(config.tables)
        stored = self.context.offset_storage_reader
        self._places = [place_of(table, self._url.database, stored) for table in tables]
        first_connection(config, self._connect, self._stopping)
        self._round.watch()

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
        self._turns = [_Turn(TableCursor(self._config, reader, place)) for place in self._places]

    def _disconnect(self) -> None:
        reader, self._reader = self._reader, None
        self._turns = []
        self._round.end()
        if reader is not None:
            reader.close()

    def _next_batch(self) -> RowBatch | None:
        while not self._stopping.is_set():
            turn = min(self._turns, key=lambda turn: turn.due, default=None)
            wait = WAIT_SECONDS if turn is None else turn.due - time.monotonic()
            if turn is None or wait > 0:
                self._stopping.wait(min(wait, WAIT_SECONDS))
                return None
            batch = self._round.next(turn.cursor)
            if batch is not None:
                return batch
            pause = self._config.poll_interval_ms / 1000
            turn.due = time.monotonic() + (min(pause, LOOK_AGAIN_SECONDS) if turn.cursor.waiting else pause)
        return None
