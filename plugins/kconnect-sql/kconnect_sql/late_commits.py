"""Which rows are settled on PostgreSQL, so that polling never passes one that is committed late.

A number or a timestamp is given when a row is inserted, the row appears when its transaction commits: a later number
may appear first. So a bound is noted, then the transactions that are open; when all of *those* have ended, every row
below the bound is visible. Nobody waits: until then the last settled bound holds.

- By number, the bound is the greatest one visible, and the transactions are those that hold a writer's lock on the
  table. An INSERT locks the table before a default calls nextval(), so whoever begins to write later gets a greater
  number (of an identity or serial column, its sequence with CACHE 1; numbers that an application takes before its
  INSERT are not covered).
- By timestamp, the bound is the clock, and the transactions are all of the database, prepared ones included: now() is
  the beginning of a transaction.

Transactions are known by their virtual id in pg_locks, which every login may read.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from kconnect_sql.horizon import Bound
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.table import Table

READER = "kconnect source"
"""The application name of those who only read: they hold nobody up."""
GRACE = datetime.timedelta(milliseconds=100)
"""A transaction shows up a moment after its start was stamped."""
WARN_SECONDS = 60.0

log = logging.getLogger(__name__)

Query = Callable[[str, Sequence[Any]], list[Any]]


class OpenTransactions:
    """A Horizon; see above. `query` runs SQL, each time in a snapshot of its own; `rows` is the FROM clause's table or
    subquery."""

    def __init__(
        self,
        query: Query,
        quote: Identifiers,
        rows: str,
        table: Table | None,
        number: str | None,
        warn_seconds: float = WARN_SECONDS,
    ) -> None:
        self._query = query
        self._quote = quote
        self._rows = rows
        self._table = table
        self._number = number
        self._warn_seconds = warn_seconds
        self._settled: Bound | None = None
        self._next: Bound | None = None
        self._open: dict[str, int | None] = {}
        self._noted_at = 0.0
        self._warned = False

    @property
    def waiting(self) -> bool:
        return self._next is not None

    def look(self) -> Bound | None:
        if self._next is not None:
            still = self._transactions()
            self._open = {virtual: pid for virtual, pid in self._open.items() if virtual in still}
            if not self._open:
                self._settled, self._next = self._next, None
        if self._next is None:
            bound = self._bound()  # before the transactions are listed
            self._open = self._transactions()
            if self._open:
                self._next, self._noted_at, self._warned = bound, time.monotonic(), False
            else:
                self._settled = bound
        if self._next is not None and not self._warned and time.monotonic() - self._noted_at >= self._warn_seconds:
            self._warned = True
            self._warn()
        return self._settled

    def _bound(self) -> Bound:
        if self._number is None:
            [(now,)] = self._query("SELECT clock_timestamp()", ())
            return Bound(moment=now - GRACE)
        [(greatest,)] = self._query(f"SELECT max({self._quote(self._number)}) FROM {self._rows}", ())  # noqa: S608 - quoted
        return Bound(number=greatest if greatest is not None else _NO_ROWS)

    def _transactions(self) -> dict[str, int | None]:
        """Those that count: virtual id to process id (None: prepared)."""
        if self._number is None:
            return dict(self._query(_ALL_TRANSACTIONS, ()))
        if self._table is None:
            return dict(self._query(_ALL_WRITERS, ()))
        return dict(self._query(_WRITERS, (self._quote(self._table.schema, self._table.name),)))

    def _warn(self) -> None:
        pids = [pid for pid in self._open.values() if pid is not None]
        rows = self._query("SELECT pid, usename, xact_start FROM pg_stat_activity WHERE pid = ANY($1)", (pids,))
        who = ", ".join(
            f"pid {pid} ({user}, since {since or 'a time that this login may not see'})" for pid, user, since in rows
        )
        log.warning(
            "%s: no newer rows are read, for transactions that may still commit older ones have been open for over "
            "%d s: %s",
            self._table or "the query",
            int(self._warn_seconds),
            who or "prepared transactions, see pg_prepared_xacts",
        )


_NO_ROWS = -(2**63)
_WRITERS_LOCKS = """
    SELECT virtualtransaction, pid FROM pg_locks
    WHERE locktype = 'relation' AND granted AND pid IS DISTINCT FROM pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND """
# 16384 is the first oid that is not PostgreSQL's own: a view's rows may come from any other table.
_ALL_WRITERS = _WRITERS_LOCKS + "relation >= 16384"
_WRITERS = (
    """
    WITH RECURSIVE tree(oid) AS (
        SELECT to_regclass($1)::oid UNION SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = tree.oid)
    """  # noqa: S608 - all of it is ours
    + _WRITERS_LOCKS
    + """
        CASE WHEN (SELECT relkind FROM pg_class WHERE oid = to_regclass($1)) IN ('v', 'm', 'f') THEN relation >= 16384
        ELSE relation IN (SELECT oid FROM tree) END"""
)
_ALL_TRANSACTIONS = f"""
    SELECT l.virtualtransaction, l.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_backend_pid()
      AND a.datname = current_database() AND a.usesysid IS NOT NULL AND a.application_name IS DISTINCT FROM '{READER}'
    UNION SELECT '-1/' || transaction, NULL FROM pg_prepared_xacts WHERE database = current_database()"""  # noqa: S608
