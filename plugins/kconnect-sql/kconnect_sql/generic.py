"""Any database that SQLAlchemy knows, by its Core."""

from __future__ import annotations

from kconnect_sql.config import ConnectionConfig
from kconnect_sql.generic_reader import GenericReader
from kconnect_sql.generic_writer import GenericWriter
from kconnect_sql.reader import Reader
from kconnect_sql.table import Table
from kconnect_sql.url import DatabaseUrl
from kconnect_sql.writer import Writer


class GenericDialect:
    name = "generic"

    def reader(self, url: DatabaseUrl, config: ConnectionConfig) -> Reader:
        return GenericReader(url, config)

    def writer(self, url: DatabaseUrl, config: ConnectionConfig) -> Writer:
        return GenericWriter(url, config)

    def table(self, name: str) -> Table:
        return Table.parse(name)
