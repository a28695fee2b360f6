"""Reading from SQLite."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Generator, Sequence
from typing import Any, NoReturn

from kconnect.errors import ConnectError, DataError
from kconnect_sql.config import ConnectionConfig, SqlSourceConfig
from kconnect_sql.horizon import ClockHorizon, Horizon
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.numeric import numeric_mapping
from kconnect_sql.position import EPOCH
from kconnect_sql.sqlite_connection import connect, refuse
from kconnect_sql.sqlite_types import declared_schema, schema_of_value
from kconnect_sql.table import Column, Row, Table
from kconnect_sql.url import DatabaseUrl
from kconnect_sql.values import RowConverter, moment_of, optional

MICROSECOND = datetime.timedelta(microseconds=1)


class SqliteReader:
    def __init__(self, url: DatabaseUrl, config: ConnectionConfig) -> None:
        self._url = url
        self._mapping = numeric_mapping(config) if isinstance(config, SqlSourceConfig) else "none"
        self._zone = config.zone
        self._unreadable: Any = None
        self.quote = Identifiers(config.sql_quote_identifiers)
        self._connection = connect(url, create=False)
        self._connection.create_function("kconnect_moment", 1, self._micros, deterministic=True)

    def tables(self, kinds: Sequence[str]) -> list[Table]:
        wanted = [kind.lower() for kind in kinds]
        marks = ", ".join("?" * len(wanted))
        sql = f"SELECT name FROM sqlite_master WHERE type IN ({marks}) AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"  # noqa: S608
        return [Table(name) for (name,) in self._execute(sql, wanted)]

    def columns(self, table: Table) -> list[Column]:
        found = self._execute(f"PRAGMA table_xinfo({self.quote(table.name)})").fetchall()
        if not found:
            raise ConnectError(f"{self._url.database} has no table {table}")
        keys = sum(1 for row in found if row[5])
        columns = []
        for _, name, declared, not_null, _, key, hidden in found:
            if hidden == 1:
                continue
            row_id = keys == 1 and bool(key) and declared.upper() == "INTEGER"
            schema = declared_schema(declared, self._mapping)
            nullable = not (not_null or row_id)
            columns.append(
                Column(
                    name=name,
                    schema=optional(schema) if nullable else schema,
                    nullable=nullable,
                    auto_increment=row_id,
                )
            )
        return columns

    def query_columns(self, sql: str) -> list[Column]:
        """By what the tables behind them declare; by the first row where that is an expression."""
        self._execute("DROP VIEW IF EXISTS temp.kconnect_query")
        self._execute(f"CREATE TEMP VIEW kconnect_query AS {sql}")
        found = self._execute("PRAGMA temp.table_xinfo(kconnect_query)").fetchall()
        row = self._execute("SELECT * FROM temp.kconnect_query LIMIT 1").fetchone() or [None] * len(found)
        self._execute("DROP VIEW temp.kconnect_query")
        return [
            Column(
                name=name,
                schema=optional(declared_schema(declared, self._mapping) if declared else schema_of_value(value)),
            )
            for (_, name, declared, *_), value in zip(found, row, strict=True)
        ]

    def parameter(self, number: int) -> str:
        return f"?{number}"

    def moment_sql(self, column: str) -> str:
        return f"kconnect_moment({self.quote(column)})"

    def moment_parameter(self, moment: datetime.datetime) -> int:
        return (moment - EPOCH) // MICROSECOND

    def stream(
        self, sql: str, parameters: Sequence[Any], columns: Sequence[Column], size: int
    ) -> Generator[list[Row], None, None]:
        cursor = self._execute(sql, parameters)
        convert = RowConverter(columns, self._zone, self._url.database).convert
        try:
            while rows := self._fetch(cursor, size):
                yield convert(rows)
        finally:
            cursor.close()

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def horizon(self, rows: str, table: Table | None, number: str | None) -> Horizon:
        """There is one writer at a time, so that rows appear in the order in which they were numbered."""
        return ClockHorizon(self.now)

    def close(self) -> None:
        self._connection.close()

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            self._refuse(error, f"cannot run {sql}")

    def _fetch(self, cursor: sqlite3.Cursor, size: int) -> list[Row]:
        try:
            return cursor.fetchmany(size)
        except sqlite3.Error as error:
            self._refuse(error, "cannot read on")

    def _refuse(self, error: sqlite3.Error, doing: str) -> NoReturn:
        if self._unreadable is not None:
            raise DataError(
                f"{self._url.database}: a timestamp column holds {self._unreadable!r}, which is no ISO 8601 time nor "
                "milliseconds since 1970"
            ) from error
        refuse(error, doing, self._url)

    def _micros(self, value: Any) -> int | None:
        try:
            return None if value is None else (moment_of(value, self._zone) - EPOCH) // MICROSECOND
        except (ValueError, TypeError, OverflowError):
            self._unreadable = value
            raise
