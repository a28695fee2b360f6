from __future__ import annotations

from pathlib import Path

import pytest

from services.sql import POSTGRES, SQLALCHEMY, SQLITE, Database


@pytest.fixture(params=[SQLITE, POSTGRES, SQLALCHEMY])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database, of each kind unless a test is parametrized with those that it is about."""
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
