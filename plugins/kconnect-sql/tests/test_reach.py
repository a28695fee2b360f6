"""Databases that the worker's bounds do not allow are refused by name, before anything is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kconnect import bounds
from kconnect.bounds import Bounds
from kconnect.errors import ConfigError
from kconnect.testing.conformance import validation_errors
from kconnect.testing.sources import SourceTaskHarness
from kconnect_sql.sink import SqlSink
from kconnect_sql.source import SqlSource


@pytest.fixture
def bounded() -> Iterator[Callable[..., None]]:
    yield lambda **props: bounds.set_bounds(Bounds.from_props({k.replace("_", "."): v for k, v in props.items()}))
    bounds.set_bounds(Bounds())


def errors(url: str, **more: str) -> dict[str, list[str]]:
    settings = {name.replace("_", "."): value for name, value in more.items()}
    return validation_errors(SqlSource, {"connection.url": url, "mode": "bulk", "topic.prefix": "t.", **settings})


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("jdbc:postgresql://db.local/shop", True),
        ("jdbc:postgresql://db.local:5432/shop", True),
        ("jdbc:postgresql://db.local:5433/shop", False),
        ("postgresql://db.local,elsewhere/shop", False),
        ("postgresql:///shop", False),
        ("mysql+pymysql://db.local/shop?host=elsewhere", False),
        ("mysql+pymysql://elsewhere/shop", False),
        ("jdbc:sqlite:/tmp/shop.db", True),
    ],
)
def test_hosts_are_bounded(bounded: Callable[..., None], url: str, is_allowed: bool) -> None:
    bounded(egress_allow="db.local:5432")
    found = errors(url).get("connection.url", [])
    assert any("egress.allow" in error for error in found) is not is_allowed


def test_another_dialect_than_the_url_s_does_not_lead_out(bounded: Callable[..., None], tmp_path: Path) -> None:
    bounded(egress_allow="db.local", file_allowed_paths=str(tmp_path))
    assert "file.allowed.paths" in str(errors("postgresql://db.local//etc/x.db", dialect_name="sqlite"))
    assert "egress.allow" in str(errors(f"jdbc:sqlite:{tmp_path}/x.db", dialect_name="postgresql"))


def test_files_are_bounded_for_source_and_sink(bounded: Callable[..., None], tmp_path: Path) -> None:
    bounded(file_allowed_paths=str(tmp_path / "in"))
    assert errors(f"jdbc:sqlite:{tmp_path}/in/shop.db") == {}
    assert "file.allowed.paths" in str(errors(f"jdbc:sqlite:{tmp_path}/shop.db"))
    sink = {"connection.url": f"jdbc:sqlite:{tmp_path}/in/../shop.db"}
    assert "file.allowed.paths" in str(validation_errors(SqlSink, sink))
    keys = errors("postgresql://db/shop?sslkey=/etc/ssl/key.pem")
    assert "file.allowed.paths" in str(keys)


def test_a_link_that_came_after_validation_is_refused_by_the_task(bounded: Callable[..., None], tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    bounded(file_allowed_paths=str(inside))
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    (inside / "shop.db").symlink_to(tmp_path / "shop.db")
    props = {"connection.url": f"jdbc:sqlite:{inside}/shop.db", "mode": "bulk", "topic.prefix": "t."}
    with pytest.raises(ConfigError, match=r"connection\.url: .*shop\.db, lies outside .*file\.allowed\.paths"):
        SourceTaskHarness(SqlSource, props).__enter__()
