"""PostgreSQL, by psycopg."""

from __future__ import annotations

from kconnect_sql.config import ConnectionConfig
from kconnect_sql.postgres_reader import PostgresReader
from kconnect_sql.postgres_writer import PostgresWriter
from kconnect_sql.reader import Reader
from kconnect_sql.table import Table
from kconnect_sql.url import DatabaseUrl
from kconnect_sql.writer import Writer


class PostgresDialect:
    name = "postgresql"

    def reader(self, url: DatabaseUrl, config: ConnectionConfig) -> Reader:
        return PostgresReader(url, config)

    def writer(self, url: DatabaseUrl, config: ConnectionConfig) -> Writer:
        return PostgresWriter(url, config)

    def table(self, name: str) -> Table:
        return Table.parse(name)
