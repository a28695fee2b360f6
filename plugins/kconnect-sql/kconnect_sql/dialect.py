"""The kinds of databases, and which of them a configuration means."""

from __future__ import annotations

from typing import Protocol

from kconnect.errors import ConfigError
from kconnect_sql.config import ConnectionConfig
from kconnect_sql.reach import check_reach
from kconnect_sql.reader import Reader
from kconnect_sql.table import Table
from kconnect_sql.url import DatabaseUrl, parse_url
from kconnect_sql.writer import Writer


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
    """The dialect that the URL, or `dialect.name`, asks for; drivers are imported here and not before. ConfigError for
    a database that the worker's bounds do not allow, or whose driver is not installed."""
    url = parse_url(config.connection_url).login(config.connection_user, config.connection_password)
    name = config.dialect_name.lower().removesuffix("databasedialect") or url.dialect
    check_reach("postgresql" if name == "postgres" else name, url)
    if name == "sqlite":
        from kconnect_sql.sqlite import SqliteDialect

        return SqliteDialect(), url
    if name in ("postgresql", "postgres"):
        from kconnect_sql.postgres import PostgresDialect

        return PostgresDialect(), url
    try:
        from kconnect_sql.generic import GenericDialect
        from kconnect_sql.generic_connection import check_driver
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{name} databases are reached through SQLAlchemy, which is not installed",
            key="dialect.name" if config.dialect_name else "connection.url",
            suggestion="pip install 'kconnect-sql[sqlalchemy]' and the database's driver",
        ) from error
    check_driver(url)
    return GenericDialect(), url
