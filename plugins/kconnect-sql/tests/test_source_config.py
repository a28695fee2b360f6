from __future__ import annotations

import pytest

from kconnect.testing.conformance import validation_errors
from kconnect_sql.sink import SqlSink
from kconnect_sql.source import SqlSource


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"connection.url": "somewhere"}, "connection.url"),
        ({"mode": "sometimes"}, "mode"),
        ({"mode": "timestamp", "timestamp.column.name": ""}, "timestamp.column.name"),
        ({"table.whitelist": "a", "table.blacklist": "b"}, "table.blacklist"),
        ({"query": "SELECT 1", "table.whitelist": "a"}, "query"),
        ({"db.timezone": "Middle/Earth"}, "db.timezone"),
        ({"batch.max.rows": "0"}, "batch.max.rows"),
        ({"catalog.pattern": "elsewhere"}, "catalog.pattern"),
        ({"timestamp.granularity": "nanos_long"}, "timestamp.granularity"),
        ({"transaction.isolation.mode": "SERIALIZABLE"}, "transaction.isolation.mode"),
        ({"table.include.list": "a"}, "table.include.list"),
    ],
)
def test_what_is_wrong_or_not_covered_is_refused_by_name(settings: dict[str, str], key: str) -> None:
    props = {"connection.url": "jdbc:sqlite:x.db", "mode": "bulk", "topic.prefix": "t."} | settings
    assert set(validation_errors(SqlSource, props)) == {key}


@pytest.mark.parametrize(
    "settings", [{"timestamp.granularity": "connect_logical"}, {"quote.sql.identifiers": "ALWAYS"}]
)
def test_settings_of_other_jdbc_connectors_that_change_nothing_are_taken(settings: dict[str, str]) -> None:
    props = {"connection.url": "jdbc:sqlite:x.db", "mode": "bulk", "topic.prefix": "t."} | settings
    assert validation_errors(SqlSource, props) == {}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("jdbc:mysql://db/shop", "write mysql+pymysql://user@host/name and pip install PyMySQL"),
        ("mysql+pymysql://db/shop", "the driver pymysql of mysql+pymysql is not installed (pip install PyMySQL)"),
        ("jdbc:sqlserver://db:1433;databaseName=shop", "write mssql+pymssql://user@host/name and pip install pymssql"),
        ("jdbc:oracle:thin:@db:1521/shop", "write oracle+oracledb://user@host/name and pip install oracledb"),
        ("jdbc:nonesuch://db/shop", "SQLAlchemy knows no nonesuch"),
    ],
)
@pytest.mark.parametrize("connector", [SqlSource, SqlSink])
def test_a_database_whose_driver_is_not_installed_is_refused_with_what_to_install(
    connector: type[SqlSource | SqlSink], url: str, says: str
) -> None:
    props = {"connection.url": url, "mode": "bulk", "topic.prefix": "t.", "topics": "t"}
    errors = validation_errors(connector, props)
    assert set(errors) == {"connection.url"}
    assert says in errors["connection.url"][0]


def test_a_password_in_the_url_is_told_to_nobody() -> None:
    props = {"connection.url": "nothing//user:s3cret@host", "mode": "bulk", "topic.prefix": "t."}
    assert "s3cret" not in str(validation_errors(SqlSource, props))
