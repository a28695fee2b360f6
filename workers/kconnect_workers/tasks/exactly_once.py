"""Exactly once from a source (KIP-618): records and the offsets behind them become visible together, or not at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Message

from kconnect.errors import ConnectError
from kconnect.record import RowBatch, SourceRecord
from kconnect.source import SourceTask, TransactionContext
from kconnect_workers.config.exactly_once import TransactionBoundary
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.offset_commits import CommitTeller
from kconnect_workers.tasks.offset_storage import OffsetStorage
from kconnect_workers.tasks.plugin_call import plugin_call
from kconnect_workers.tasks.record_sender import RecordSender
from kconnect_workers.tasks.transaction_context import Ending, WorkerTransactionContext
from kconnect_workers.tasks.transaction_sizes import TransactionSizes
from kconnect_workers.tasks.transactions import Transactions

log = logging.getLogger(__name__)

_COPY_S = 5.0


class Outcomes:
    """What became of single records, for tasks that want to hear of each: kept back until their transaction is over."""

    def __init__(self, id: TaskId, task: SourceTask[Any]) -> None:
        self._id = id
        self._task = task
        self._known: list[tuple[SourceRecord, Message | None]] = []

    def add(self, record: SourceRecord, message: Message | None) -> None:
        self._known.append((record, message))

    def tell(self) -> None:
        """What the task raises is logged: the records are written."""
        known, self._known = self._known, []
        try:
            for record, message in known:
                with plugin_call(type(self._task), "commit_record", self._id):
                    self._task.commit_record(record, message)
        except ConnectError as e:
            log.error("%s: %s", self._id, e, exc_info=e)


class ExactlyOnceCommits:
    """Sends in transactions, which `boundary` ends; `interval_s` is the time from one end to the next where time does.

    `outcomes`, where the task wants them, are filled by the sender. A transaction that fails fails the task: its next
    run begins behind the last one that succeeded."""

    def __init__(
        self,
        sender: RecordSender,
        offsets: OffsetStorage,
        transactions: Transactions,
        teller: CommitTeller,
        *,
        boundary: TransactionBoundary,
        interval_s: float,
        outcomes: Outcomes | None,
    ) -> None:
        self.told = teller
        self._sender = sender
        self._offsets = offsets
        self._transactions = transactions
        self._boundary = boundary
        self._interval_s = interval_s
        self._next = time.monotonic() + interval_s
        self._outcomes = outcomes
        self.sizes = TransactionSizes()
        self._torn = False
        self._context = WorkerTransactionContext() if boundary is TransactionBoundary.CONNECTOR else None

    @property
    def transaction_context(self) -> TransactionContext | None:
        return self._context

    def prepare(self) -> None:
        self._transactions.prepare()
        self._next = time.monotonic() + self._interval_s

    def send(self, batch: Sequence[SourceRecord] | RowBatch) -> None:
        if self._context is None:
            self._send(batch)
            if self._boundary is TransactionBoundary.POLL:
                self._commit()
            return
        self._torn = True
        for part, ending in self._context.parts(batch):
            self._send(part)
            self._end(ending)
        self._torn = False

    def commit_if_due(self, *, requested: bool) -> None:
        if self._boundary is TransactionBoundary.INTERVAL and (requested or time.monotonic() >= self._next):
            self._commit()
            self._next = time.monotonic() + self._interval_s

    def pause(self) -> None:
        """A transaction that stays open would expire, and nobody could read what others write behind it."""
        if self._context is None:
            self._commit()
        else:
            self._end(self._context.take_batch_ending())

    def finish(self, *, failed: bool) -> None:
        """Records of a batch that was left in the middle are stored with their offsets, but for a connector's own
        transactions, which would be cut in two."""
        if not failed and not self._torn:
            self.pause()
        self._transactions.abort()

    def _send(self, batch: Sequence[SourceRecord] | RowBatch) -> None:
        self._transactions.begin()
        self.sizes.add(batch)
        self._sender.send(batch)

    def _end(self, ending: Ending | None) -> None:
        if ending is Ending.ABORT:
            log.info("The connector aborts its transaction: the source goes on behind what was in it.")
            self._transactions.abort()
            self.sizes.aborted()
        if ending is not None:
            self._commit()

    def _commit(self) -> None:
        sent = self._sender.tracker.sent()
        if not sent and not self._transactions.is_open:
            return
        entries = self._offsets.entries(sent.values())
        try:
            self._transactions.commit(entries)
        except ConnectError:
            self.told.failures += 1
            self._sender.serve()  # which knows whether a record is to blame
            raise
        self.sizes.committed()
        self._offsets.stored(entries, sent.values(), _COPY_S)
        self._sender.tracker.stored(self._sender.tracker.eligible())
        if self._outcomes is not None:
            self._outcomes.tell()
        self.told.stored(sent.values())
