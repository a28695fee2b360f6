"""What the connectors need of a database, whichever it is."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from kconnect.errors import ConfigError
from kconnect.schema import Schema
from kconnect_sql.config import ConnectionConfig
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
        """What `str` gave."""
        schema, _, name = text.rpartition(".")
        return cls(name, schema or None)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as the source sees it: `schema` is what its values become."""

    name: str
    schema: Schema
    nullable: bool = True
    primary_key: bool = False
    auto_increment: bool = False


class Reader(Protocol):
    """An open connection that a source task reads by. For one thread. Methods raise RetriableError when the database
    is away, ConnectError when it refuses."""

    parameter: str
    """What stands for a parameter in SQL."""

    def tables(self, kinds: Sequence[str]) -> list[Table]:
        """The tables (and views, if `kinds` has VIEW) that this login sees, system tables excepted."""
        ...

    def columns(self, table: Table) -> list[Column]:
        """In the order of the table; ConnectError if it is not there."""
        ...

    def query_columns(self, sql: str) -> list[Column]:
        """The columns that a SELECT gives."""
        ...

    def quote(self, *names: str | None) -> str:
        """A name, quoted; several are joined by dots, None left out."""
        ...

    def moment_sql(self, column: str) -> str:
        """An expression of a timestamp column that compares with `moment_parameter`."""
        ...

    def moment_parameter(self, moment: datetime.datetime) -> Any:
        """An instant as a parameter."""
        ...

    def stream(self, sql: str, parameters: Sequence[Any], columns: Sequence[Column], size: int) -> Iterator[list[Row]]:
        """The rows, at most `size` at a time, with values as the columns' schemas have them."""
        ...

    def now(self) -> datetime.datetime:
        """The database's clock."""
        ...

    def settled(self, table: Table | None, column: str) -> Settled:
        """Up to where rows can be read without passing one that an open transaction may still commit."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Bounds below which no row can appear any more; None: the database does not tell, or no transaction is open."""

    number: int | None = None
    moment: datetime.datetime | None = None


class Dialect(Protocol):
    """One kind of database."""

    name: str

    def reader(self, url: DatabaseUrl, config: ConnectionConfig) -> Reader: ...

    def writer(self, url: DatabaseUrl, config: ConnectionConfig) -> Writer: ...

    def table(self, name: str) -> Table:
        """The table that a name means, which may be qualified."""
        ...


def dialect_of(config: ConnectionConfig) -> tuple[Dialect, DatabaseUrl]:
    """The dialect that the URL, or `dialect.name`, asks for; drivers are imported here and not before."""
    url = parse_url(config.connection_url).login(config.connection_user, config.connection_password)
    name = _NAMES.get(config.dialect_name.lower().removesuffix("databasedialect"), config.dialect_name) or url.dialect
    if name == "sqlite":
        from kconnect_sql import sqlite

        return sqlite.SqliteDialect(), url
    raise ConfigError(f"there is no dialect {name}", key="dialect.name" if config.dialect_name else "connection.url")


_NAMES = {"postgresql": "postgresql", "postgres": "postgresql", "sqlite": "sqlite", "generic": "generic"}
