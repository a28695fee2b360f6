"""The round that a source task is in the middle of, which is not left open when nobody reads on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator
from contextlib import suppress

from kconnect.errors import ConnectError
from kconnect.record import RowBatch
from kconnect_sql.cursor import TableCursor

IDLE_SECONDS = 30.0
CHECKS_PER_IDLE = 4

log = logging.getLogger(__name__)


class OpenRound:
    """Batches of a cursor's round. A round is a transaction: of a task that is paused, or held up by a broker that is
    away, it would keep PostgreSQL from cleaning up and SQLite's file locked. So a thread ends it once no batch was
    asked for in IDLE_SECONDS, and the next batch is then of a new round, which goes on behind the rows handed over (in
    bulk mode it begins anew).

    `next` and `end` are for the task's thread.
    """

    def __init__(self, stopping: threading.Event) -> None:
        """`stopping` ends the thread."""
        self._stopping = stopping
        self._lock = threading.Lock()
        self._batches: Generator[RowBatch, None, None] | None = None
        self._asked_at = 0.0

    def watch(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._end_when_idle, name="idle rounds", daemon=True).start()

    def next(self, cursor: TableCursor) -> RowBatch | None:
        """The next batch of the open round, or of a new one of `cursor`; None at its end."""
        with self._lock:
            if self._batches is None:
                self._batches = cursor.round()
            batch = next(self._batches, None)
            if batch is None:
                self._batches = None
            self._asked_at = time.monotonic()
            return batch

    def end(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        batches, self._batches = self._batches, None
        if batches is not None:
            with suppress(ConnectError):  # the connection may be gone already
                batches.close()

    def _end_when_idle(self) -> None:
        while not self._stopping.wait(IDLE_SECONDS / CHECKS_PER_IDLE):
            with self._lock:
                if self._batches is not None and time.monotonic() - self._asked_at >= IDLE_SECONDS:
                    log.info(
                        "nothing was asked for in %g s: the transaction is ended, reading goes on later", IDLE_SECONDS
                    )
                    self._close()
