"""Reading through SQLAlchemy's Core."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from kconnect.errors import ConnectError
from kconnect_sql.config import ConnectionConfig, SqlSourceConfig
from kconnect_sql.generic_connection import connect, engine_of, errors, identifiers_of, plain_text
from kconnect_sql.generic_types import source_schema
from kconnect_sql.horizon import ClockHorizon, Horizon
from kconnect_sql.numeric import numeric_mapping
from kconnect_sql.table import Column, Row, Table
from kconnect_sql.url import DatabaseUrl
from kconnect_sql.values import RowConverter, optional

log = logging.getLogger(__name__)


class GenericReader:
    def __init__(self, url: DatabaseUrl, config: ConnectionConfig) -> None:
        self._engine = engine_of(url)
        self._zone = config.zone
        source = config if isinstance(config, SqlSourceConfig) else None
        self._mapping = numeric_mapping(source) if source is not None else "none"
        self._all_schemas = source is not None and bool(source.schema_pattern)
        self.quote = identifiers_of(self._engine, config)
        self._types: dict[str, sa.types.TypeEngine[Any]] = {}
        self._connection = connect(self._engine)

    def parameter(self, number: int) -> str:
        return f":kconnect_{number}"

    def tables(self, kinds: Sequence[str]) -> list[Table]:
        with errors(self._engine, "cannot list the tables"), self._done():
            inspector = sa.inspect(self._connection)
            schemas = inspector.get_schema_names() if self._all_schemas else [None]
            found = []
            for schema in schemas:
                names = inspector.get_table_names(schema) if "TABLE" in kinds else []
                names += inspector.get_view_names(schema) if "VIEW" in kinds else []
                found += [Table(name, schema) for name in names]
            return found

    def columns(self, table: Table) -> list[Column]:
        try:
            with errors(self._engine, f"cannot look at {table}"), self._done():
                found = sa.inspect(self._connection).get_columns(table.name, table.schema)
                keys = sa.inspect(self._connection).get_pk_constraint(table.name, table.schema)["constrained_columns"]
        except ConnectError as error:
            if isinstance(error.__cause__, sa.exc.NoSuchTableError):
                raise ConnectError(f"{self._engine.url!r} has no table {table}") from error
            raise
        columns = []
        for each in found:
            name, nullable = each["name"], bool(each["nullable"]) and each["name"] not in keys
            schema = source_schema(each["type"], self._mapping)
            counts = each.get("autoincrement") is True or "identity" in each
            self._types[name] = each["type"]
            columns.append(
                Column(
                    name=name, schema=optional(schema) if nullable else schema, nullable=nullable, auto_increment=counts
                )
            )
        return columns

    def query_columns(self, sql: str) -> list[Column]:
        """By the first row, for drivers tell types each in a way of their own."""
        with errors(self._engine, f"cannot run {sql}"), self._done():
            result = self._connection.execute(plain_text(f"SELECT * FROM ({sql}) q"))  # noqa: S608 - the user's own query
            names, rows = list(result.keys()), result.fetchmany(1)
            result.close()
            row = tuple(rows[0]) if rows else (None,) * len(names)
            return [
                Column(name=name, schema=optional(source_schema(_type_of(value), self._mapping)))
                for name, value in zip(names, row, strict=True)
            ]

    def moment_sql(self, column: str) -> str:
        return self.quote(column)

    def moment_parameter(self, moment: datetime.datetime) -> datetime.datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None)

    def stream(
        self, sql: str, parameters: Sequence[Any], columns: Sequence[Column], size: int
    ) -> Generator[list[Row], None, None]:
        typed = [sa.column(column.name, self._types.get(column.name)) for column in columns]
        bound = [
            sa.bindparam(f"kconnect_{number}", value, sa.DateTime() if isinstance(value, datetime.datetime) else None)
            for number, value in enumerate(parameters, 1)
        ]
        convert = RowConverter(columns, self._zone, repr(self._engine.url)).convert
        options = {"stream_results": True, "max_row_buffer": size}
        with errors(self._engine, f"cannot read by {sql}"), self._done():
            statement = plain_text(sql).bindparams(*bound).columns(*typed)
            with self._connection.execute(statement, execution_options=options) as result:
                while rows := result.fetchmany(size):
                    yield convert([tuple(row) for row in rows])

    def now(self) -> datetime.datetime:
        """The worker's clock, for databases tell theirs each in a way of their own."""
        return datetime.datetime.now(datetime.UTC)

    def horizon(self, rows: str, table: Table | None, number: str | None) -> Horizon:
        log.warning(
            "%r does not tell which transactions are open: rows of %s that are committed late may be passed over; in a "
            "timestamp mode set timestamp.delay.interval.ms to more than your longest transaction",
            self._engine.url,
            table or "the query",
        )
        return ClockHorizon(self.now)

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    @contextmanager
    def _done(self) -> Iterator[None]:
        """End the transaction that SQLAlchemy begins by itself, so that the next look sees what is new."""
        try:
            yield
        finally:
            if not self._connection.invalidated:
                self._connection.rollback()


def _type_of(value: Any) -> sa.types.TypeEngine[Any]:
    return sa.String() if value is None else sa.literal(value).type
