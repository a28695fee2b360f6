"""Whether a table fits the records: made by `auto.create`, widened by `auto.evolve`, refused otherwise."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kconnect.errors import ConnectError
from kconnect.record import SinkRecord
from kconnect_sql.config import SqlSinkConfig
from kconnect_sql.shape import Shape, where
from kconnect_sql.table import Table
from kconnect_sql.writer import Writer

FITTING_MAX = 1000

log = logging.getLogger(__name__)


class TableForm:
    """Knows the columns of the tables written to, and asks the database once per table and shape.

    What a transaction that was taken back has created is forgotten by `forget`.
    """

    def __init__(self, config: SqlSinkConfig, writer: Writer) -> None:
        self._config = config
        self._writer = writer
        self._fitting: set[tuple[Table, tuple[str, ...]]] = set()

    def forget(self) -> None:
        self._fitting.clear()

    def fit(self, table: Table, shape: Shape, records: Sequence[SinkRecord]) -> None:
        """Make `table` take rows of `shape`, which is that of `records`. Raises ConnectError that names what is missing
        and the key to set."""
        known = (table, tuple(shape.names))
        if known in self._fitting:
            return
        columns = self._writer.column_names(table)
        if columns is None:
            self._create(table, shape, records[0])
        else:
            self._evolve(table, shape, records[0], columns)
        if len(self._fitting) >= FITTING_MAX:
            self._fitting.clear()
        self._fitting.add(known)

    def _create(self, table: Table, shape: Shape, record: SinkRecord) -> None:
        if not self._config.auto_create:
            raise ConnectError(f"there is no table {table} for {where(record)}: create it, or set auto.create=true")
        self._writer.create(table, shape.columns)
        log.info("created the table %s", table)

    def _evolve(self, table: Table, shape: Shape, record: SinkRecord, columns: set[str]) -> None:
        same = self._writer.quote.same
        there = {same(name) for name in columns}
        missing = [column for column in shape.columns if same(column.name) not in there]
        if not missing:
            return
        names = ", ".join(column.name for column in missing)
        if not self._config.auto_evolve:
            raise ConnectError(
                f"the table {table} lacks the columns {names} of {where(record)}: add them, set auto.evolve=true, or "
                "leave them out by fields.whitelist"
            )
        required = [column.name for column in missing if not column.schema.optional and column.schema.default is None]
        if required:
            raise ConnectError(
                f"the table {table} lacks {', '.join(required)} of {where(record)}, which the schema requires: rows "
                "that are there have no value for it. Make the field optional, give it a default, or add it by hand"
            )
        self._writer.add_columns(table, missing)
        log.info("added %s to the table %s", names, table)
