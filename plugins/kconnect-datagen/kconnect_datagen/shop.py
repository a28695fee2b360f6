"""A small shop as a SQLite database whose orders keep coming: something real to connect to.

    python -m kconnect_datagen.shop shop.db --rows 5000 --rate 20

makes the tables `customers` and `orders` if they are not there, fills `orders` up to `--rows`, then adds `--rate`
orders a second until it is interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from kconnect_datagen.datasets import CITIES, DATASETS, person

CUSTOMERS = 1000
TABLES = """
CREATE TABLE IF NOT EXISTS customers (
    id INTEGER PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    mail VARCHAR(120) NOT NULL,
    city VARCHAR(40)
);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    product VARCHAR(40) NOT NULL,
    quantity INTEGER NOT NULL,
    total DECIMAL(10, 2) NOT NULL,
    status VARCHAR(12) NOT NULL,
    ordered_at TIMESTAMP NOT NULL
);
"""


def open_shop(path: Path) -> sqlite3.Connection:
    """The database at `path`, made with its customers if it is not there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shop = sqlite3.connect(path, timeout=30)
    shop.execute("PRAGMA journal_mode=WAL")
    shop.executescript(TABLES)
    with shop:
        shop.executemany("INSERT OR IGNORE INTO customers VALUES (?, ?, ?, ?)", _customers())
    return shop


def add_orders(shop: sqlite3.Connection, count: int) -> int:
    """Add `count` orders in one transaction; the number of orders there are then."""
    (have,) = shop.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()
    with shop:
        shop.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", _orders(have, have + count))
    return int(have) + max(count, 0)


def _customers() -> Iterator[tuple[int, str, str, str]]:
    for number in range(1, CUSTOMERS + 1):
        random = Random(number)  # noqa: S311 - made-up data
        name, mail = person(random)
        yield number, name, mail, random.choice(CITIES)


def _orders(begin: int, end: int) -> Iterator[tuple[object, ...]]:
    make = DATASETS["orders"].make
    for number in range(begin, end):
        order = make(number, Random(number))  # noqa: S311 - made-up data
        ordered_at = order["ordered_at"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        yield (
            order["order_id"],
            order["customer_id"],
            order["product"],
            order["quantity"],
            str(order["total"]),
            order["status"],
            ordered_at,
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m kconnect_datagen.shop", description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--rows", type=int, default=5000, help="orders to begin with")
    parser.add_argument("--rate", type=float, default=20.0, help="orders added per second; 0 for none")
    options = parser.parse_args(arguments)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with closing(open_shop(options.database)) as shop:
        (have,) = shop.execute("SELECT count(*) FROM orders").fetchone()
        add_orders(shop, options.rows - have)
        if options.rate > 0:
            while not stopping.wait(1 / options.rate):
                with contextlib.suppress(sqlite3.OperationalError):  # locked by a reader: the next turn adds it
                    add_orders(shop, 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
