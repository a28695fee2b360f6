"""Writing to PostgreSQL by COPY: straight into the table, or into a temporary one from which a statement goes on."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import sql as psql
from psycopg.pq import TransactionStatus

from kconnect.errors import ConnectError
from kconnect.schema import TIMESTAMP_NAME, Schema
from kconnect_sql.config import ConnectionConfig
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.postgres_connection import connect, errors, place
from kconnect_sql.postgres_types import TIMESTAMP, TIMESTAMPTZ, fits_binary, target_type
from kconnect_sql.shape import Shape, TargetColumn
from kconnect_sql.table import Row, Table
from kconnect_sql.url import DatabaseUrl

WRITER = "kconnect sink"
STAGED_MAX = 100
TYPED_MAX = 1000
PATIENCE_SECONDS = 120.0
"""Less than max.poll.interval.ms, after which others would write the same rows."""


@dataclass(frozen=True, slots=True)
class _Load:
    """How rows of some columns are copied: in binary, typed by `oids`, or (None) as text for the server to read.
    `local` are the indexes of instants for a column without a time zone."""

    oids: list[int] | None
    local: list[int]


class PostgresWriter:
    def __init__(self, url: DatabaseUrl, config: ConnectionConfig) -> None:
        self._url = url
        self._zone = config.zone
        self.quote = Identifiers(config.sql_quote_identifiers)
        self._connection = connect(url, config, WRITER, patience_seconds=PATIENCE_SECONDS)
        self._types: dict[Table, dict[str, int]] = {}
        self._staged: dict[tuple[Table, tuple[str, ...]], str] = {}
        self._filled: set[str] = set()
        """Temporary tables with rows of this transaction, whose end empties them."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with errors(self._url, "cannot write"), self._connection.transaction():
                yield
        except BaseException:  # a temporary table that was made in it is gone, types may have changed
            self._staged.clear()
            self._types.clear()
            raise
        if self._connection.info.transaction_status is TransactionStatus.IDLE:
            self._filled.clear()

    def savepoint(self) -> AbstractContextManager[None]:
        return self.transaction()

    def column_names(self, table: Table) -> set[str] | None:
        self._types.pop(table, None)
        return set(self._column_types(table)) or None

    def create(self, table: Table, columns: Sequence[TargetColumn]) -> None:
        parts = [self._definition(column) for column in columns]
        keys = [column.name for column in columns if column.key]
        if keys:
            parts.append(f"PRIMARY KEY ({self.quote.list(keys)})")
        self._execute(f"CREATE TABLE IF NOT EXISTS {self._name(table)} ({', '.join(parts)})")
        self._types.pop(table, None)

    def add_columns(self, table: Table, columns: Sequence[TargetColumn]) -> None:
        parts = [f"ADD COLUMN IF NOT EXISTS {self._definition(column)}" for column in columns]
        self._execute(f"ALTER TABLE {self._name(table)} {', '.join(parts)}")
        self._types.pop(table, None)

    def insert(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        self._copy(self._name(table), table, shape.columns, rows)

    def upsert(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        staged = self._stage(table, shape.columns, rows)
        names = self.quote.list(shape.names)
        change = ", ".join(f"{name} = excluded.{name}" for name in map(self.quote, shape.others))
        self._execute(
            f"INSERT INTO {self._name(table)} ({names}) SELECT {names} FROM {staged}"  # noqa: S608 - quoted
            f" ON CONFLICT ({self.quote.list(shape.keys)}) DO {f'UPDATE SET {change}' if change else 'NOTHING'}",
            f"cannot write to {table}",
        )

    def update(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        if not shape.others:
            return
        staged = self._stage(table, shape.columns, rows)
        change = ", ".join(f"{name} = s.{name}" for name in map(self.quote, shape.others))
        sql = f"UPDATE {self._name(table)} t SET {change} FROM {staged} s WHERE {self._same_key(shape)}"  # noqa: S608 - quoted
        self._execute(sql, f"cannot write to {table}")

    def delete(self, table: Table, shape: Shape, keys: list[Row]) -> None:
        staged = self._stage(table, shape.columns[: len(shape.keys)], keys)
        sql = f"DELETE FROM {self._name(table)} t USING {staged} s WHERE {self._same_key(shape)}"  # noqa: S608 - quoted
        self._execute(sql, f"cannot remove rows of {table}")

    def close(self) -> None:
        self._connection.close()

    def _name(self, table: Table) -> str:
        return self.quote(table.schema, table.name)

    def _same_key(self, shape: Shape) -> str:
        return " AND ".join(f"t.{name} = s.{name}" for name in map(self.quote, shape.keys))

    def _stage(self, table: Table, columns: Sequence[TargetColumn], rows: list[Row]) -> str:
        """Copy the rows into a temporary table of the same column types, and give its name."""
        names = tuple(column.name for column in columns)
        staged = self._staged.get((table, names))
        if staged is None:
            if len(self._staged) >= STAGED_MAX:
                self._staged.clear()  # whose names are taken again
            staged = f"pg_temp.kconnect_{len(self._staged)}"
            listed = self.quote.list(list(names))
            self._execute(f"DROP TABLE IF EXISTS {staged}")
            like = f"SELECT {listed} FROM {self._name(table)} WITH NO DATA"  # noqa: S608 - quoted
            self._execute(f"CREATE TEMP TABLE {staged[8:]} ON COMMIT DELETE ROWS AS {like}")
            self._staged[table, names] = staged
        elif staged in self._filled:
            self._execute(f"TRUNCATE {staged}")
        self._filled.add(staged)
        self._copy(staged, table, columns, rows)
        return staged

    def _copy(self, into: str, table: Table, columns: Sequence[TargetColumn], rows: list[Row]) -> None:
        load = self._load(table, columns)
        names = self.quote.list([column.name for column in columns])
        binary = load.oids is not None
        if load.local:
            rows = _localised(rows, load.local, self._zone)
        with (
            errors(self._url, f"{table} refuses a row"),
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {into} ({names}) FROM STDIN{' (FORMAT BINARY)' if binary else ''}".encode()) as copy,
        ):
            if load.oids is not None:
                copy.set_types(load.oids)
            write = copy.write_row
            for row in rows:
                write(row)

    def _load(self, table: Table, columns: Sequence[TargetColumn]) -> _Load:
        types = self._column_types(table)
        same = {self.quote.same(name): oid for name, oid in types.items()}
        try:
            oids = [same[self.quote.same(column.name)] for column in columns]
        except KeyError as error:
            raise ConnectError(f"{place(self._url)}: the table {table} has lost the column {error.args[0]}") from error
        local = [i for i, c in enumerate(columns) if c.schema.name == TIMESTAMP_NAME and oids[i] == TIMESTAMP]
        if not all(fits_binary(column.schema, oid) for column, oid in zip(columns, oids, strict=True)):
            return _Load(None, local)
        if self._zone is datetime.UTC:  # both types have the same bytes then, and psycopg takes instants for this one
            oids = [TIMESTAMPTZ if i in local else oid for i, oid in enumerate(oids)]
            local = []
        return _Load(oids, local)

    def _column_types(self, table: Table) -> dict[str, int]:
        found = self._types.get(table)
        if found is None:
            if len(self._types) >= TYPED_MAX:
                self._types.clear()
            sql = (
                "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0"
                " AND NOT attisdropped"
            )
            with errors(self._url, f"cannot look at {table}"):
                rows = self._connection.execute(sql.encode(), [self._name(table)]).fetchall()
            found = self._types[table] = {name: int(oid) for name, oid in rows}
        return found

    def _definition(self, column: TargetColumn) -> str:
        schema = column.schema
        text = f"{self.quote(column.name)} {target_type(column.name, schema)}"
        if schema.default is not None:
            return f"{text} DEFAULT {self._literal(schema)}"
        return text if schema.optional and not column.key else f"{text} NOT NULL"

    def _literal(self, schema: Schema) -> str:
        value = schema.default
        if isinstance(value, datetime.datetime):
            value = value.astimezone(self._zone).replace(tzinfo=None)
        return psql.Literal(value).as_string(self._connection)

    def _execute(self, sql: str, doing: str | None = None) -> None:
        with errors(self._url, doing or f"cannot run {sql}"):
            self._connection.execute(sql.encode())


def _localised(rows: list[Row], indexes: list[int], zone: datetime.tzinfo) -> list[Row]:
    """The instants in `indexes` as the clock of `zone` shows them."""
    columns = list(zip(*rows, strict=True))
    local: Callable[[Any], Any] = (
        _utc_clock if zone is datetime.UTC else lambda value: value.astimezone(zone).replace(tzinfo=None)
    )
    for index in indexes:
        columns[index] = tuple([None if value is None else local(value) for value in columns[index]])
    return list(zip(*columns, strict=True))


def _utc_clock(value: datetime.datetime) -> datetime.datetime:
    if value.tzinfo is not datetime.UTC:
        value = value.astimezone(datetime.UTC)
    return value.replace(tzinfo=None)
