"""What only SQLite does: values that are not of their column's type."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from kconnect.errors import ConnectError, DataError
from kconnect.testing.sinks import SinkTaskHarness
from kconnect.testing.sources import SourceTaskHarness
from kconnect_sql.sink import SqlSink
from kconnect_sql.source import SqlSource
from services.sql import Database


def source(database: Database, mode: str = "bulk", **more: str) -> SourceTaskHarness:
    props = {**database.props, "topic.prefix": "t.", "mode": mode, "connection.attempts": "1", "poll.interval.ms": "10"}
    return SourceTaskHarness(SqlSource, props | {name.replace("_", "."): value for name, value in more.items()})


@pytest.mark.parametrize(
    ("declared", "stored", "value"),
    [
        ("TIMESTAMP", "'2026-01-02T03:04:05Z'", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)),
        ("DATETIME", "1767323045000", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)),
        ("TIMESTAMP", "'2026-01-02'", datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)),
        ("DATE", "'2026-01-02'", datetime.date(2026, 1, 2)),
        ("TIME", "'03:04:05'", datetime.time(3, 4, 5)),
        ("FLOAT", "1", 1.0),
        ("INT", "1.0", 1),
        ("BOOLEAN", "1", True),
        ("MONEY", "1", 1.0),
        ("VARCHAR(3)", "x'41'", None),
        ("INT", "'one'", None),
        ("DATE", "'someday'", None),
        ("BOOLEAN", "2", None),
        ("DECIMAL(5, 2)", "'dear'", None),
    ],
)
def test_values_become_what_their_column_declares_or_are_refused(
    sqlite: Database, declared: str, stored: str, value: Any
) -> None:
    sqlite.run(f"CREATE TABLE t (a {declared})", f"INSERT INTO t VALUES ({stored})")
    with source(sqlite) as run:
        if value is None:
            with pytest.raises(DataError, match=r"test\.db: the column a holds .*, no "):
                run.poll()
        else:
            assert [record.value["a"] for record in run.poll_until(1)] == [value]


def test_an_unreadable_timestamp_is_refused_and_not_passed_over(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (at TIMESTAMP NOT NULL)", "INSERT INTO t VALUES ('someday')")
    with (
        source(sqlite, "timestamp", timestamp_column_name="at") as run,
        pytest.raises(DataError, match="a timestamp column holds 'someday'"),
    ):
        run.poll()


def test_a_query_gets_its_types_from_the_tables_behind_it(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (a DECIMAL(5, 2), b TIMESTAMP)", "INSERT INTO t VALUES (1.5, '2026-01-02')")
    with source(sqlite, query="SELECT a AS price, b, a * 2 AS twice FROM t") as run:
        [record] = run.poll_until(1)
    assert [type(value).__name__ for value in record.value.values()] == ["Decimal", "datetime", "float"]


def test_a_file_that_is_not_there_is_named_at_once(sqlite: Database) -> None:
    with pytest.raises(ConnectError, match=r"^the SQLite database .*test\.db does not exist"):
        source(sqlite, connection_attempts="2", connection_backoff_ms="1").__enter__()


def test_a_file_is_not_made_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(ConnectError, match=f"cannot be opened: the folder {nowhere} does not exist"):
        SinkTaskHarness(SqlSink, {"connection.url": f"jdbc:sqlite:{nowhere / 'a.db'}"}).__enter__()


def test_a_file_that_is_no_database_is_refused(sqlite: Database) -> None:
    sqlite.path.write_text("this is a letter, and no database at all. " * 50)
    with pytest.raises(ConnectError, match="not a database"):
        source(sqlite).__enter__()
