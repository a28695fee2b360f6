"""Writing to SQLite: prepared statements over whole batches."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any

from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type
from kconnect_sql.config import ConnectionConfig
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.shape import Shape, TargetColumn
from kconnect_sql.sqlite_connection import connect, refuse
from kconnect_sql.table import Row, Table
from kconnect_sql.url import DatabaseUrl
from kconnect_sql.writer import unstorable

_LOGICAL = {DECIMAL_NAME: "NUMERIC", DATE_NAME: "DATE", TIME_NAME: "TIME", TIMESTAMP_NAME: "TIMESTAMP"}
_TYPES = {
    Type.INT8: "INTEGER",
    Type.INT16: "INTEGER",
    Type.INT32: "INTEGER",
    Type.INT64: "INTEGER",
    Type.FLOAT32: "REAL",
    Type.FLOAT64: "REAL",
    Type.BOOLEAN: "BOOLEAN",
    Type.STRING: "TEXT",
    Type.BYTES: "BLOB",
}
_REFUSALS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeEncodeError,  # a lone surrogate, which JSON can write and UTF-8 cannot
)
_TEXT_TYPES = (Decimal, datetime.datetime, datetime.date, datetime.time)


class SqliteWriter:
    def __init__(self, url: DatabaseUrl, config: ConnectionConfig) -> None:
        self._url = url
        self._zone = config.zone
        self.quote = Identifiers(config.sql_quote_identifiers)
        self._connection = connect(url, create=True)
        self._connection.isolation_level = None

    def transaction(self) -> AbstractContextManager[None]:
        return self._block("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")

    def savepoint(self) -> AbstractContextManager[None]:
        return self._block("SAVEPOINT part", "RELEASE part", "ROLLBACK TO part; RELEASE part")

    @contextmanager
    def _block(self, begin: str, end: str, back: str) -> Iterator[None]:
        self._execute(begin)
        try:
            yield
            self._execute(end)
        except BaseException:
            if self._connection.in_transaction:
                for statement in back.split("; "):
                    self._connection.execute(statement)
            raise

    def column_names(self, table: Table) -> set[str] | None:
        names = {row[1] for row in self._execute(f"PRAGMA table_info({self.quote(table.name)})")}
        return names or None

    def create(self, table: Table, columns: Sequence[TargetColumn]) -> None:
        parts = [self._definition(column) for column in columns]
        keys = [column.name for column in columns if column.key]
        if keys:
            parts.append(f"PRIMARY KEY ({self.quote.list(keys)})")
        self._execute(f"CREATE TABLE {self.quote(table.name)} ({', '.join(parts)})")

    def add_columns(self, table: Table, columns: Sequence[TargetColumn]) -> None:
        for column in columns:
            self._execute(f"ALTER TABLE {self.quote(table.name)} ADD COLUMN {self._definition(column)}")

    def insert(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        self._many(self._insert_sql(table, shape), rows, table)

    def upsert(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        change = ", ".join(f"{name} = excluded.{name}" for name in map(self.quote, shape.others))
        action = f"DO UPDATE SET {change}" if change else "DO NOTHING"
        sql = f"{self._insert_sql(table, shape)} ON CONFLICT ({self.quote.list(shape.keys)}) {action}"
        self._many(sql, rows, table)

    def update(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        count = len(shape.keys)
        change = ", ".join(f"{name} = ?" for name in map(self.quote, shape.others))
        if change:
            sql = f"UPDATE {self.quote(table.name)} SET {change} WHERE {self._key_condition(shape)}"  # noqa: S608 - quoted
            self._many(sql, [row[count:] + row[:count] for row in rows], table)

    def delete(self, table: Table, shape: Shape, keys: list[Row]) -> None:
        sql = f"DELETE FROM {self.quote(table.name)} WHERE {self._key_condition(shape)}"  # noqa: S608 - quoted
        self._many(sql, keys, table)

    def close(self) -> None:
        self._connection.close()

    def _insert_sql(self, table: Table, shape: Shape) -> str:
        marks = ", ".join("?" * len(shape.columns))
        return f"INSERT INTO {self.quote(table.name)} ({self.quote.list(shape.names)}) VALUES ({marks})"  # noqa: S608 - quoted

    def _key_condition(self, shape: Shape) -> str:
        return " AND ".join(f"{name} = ?" for name in map(self.quote, shape.keys))

    def _execute(self, sql: str) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql)
        except UnicodeEncodeError as error:
            raise DataError(f"{self._url.database}: cannot run {sql!r}: {error}") from error
        except sqlite3.Error as error:
            refuse(error, f"cannot run {sql}", self._url)

    def _many(self, sql: str, rows: list[Row], table: Table) -> None:
        try:
            self._connection.executemany(sql, [_bound(row, self._zone) for row in rows])
        except _REFUSALS as error:
            raise DataError(f"{self._url.database}: {table} refuses a row: {error}") from error
        except sqlite3.Error as error:
            refuse(error, f"cannot write to {table}", self._url)

    def _definition(self, column: TargetColumn) -> str:
        schema = column.schema
        text = f"{self.quote(column.name)} {_type(column.name, schema)}"
        if schema.default is not None:
            return f"{text} DEFAULT {_literal(_bind(schema.default, self._zone))}"
        return text if schema.optional and not column.key else f"{text} NOT NULL"


def _type(name: str, schema: Schema) -> str:
    found = _LOGICAL.get(schema.name or "") or _TYPES.get(schema.type)
    if found is None:
        raise unstorable(name, schema)
    return found


def _literal(bound: Any) -> str:
    if isinstance(bound, bytes):
        return f"X'{bound.hex()}'"
    if isinstance(bound, str):
        return "'" + bound.replace("'", "''") + "'"
    return str(int(bound) if isinstance(bound, bool) else bound)


def _bound(row: Row, zone: datetime.tzinfo) -> Row:
    for value in row:
        if isinstance(value, _TEXT_TYPES):
            return tuple([_bind(value, zone) for value in row])
    return row


def _bind(value: Any, zone: datetime.tzinfo) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(zone).replace(tzinfo=None).isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value
