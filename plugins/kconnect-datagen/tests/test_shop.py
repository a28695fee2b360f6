from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kconnect_datagen import shop


def orders(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT * FROM orders ORDER BY id").fetchall()


def test_fills_up_to_the_rows_asked_for_and_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "data" / "shop.db"
    assert shop.main([str(path), "--rows", "10", "--rate", "0"]) == 0
    first = orders(path)
    assert len(first) == 10
    shop.main([str(path), "--rows", "12", "--rate", "0"])
    assert orders(path)[:10] == first
    assert len(orders(path)) == 12


def test_fewer_rows_than_there_are_remove_none(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    shop.main([str(path), "--rows", "10", "--rate", "0"])
    shop.main([str(path), "--rows", "3", "--rate", "0"])
    assert len(orders(path)) == 10


def test_every_order_is_of_a_customer(tmp_path: Path) -> None:
    with closing(shop.open_shop(tmp_path / "shop.db")) as database:
        assert shop.add_orders(database, 50) == 50
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
