"""Writing through SQLAlchemy's Core: its upsert where the database has one, an update or an insert elsewhere."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from kconnect_sql.config import ConnectionConfig
from kconnect_sql.generic_connection import connect, engine_of, errors, identifiers_of, plain_text
from kconnect_sql.generic_types import target_type
from kconnect_sql.shape import Shape, TargetColumn
from kconnect_sql.table import Row, Table
from kconnect_sql.url import DatabaseUrl


class GenericWriter:
    def __init__(self, url: DatabaseUrl, config: ConnectionConfig) -> None:
        self._engine = engine_of(url)
        self._zone = config.zone
        self.quote = identifiers_of(self._engine, config)
        self._connection = connect(self._engine)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with errors(self._engine, "cannot write"), self._connection.begin():
            yield

    def savepoint(self) -> AbstractContextManager[None]:
        return self._savepoint()

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        with errors(self._engine, "cannot write"), self._connection.begin_nested():
            yield

    def column_names(self, table: Table) -> set[str] | None:
        with errors(self._engine, f"cannot look at {table}"):
            inspector = sa.inspect(self._connection)
            if not inspector.has_table(table.name, table.schema):
                return None
            return {column["name"] for column in inspector.get_columns(table.name, table.schema)}

    def create(self, table: Table, columns: Sequence[TargetColumn]) -> None:
        made = sa.Table(self._named(table.name), sa.MetaData(), *map(self._column, columns), schema=table.schema)
        with errors(self._engine, f"cannot create {table}"):
            made.create(self._connection)

    def add_columns(self, table: Table, columns: Sequence[TargetColumn]) -> None:
        name = self.quote(table.schema, table.name)
        for column in columns:
            made = sa.Table(table.name, sa.MetaData(), self._column(column)).c[0]
            definition = sa.schema.CreateColumn(made).compile(dialect=self._engine.dialect)
            with errors(self._engine, f"cannot add {column.name} to {table}"):
                self._connection.execute(plain_text(f"ALTER TABLE {name} ADD {definition}"))

    def insert(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        self._write(table, sa.insert(self._table(table, shape)), self._bound(shape, rows))

    def upsert(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        target = self._table(table, shape)
        statement = self._upsert(target, shape)
        if statement is not None:
            self._write(table, statement, self._bound(shape, rows))
            return
        missing = [row for row in rows if not self._change(table, target, shape, row)]
        if missing:
            self.insert(table, shape, missing)

    def update(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        target = self._table(table, shape)
        if shape.others:
            for row in rows:
                self._change(table, target, shape, row)

    def delete(self, table: Table, shape: Shape, keys: list[Row]) -> None:
        target = self._table(table, shape)
        statement = sa.delete(target).where(*[target.c[name] == sa.bindparam(name) for name in shape.keys])
        self._write(table, statement, self._bound(shape, keys))

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def _named(self, name: str) -> sa.quoted_name:
        """Raises ConnectError for a name that cannot stand bare where it has to."""
        self.quote(name)
        return sa.quoted_name(name, self.quote.quoted)

    def _column(self, column: TargetColumn) -> sa.Column[Any]:
        schema = column.schema
        default = None
        if schema.default is not None:
            default = sa.literal(self._clock(schema.default), target_type(column)).compile(
                dialect=self._engine.dialect, compile_kwargs={"literal_binds": True}
            )
        return sa.Column(
            self._named(column.name),
            target_type(column),
            primary_key=column.key,
            autoincrement=False,
            nullable=schema.optional and not column.key,
            server_default=sa.text(str(default)) if default is not None else None,
        )

    def _table(self, table: Table, shape: Shape) -> sa.Table:
        return sa.Table(self._named(table.name), sa.MetaData(), *map(self._column, shape.columns), schema=table.schema)

    def _upsert(self, target: sa.Table, shape: Shape) -> sa.Insert | None:
        """None: the database has none that SQLAlchemy knows."""
        name = self._engine.dialect.name
        if name in ("mysql", "mariadb"):
            for_mysql = mysql.insert(target)
            names = shape.others or shape.keys  # nothing else to change: a key is set to itself
            return for_mysql.on_duplicate_key_update({each: for_mysql.inserted[each] for each in names})
        if name not in ("sqlite", "postgresql"):
            return None
        insert: sqlite.Insert | postgresql.Insert = (sqlite if name == "sqlite" else postgresql).insert(target)
        keys = [target.c[each] for each in shape.keys]
        if not shape.others:
            return insert.on_conflict_do_nothing(index_elements=keys)
        change = {each: insert.excluded[each] for each in shape.others}
        return insert.on_conflict_do_update(index_elements=keys, set_=change)

    def _change(self, table: Table, target: sa.Table, shape: Shape, row: Row) -> bool:
        """Update the row with these keys; whether there is one."""
        [values] = self._bound(shape, [row])
        keys = [target.c[name] == values[name] for name in shape.keys]
        with errors(self._engine, f"cannot write to {table}"):
            if not shape.others:
                return self._connection.execute(sa.select(sa.literal(1)).where(*keys)).first() is not None
            change = {name: values[name] for name in shape.others}
            return self._connection.execute(sa.update(target).where(*keys).values(change)).rowcount > 0

    def _write(self, table: Table, statement: sa.Insert | sa.Delete, rows: list[dict[str, Any]]) -> None:
        with errors(self._engine, f"{table} refuses a row"):
            self._connection.execute(statement, rows)

    def _bound(self, shape: Shape, rows: list[Row]) -> list[dict[str, Any]]:
        """`rows` may have the key columns alone."""
        names, clock = shape.names, self._clock
        return [{name: clock(value) for name, value in zip(names, row, strict=False)} for row in rows]

    def _clock(self, value: Any) -> Any:
        """An instant as the clock of `db.timezone` shows it."""
        if isinstance(value, datetime.datetime):
            return value.astimezone(self._zone).replace(tzinfo=None)
        return value
