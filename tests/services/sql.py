"""A database as tests of SQL connectors look at it: next to the connector, on a connection of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

__all__ = ["POSTGRES", "SQLALCHEMY", "SQLITE", "Database"]

_MARKS = [pytest.mark.integration, pytest.mark.needs("postgres")]
SQLITE = "sqlite"
POSTGRES = pytest.param("postgres", marks=_MARKS)
SQLALCHEMY = pytest.param("sqlalchemy", marks=_MARKS)
"""PostgreSQL as any other database is reached."""


class Database:
    """`props` are what connectors are given. Each call is a transaction of its own."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url

    @property
    def props(self) -> dict[str, str]:
        if self.kind != "sqlalchemy":
            return {"connection.url": self.url}
        return {"connection.url": self.url.replace("://", "+psycopg://", 1), "dialect.name": "generic"}

    @property
    def is_postgres(self) -> bool:
        return self.url.startswith("postgresql")

    @contextmanager
    def open(self) -> Iterator[Any]:
        """A connection outside any transaction; for those who want one, BEGIN."""
        if self.is_postgres:
            with psycopg.connect(self.url, autocommit=True) as connection:
                yield connection
        else:
            with closing(sqlite3.connect(self.path, isolation_level=None, timeout=20)) as connection:
                yield connection

    @property
    def path(self) -> Path:
        return Path(self.url.rpartition("sqlite:")[2].removeprefix("///"))

    def run(self, *statements: str) -> None:
        with self.open() as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.open() as connection:
            return list(connection.execute(sql))
