from __future__ import annotations

from pathlib import Path

import pytest

from services.sql import Database

POSTGRES = [pytest.mark.integration, pytest.mark.needs("postgres")]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=POSTGRES), pytest.param("sqlalchemy", marks=POSTGRES)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind; `sqlalchemy` is PostgreSQL as any other database is reached."""
    if request.param == "postgres":
        return Database("postgres", request.getfixturevalue("postgres_database"))
    if request.param == "sqlalchemy":
        return Database("sqlalchemy", request.getfixturevalue("postgres_database"))
    database = Database("sqlite", f"jdbc:sqlite:{tmp_path / 'test.db'}")
    database.run("PRAGMA journal_mode=WAL")
    return database


@pytest.fixture
def postgres(postgres_database: str) -> Database:
    return Database("postgres", postgres_database)


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return Database("sqlite", f"jdbc:sqlite:{tmp_path / 'test.db'}")
