"""What the connectors need of a database, whichever it is."""

from __future__ import annotations

import datetime
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from kconnect.errors import ConfigError
from kconnect.schema import Schema
from kconnect_sql.config import ConnectionConfig
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.url import DatabaseUrl, parse_url

if TYPE_CHECKING:
    from kconnect_sql.writer import Writer

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view; `schema` is None where the database has none."""

    name: str
    schema: str | None = None

    @classmethod
    def parse(cls, text: str) -> Table:
        """A name that may be qualified; what comes before the last dot is the schema."""
        schema, _, name = text.rpartition(".")
        return cls(name, schema or None)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def encode_tables(tables: Sequence[Table]) -> str:
    """Tables as one value of a task's configuration, whatever is in their names."""
    return json.dumps([[table.name, table.schema] for table in tables])


def decode_tables(text: str) -> list[Table]:
    """What `encode_tables` gave."""
    return [Table(name, schema) for name, schema in json.loads(text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as the source sees it: `schema` is what its values become; `expression` is the SQL that it is selected
    by, None for its bare name."""

    name: str
    schema: Schema
    nullable: bool = True
    auto_increment: bool = False
    expression: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Below it no row can appear any more. `number` is inclusive, `moment` exclusive; None: the database does not
    tell."""

    number: int | None = None
    moment: datetime.datetime | None = None


class Horizon(Protocol):
    """Up to where a table can be read without passing a row that a transaction still open may commit."""

    @property
    def waiting(self) -> bool:
        """Whether an open transaction is being waited for, so that looking again soon is worth while."""
        ...

    def look(self) -> Bound | None:
        """The bound now; None: nothing may be read yet. Ask before the rows are selected."""
        ...


class Reader(Protocol):
    """An open connection that a source task reads by. For one thread. Methods raise RetriableError when the database
    is away, ConnectError when it refuses, DataError for values that no schema can hold."""

    quote: Identifiers

    def parameter(self, number: int) -> str:
        """What stands for a parameter in SQL, the first one being 1."""
        ...

    def tables(self, kinds: Sequence[str]) -> list[Table]:
        """The tables (and views, if `kinds` has VIEW) that this login sees, system tables excepted."""
        ...

    def columns(self, table: Table) -> list[Column]:
        """In the order of the table; ConnectError if it is not there."""
        ...

    def query_columns(self, sql: str) -> list[Column]:
        """The columns that a SELECT gives."""
        ...

    def moment_sql(self, column: str) -> str:
        """An expression of a timestamp column that compares with `moment_parameter`."""
        ...

    def moment_parameter(self, moment: datetime.datetime) -> Any:
        """An instant as a parameter."""
        ...

    def stream(
        self, sql: str, parameters: Sequence[Any], columns: Sequence[Column], size: int
    ) -> Generator[list[Row], None, None]:
        """The rows, at most `size` at a time, with values as the columns' schemas have them. One stream at a time."""
        ...

    def now(self) -> datetime.datetime:
        """The database's clock."""
        ...

    def horizon(self, rows: str, table: Table | None, number: str | None) -> Horizon:
        """For reading `table` (None: a query), which is `rows` in SQL, by the column `number`, or by timestamps if
        that is None."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ClockHorizon:
    """Where the database does not tell which transactions are open: everything up to now."""

    reader: Reader
    waiting: bool = False

    def look(self) -> Bound | None:
        return Bound(moment=self.reader.now())


class Dialect(Protocol):
    """One kind of database."""

    name: str

    def reader(self, url: DatabaseUrl, config: ConnectionConfig) -> Reader:
        """Raises RetriableError when the database cannot be reached, ConnectError when it refuses the login."""
        ...

    def writer(self, url: DatabaseUrl, config: ConnectionConfig) -> Writer:
        """As `reader`."""
        ...

    def table(self, name: str) -> Table:
        """The table that a name means, which may be qualified."""
        ...


def dialect_of(config: ConnectionConfig) -> tuple[Dialect, DatabaseUrl]:
    """The dialect that the URL, or `dialect.name`, asks for; drivers are imported here and not before."""
    url = parse_url(config.connection_url).login(config.connection_user, config.connection_password)
    name = config.dialect_name.lower().removesuffix("databasedialect") or url.dialect
    if name == "sqlite":
        from kconnect_sql.sqlite import SqliteDialect

        return SqliteDialect(), url
    if name in ("postgresql", "postgres"):
        from kconnect_sql.postgres import PostgresDialect

        return PostgresDialect(), url
    try:
        from kconnect_sql.generic import GenericDialect
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{name} databases are reached through SQLAlchemy, which is not installed",
            key="dialect.name" if config.dialect_name else "connection.url",
            suggestion="pip install 'kconnect-sql[sqlalchemy]' and the database's driver",
        ) from error
    return GenericDialect(), url
