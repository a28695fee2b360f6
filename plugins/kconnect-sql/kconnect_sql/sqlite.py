"""SQLite, by Python's own driver."""

from __future__ import annotations

from kconnect_sql.config import ConnectionConfig
from kconnect_sql.reader import Reader
from kconnect_sql.sqlite_reader import SqliteReader
from kconnect_sql.sqlite_writer import SqliteWriter
from kconnect_sql.table import Table
from kconnect_sql.url import DatabaseUrl
from kconnect_sql.writer import Writer


class SqliteDialect:
    name = "sqlite"

    def reader(self, url: DatabaseUrl, config: ConnectionConfig) -> Reader:
        return SqliteReader(url, config)

    def writer(self, url: DatabaseUrl, config: ConnectionConfig) -> Writer:
        return SqliteWriter(url, config)

    def table(self, name: str) -> Table:
        return Table(name)
