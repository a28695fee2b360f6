"""When a source task's records are sent and their offsets stored: at least once, the offsets follow the records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from kconnect.errors import ConnectError
from kconnect.record import RowBatch, SourceOffset, SourcePartition, SourceRecord
from kconnect.source import SourceTask, TransactionContext
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.offset_storage import OffsetStorage
from kconnect_workers.tasks.plugin_call import plugin_call
from kconnect_workers.tasks.record_sender import RecordSender
from kconnect_workers.tasks.transaction_sizes import TransactionSizes

log = logging.getLogger(__name__)

_SHOWN = 20


class OffsetCommits(Protocol):
    """What a source task sends by. Belongs to the task's thread."""

    @property
    def transaction_context(self) -> TransactionContext | None:
        """What the plugin ends transactions by, where that is its to say."""
        ...

    @property
    def told(self) -> CommitTeller: ...

    @property
    def sizes(self) -> TransactionSizes:
        """Of its transactions, if it has any."""
        ...

    def prepare(self) -> None:
        """Before the task looks at its offsets: nobody else may store some behind its back. ConnectError when that
        cannot be had, StoppedError when the task is to stop before."""
        ...

    def send(self, batch: Sequence[SourceRecord] | RowBatch) -> None:
        """As `RecordSender.send`."""
        ...

    def commit_if_due(self, *, requested: bool) -> None:
        """After every poll, and now and then during a pause. `requested`: the task wants it now."""
        ...

    def pause(self) -> None:
        """Nothing is polled for a while."""
        ...

    def finish(self, *, failed: bool) -> None:
        """The last that is sent and stored. `failed`: the task did."""
        ...


class CommitTeller:
    """Counts what was stored, and tells the task."""

    def __init__(self, id: TaskId, task: SourceTask[Any]) -> None:
        self._id = id
        self._task = task
        self.commits = 0
        self.failures = 0
        self.last_offsets: list[tuple[str, str]] = []
        """What was stored last: partition and offset as text."""

    def stored(self, offsets: Collection[tuple[SourcePartition, SourceOffset]]) -> None:
        """These, none where there were none. What the task's methods raise is logged."""
        if offsets:
            self.commits += 1
            self.last_offsets = [(str(dict(where)), str(dict(to))) for where, to in list(offsets)[:_SHOWN]]
        try:
            if offsets:
                with plugin_call(type(self._task), "commit_offsets", self._id):
                    self._task.commit_offsets(offsets)
            with plugin_call(type(self._task), "commit", self._id):
                self._task.commit()
        except ConnectError as e:
            log.error("%s: %s", self._id, e, exc_info=e)


class AtLeastOnceCommits:
    """Offsets of what was acknowledged are stored every `interval_s` seconds, in at most `timeout_s`.

    `check_lease` is called before anything that others can see."""

    transaction_context: TransactionContext | None = None

    def __init__(
        self,
        id: TaskId,
        sender: RecordSender,
        offsets: OffsetStorage,
        teller: CommitTeller,
        *,
        check_lease: Callable[[], None],
        interval_s: float,
        timeout_s: float,
    ) -> None:
        self.told = teller
        self.sizes = TransactionSizes()
        self._id = id
        self._sender = sender
        self._offsets = offsets
        self._check_lease = check_lease
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._next = time.monotonic() + interval_s

    def prepare(self) -> None:
        self._next = time.monotonic() + self._interval_s

    def send(self, batch: Sequence[SourceRecord] | RowBatch) -> None:
        self._sender.send(batch)

    def commit_if_due(self, *, requested: bool) -> None:
        if requested or time.monotonic() >= self._next:
            self._next = time.monotonic() + self._interval_s
            self._commit()

    def pause(self) -> None:
        pass

    def finish(self, *, failed: bool) -> None:
        try:
            self._sender.flush(self._timeout_s)
        finally:
            self._commit()

    def _commit(self) -> None:
        """Store what is eligible. A failure is told, and tried again at the next interval."""
        eligible = self._sender.tracker.eligible()
        if eligible:
            self._check_lease()
            try:
                self._offsets.write(eligible.values(), self._timeout_s)
            except ConnectError as e:
                self.told.failures += 1
                log.error("%s: offsets were not stored, which is tried again: %s", self._id, e)
                return
            self._sender.tracker.stored(eligible)
        self.told.stored(eligible.values())
