"""Syncing in groups, on a thread of its own: the loop never waits for the disk to sync.

One sync takes along everything that was written before it was asked for: first the partitions whose records are
data, then those whose records speak of data (committed offsets, ends of transactions), in topics with
`flush.messages=1`. What is asked for while a sync runs is done together by the next one.

The order of syncs alone is not enough: the operating system writes pages back when it likes, so that a committed
offset could be on the disk before the records that it covers. Records that speak of data are therefore not even written
before all data that is older is synced: see `write_behind`.
"""

from __future__ import annotations

import logging
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from kconnect.log.storage.partition import Partition, SyncTicket

_LOG = logging.getLogger(__name__)

_fdatasync = getattr(os, "fdatasync", os.fsync)


class Syncer:
    """Syncs the partitions that were reported as dirty.

    All methods but the thread's own are for the thread of the loop; `call_soon` brings a call there from
    any thread.
    """

    def __init__(self, call_soon: Callable[[Callable[[], None]], None]) -> None:
        self._call_soon = call_soon
        self._dirty: set[Partition] = set()
        self._syncing: list[SyncTicket] = []
        self._waiting: list[Callable[[bool], None]] = []
        self._running: list[Callable[[bool], None]] | None = None
        self._held_writes = 0
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log-io", daemon=True)
        self._thread.start()

    def mark_dirty(self, partition: Partition) -> None:
        """`partition` has records that are not synced."""
        self._dirty.add(partition)

    def forget(self, partition: Partition) -> None:
        """`partition` is gone."""
        self._dirty.discard(partition)

    def sync(self, done: Callable[[], None]) -> None:
        """Sync what was written until now, then call `done` on the loop's thread.

        Partitions that could not be synced are offline by then.
        """
        self._wait(lambda _: done())

    def _wait(self, done: Callable[[bool], None]) -> None:
        self._waiting.append(done)
        if self._running is None:
            # At the end of this round of the loop, so that what the round still appends goes along.
            self._running = []
            self._call_soon(self._begin)

    def write_behind(self, write: Callable[[bool], None]) -> None:
        """Call `write` on the loop's thread once all data that was written until now is synced.

        At once where it is. Writes happen in the order of the calls. `write(False)` says that older data
        could not be synced: what speaks of it must not be written.
        """
        if not self._held_writes and not self._has_unsynced_data():
            write(True)
            return
        self._held_writes += 1

        def release(older_is_safe: bool) -> None:
            self._held_writes -= 1
            write(older_is_safe)

        self._wait(release)

    def _has_unsynced_data(self) -> bool:
        return any(not partition.follows_data for partition in self._dirty) or any(
            not ticket.partition.follows_data for ticket in self._syncing
        )

    def run(self, job: Callable[[], None]) -> None:
        """Do slow work on the files, such as removing many, behind the syncs that wait."""
        self._jobs.put(job)

    def _begin(self) -> None:
        self._running, self._waiting = self._waiting, []
        tickets = self._syncing = self._take_tickets()
        all_taken = not self._dirty

        def sync_files() -> None:
            failures = _sync_files(tickets)
            self._call_soon(lambda: self._end(tickets, failures, all_taken=all_taken))

        self._jobs.put(sync_files)

    def _take_tickets(self) -> list[SyncTicket]:
        tickets = []
        failed: set[Partition] = set()
        for partition in sorted(self._dirty, key=lambda p: p.follows_data):
            if partition.offline is None:
                try:
                    tickets.append(partition.begin_sync())
                except OSError as e:
                    # It stays dirty; who waits for it finds its high watermark where it was.
                    _LOG.warning("%s cannot be synced for now: %s", partition.folder, e.strerror)
                    failed.add(partition)
        self._dirty = failed
        return tickets

    def _end(self, tickets: list[SyncTicket], failures: dict[SyncTicket, OSError], *, all_taken: bool) -> None:
        self._syncing = []
        for ticket in tickets:
            try:
                _settle(ticket, failures.get(ticket))
            except Exception:
                _LOG.exception("a fault in the log itself, please report it")
        finished, self._running = self._running or [], None
        for done in finished:
            try:
                done(all_taken and not failures)
            except Exception:
                _LOG.exception("a fault in the log itself, please report it")
        if self._waiting and self._running is None:
            self._running = []
            self._begin()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                _LOG.exception("a fault in the log itself, please report it")

    def close(self, partitions: Collection[Partition]) -> None:
        """End the thread and sync `partitions`; then let happen what waited for a sync, and sync that.

        Raises OSError. May be called twice.
        """
        self._jobs.put(None)
        self._thread.join()
        _sync_now(partitions)
        waiting = [*(self._running or []), *self._waiting]
        self._running, self._waiting = [], []  # nothing begins any more
        for done in waiting:
            try:
                done(True)
            except Exception:
                _LOG.exception("a fault in the log itself, please report it")
        _sync_now(partitions)


def _sync_now(partitions: Iterable[Partition]) -> None:
    """Sync in this thread. Raises OSError for the first that cannot be, after the others."""
    # What the syncer's thread has synced without being heard is synced once more: that costs next to nothing.
    unsynced = [p for p in partitions if p.offline is None and p.recovery_point < p.log_end_offset]
    tickets = [partition.begin_sync() for partition in sorted(unsynced, key=lambda p: p.follows_data)]
    failures = _sync_files(tickets)
    for ticket in tickets:
        if ticket not in failures:
            ticket.partition.end_sync(ticket)
    for error in failures.values():
        raise error


def _settle(ticket: SyncTicket, failure: OSError | None) -> None:
    partition = ticket.partition
    if failure is not None:
        # After a failed sync the pages count as clean: what is on the disk is unknown from here on.
        partition.take_offline(
            f"{partition.folder} could not be synced: {failure.strerror}; check the disk and restart"
        )
    elif partition.offline is None:
        partition.end_sync(ticket)


def _sync_files(tickets: list[SyncTicket]) -> dict[SyncTicket, OSError]:
    """Sync and close what the tickets name, in their order; returns those that failed."""
    failures: dict[SyncTicket, OSError] = {}
    for ticket in tickets:
        try:
            for fd in ticket.descriptors:
                _fdatasync(fd)
        except OSError as e:
            failures[ticket] = e
        finally:
            for fd in ticket.descriptors:
                os.close(fd)
    return failures
