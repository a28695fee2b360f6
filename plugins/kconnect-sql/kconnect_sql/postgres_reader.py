"""Reading from PostgreSQL by a binary server-side cursor."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Generator, Sequence
from typing import Any

from kconnect.errors import ConnectError
from kconnect_sql.config import ConnectionConfig, SqlSourceConfig
from kconnect_sql.horizon import ClockHorizon, Horizon
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.late_commits import READER, OpenTransactions
from kconnect_sql.numeric import numeric_mapping
from kconnect_sql.postgres_connection import connect, errors, place
from kconnect_sql.postgres_types import Declared, source_column
from kconnect_sql.table import Column, Row, Table
from kconnect_sql.url import DatabaseUrl

PATIENCE_SECONDS = 3600.0
"""Rows without an index to come by are sorted before the first one is given."""

log = logging.getLogger(__name__)


class PostgresReader:
    def __init__(self, url: DatabaseUrl, config: ConnectionConfig) -> None:
        self._url = url
        self._mapping = numeric_mapping(config) if isinstance(config, SqlSourceConfig) else "none"
        self._zone = config.db_timezone
        self.quote = Identifiers(config.sql_quote_identifiers)
        self._connection = connect(url, config, READER, patience_seconds=PATIENCE_SECONDS)

    def tables(self, kinds: Sequence[str]) -> list[Table]:
        wanted = "".join(_KINDS.get(kind.upper(), "") for kind in kinds)
        rows = self._rows(
            "SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = ANY($1) AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%%'"
            " AND n.nspname <> 'information_schema' AND has_table_privilege(c.oid, 'SELECT')",
            [list(wanted)],
        )
        return [Table(name, schema) for name, schema in rows]

    def columns(self, table: Table) -> list[Column]:
        name = self.quote(table.schema, table.name)
        rows = self._rows(
            "SELECT a.attname, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END,"
            " CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, a.attnotnull OR t.typnotnull,"
            " a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false)"
            " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
            " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
            " WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            [name],
        )
        if not rows:
            raise ConnectError(f"{place(self._url)} has no table {table}, or it has no columns")
        return [
            self._column(column, Declared.of(oid, typmod), not_null, counts)
            for column, oid, typmod, not_null, counts in rows
        ]

    def query_columns(self, sql: str) -> list[Column]:
        with errors(self._url, f"cannot run the query {sql}"):
            described = (
                self._connection.execute(
                    f"SELECT * FROM ({sql}) q LIMIT 0".encode()  # noqa: S608 - the user's own query
                ).description
                or []
            )
            return [
                self._column(c.name, Declared(c.type_code, c.precision, c.scale), not_null=False, counts=False)
                for c in described
            ]

    def parameter(self, number: int) -> str:
        return f"${number}"

    def moment_sql(self, column: str) -> str:
        return self.quote(column)

    def moment_parameter(self, moment: datetime.datetime) -> datetime.datetime:
        return moment

    def stream(
        self, sql: str, parameters: Sequence[Any], columns: Sequence[Column], size: int
    ) -> Generator[list[Row], None, None]:
        with (
            errors(self._url, f"cannot read by {sql}"),
            self._connection.transaction(),
            self._connection.cursor("kconnect", binary=True) as cursor,
        ):
            cursor.execute(sql.encode(), parameters)
            while rows := cursor.fetchmany(size):
                yield rows

    def now(self) -> datetime.datetime:
        [(now,)] = self._rows("SELECT clock_timestamp()")
        assert isinstance(now, datetime.datetime)
        return now

    def horizon(self, rows: str, table: Table | None, number: str | None) -> Horizon:
        [(standby,)] = self._rows("SELECT pg_is_in_recovery()")
        if standby:
            log.warning(
                "%s is a standby, which does not tell which transactions are open: rows that are committed late may be "
                "passed over; set timestamp.delay.interval.ms, or read from the primary",
                place(self._url),
            )
            return ClockHorizon(self.now)
        return OpenTransactions(self._rows, self.quote, rows, table, number)

    def close(self) -> None:
        self._connection.close()

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with errors(self._url, f"cannot run {sql}"):
            return self._connection.execute(sql.encode(), parameters or None).fetchall()

    def _column(self, name: str, declared: Declared, not_null: bool, counts: bool) -> Column:
        return source_column(
            self.quote(name), name, declared, self._mapping, self._zone, not_null=not_null, counts=counts
        )


_KINDS = {"TABLE": "rp", "PARTITIONED TABLE": "p", "VIEW": "v", "MATERIALIZED VIEW": "m", "FOREIGN TABLE": "f"}
