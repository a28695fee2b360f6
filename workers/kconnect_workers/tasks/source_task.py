"""A source task's life: start, then poll, send and store offsets until it is to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from kconnect.config import Config
from kconnect.connector import OffsetStorageReader
from kconnect.errors import ConnectError, DataError, RetriableError
from kconnect.record import RowBatch, SourceRecord
from kconnect.source import SourceTask, TransactionContext
from kconnect_workers.states import State, TaskId
from kconnect_workers.tasks.error_handling import ErrorHandler, StoppedError
from kconnect_workers.tasks.offset_commits import OffsetCommits
from kconnect_workers.tasks.offset_storage import OffsetStorage
from kconnect_workers.tasks.plugin_call import name_of, plugin_call
from kconnect_workers.tasks.record_sender import RecordSender
from kconnect_workers.tasks.task_control import TaskControl
from kconnect_workers.tasks.task_stats import TaskStats

log = logging.getLogger(__name__)

_EMPTY_POLL_S = 0.005
_EMPTY_PAUSE_S = 0.05
_PAUSED_S = 0.1
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 10.0


class WorkerSourceTask:
    """Runs one source task. `run` belongs to the task's thread; `stats` may be called by the teller.

    `check_lease` is called before anything that others can see.
    """

    def __init__(
        self,
        id: TaskId,
        task: SourceTask[Any],
        *,
        props: dict[str, str],
        control: TaskControl,
        sender: RecordSender,
        errors: ErrorHandler,
        offsets: OffsetStorage,
        commits: OffsetCommits,
        check_lease: Callable[[], None],
    ) -> None:
        self._id = id
        self._task = task
        self._props = props
        self._control = control
        self._sender = sender
        self._errors = errors
        self._offsets = offsets
        self._commits = commits
        self._check_lease = check_lease
        self._commit_requested = False
        self._retry_s = _FIRST_RETRY_S
        self._polled = 0

    def run(self) -> None:
        """Return when the task is to stop; raise what failed it. Offsets of what was acknowledged are stored, and the
        plugin is stopped, either way."""
        failed = True
        try:
            self._start()
            while not self._control.stopping.is_set():
                self._iterate()
            failed = False
        except StoppedError:
            failed = False
        finally:
            self._finish(failed=failed)

    def stats(self) -> TaskStats:
        polled, pending, sizes = self._polled, self._sender.pending, self._commits.sizes
        return TaskStats(
            records_in=polled,
            records_out=max(0, polled - pending - self._sender.filtered - self._errors.skipped),
            records_filtered=self._sender.filtered,
            records_skipped=self._errors.skipped,
            records_pending=pending,
            retries=self._errors.retries,
            failures=self._errors.failures,
            dead_letters=self._sender.letters_stored,
            offset_commits=self._commits.told.commits,
            offset_commit_failures=self._commits.told.failures,
            last_offsets=self._commits.told.last_offsets,
            transactions=sizes.count,
            transaction_records=sizes.records,
            transaction_size_min=sizes.smallest,
            transaction_size_max=sizes.largest,
        )

    def _start(self) -> None:
        """Offsets are read to their end first: what an earlier run of this task stored is there when it looks."""
        self._commits.prepare()
        self._offsets.catch_up()
        task = self._task
        transactions = self._commits.transaction_context
        task.context = _Context(self._props, self._offsets, self._request_commit, transactions)
        config: Config = type(task).config_class.parse(self._props)
        with plugin_call(type(task), "start", self._id):
            task.start(config)
        self._offsets.idle()
        self._control.on_stop(self._interrupt)
        self._control.report(State.PAUSED if self._control.paused else State.RUNNING)

    def _interrupt(self) -> None:
        """Called by another thread to end a poll in progress."""
        try:
            self._task.stop()
        except Exception:
            log.exception("%s: stop raised while a poll was in progress.", self._id)

    def _iterate(self) -> None:
        if self._control.paused:
            self._commits.pause()
            self._control.report(State.PAUSED)
            self._sender.serve()
            self._control.stopping.wait(_PAUSED_S)
        else:
            self._control.report(State.RUNNING)
            batch = self._poll()
            self._check_lease()
            if batch is None:
                self._sender.serve()
            else:
                self._send(batch)
        requested, self._commit_requested = self._commit_requested, False
        self._commits.commit_if_due(requested=requested)

    def _request_commit(self) -> None:
        self._commit_requested = True

    def _poll(self) -> Sequence[SourceRecord] | RowBatch | None:
        """None when there is nothing now; a poll that came back empty at once is followed by a short pause."""
        began = time.monotonic()
        try:
            with plugin_call(type(self._task), "poll", self._id):
                batch = self._task.poll()
        except RetriableError as e:
            log.warning("%s: poll failed and is tried again in %g s: %s", self._id, self._retry_s, e)
            self._control.stopping.wait(self._retry_s)
            self._retry_s = min(self._retry_s * 2, _LAST_RETRY_S)
            return None
        self._retry_s = _FIRST_RETRY_S
        if batch is not None and not isinstance(batch, (list, tuple, RowBatch)):
            raise ConnectError(
                f"{self._id}: {name_of(type(self._task))}.poll returned a {type(batch).__name__}: "
                "it has to be a list of SourceRecord, a RowBatch or None"
            )
        size = 0 if batch is None else len(batch.rows) if isinstance(batch, RowBatch) else len(batch)
        if size == 0:
            if time.monotonic() - began < _EMPTY_POLL_S:
                self._control.stopping.wait(_EMPTY_PAUSE_S)
            return None
        self._polled += size
        return batch

    def _send(self, batch: Sequence[SourceRecord] | RowBatch) -> None:
        try:
            self._commits.send(batch)
        except Exception as e:
            if isinstance(e, (ConnectError, StoppedError)) and not isinstance(e, DataError):
                raise
            raise ConnectError(
                f"{self._id}: what {name_of(type(self._task))}.poll returned cannot be sent: {type(e).__name__}: {e}"
            ) from e

    def _finish(self, *, failed: bool) -> None:
        """Whatever goes wrong here is logged: the outcome of the task is settled."""
        steps: Sequence[Callable[[], None]] = (
            lambda: self._commits.finish(failed=failed),
            self._task.stop,
            self._offsets.close,
        )
        for step in steps:
            try:
                step()
            except (Exception, SystemExit) as e:
                log.error("%s: while stopping: %s: %s", self._id, type(e).__name__, e, exc_info=e)


class _Context:
    """A `SourceTaskContext`."""

    def __init__(
        self,
        configs: dict[str, str],
        reader: OffsetStorageReader,
        request_commit: Callable[[], None],
        transactions: TransactionContext | None,
    ) -> None:
        self.configs = configs
        self.offset_storage_reader = reader
        self.transaction_context = transactions
        self._request_commit = request_commit

    def request_commit(self) -> None:
        self._request_commit()
