"""The main job under fire: SQL rows through a topic into a file and a table, all of it killed in the middle."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from chaos.checker import Arrival, Verdict, ViolationError, compare, read_topic
from chaos.stage import Stage
from chaos.worker import eventually

CONFIGS = Path(__file__).parents[3] / "configs" / "demo"
TOPIC = "shop.orders"
ROWS = 6000


def everything_killed(stage: Stage, kills: int = 2) -> None:
    """Worker, broker, zygote and tasks are killed while orders are on their way, and started again; every order of the
    shop is in the topic, in the file and in the warehouse then."""
    folder = stage.folder / "demo"
    shop = _Shop(folder / "shop.db")
    connectors = [_connector(file, folder) for file in sorted(CONFIGS.glob("*.json"))]
    props = _worker_props()
    for _ in range(kills):
        with stage.worker(connectors, props) as worker:
            wanted = _lines(folder) + stage.random.randint(200, 1200)
            shop.add(ROWS // (kills + 1))
            eventually(partial(_has_lines, folder, wanted), f"{wanted} orders are in the file", worker.output)
            stage.tally.killed(in_flight=_lines(folder) < shop.rows or _warehouse(folder).keys() < shop.ids())
            worker.kill_everything()
    with stage.worker(connectors, props) as worker:
        shop.add(ROWS // (kills + 1))
        eventually(lambda: _warehouse(folder).keys() >= shop.ids(), "every order is in the warehouse", worker.output)
        eventually(
            lambda: {a.id for a in _in_file(folder)} >= set(shop.order), "every order is in the file", worker.output
        )
        stage.tally.compared(compare({"": shop.order}, _in_topic(worker.bootstrap), restarts=kills))
        stage.tally.compared(_compare_file(shop, folder, worker.bootstrap, kills))
        _compare_warehouse(shop, folder)


def _has_lines(folder: Path, wanted: int) -> bool:
    return _lines(folder) >= wanted


def _compare_file(shop: _Shop, folder: Path, bootstrap: str, kills: int) -> Verdict:
    """The topic holds doubles of each kill of the source, the file those and its own."""
    in_file = [*_in_file(folder)]
    missing = Counter(a.id for a in _in_topic(bootstrap)) - Counter(a.id for a in in_file)
    if missing:
        raise ViolationError(f"{missing.total()} records of the topic are not in the file: {list(missing)[:5]} …")
    return compare({"": shop.order}, in_file, restarts=2 * kills)


def _compare_warehouse(shop: _Shop, folder: Path) -> None:
    """Row for row, what an upsert leaves is what the shop has."""
    found = _warehouse(folder)
    differing = [number for number, row in shop.contents().items() if found.get(number) != row]
    if differing or found.keys() != shop.ids():
        raise ViolationError(f"the warehouse differs from the shop in {len(differing)} orders: {differing[:5]} …")


class _Shop:
    """The source database, and its rows by this module's own reading."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True)
        self._path = path
        self.rows = 0
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, product VARCHAR(40) NOT NULL, quantity INTEGER NOT NULL)"
            )

    def add(self, count: int) -> None:
        numbers = range(self.rows + 1, self.rows + count + 1)
        with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
            db.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(n, f"product {n % 97}", n % 7) for n in numbers])
        self.rows += count

    @property
    def order(self) -> list[str]:
        return [str(n) for n in range(1, self.rows + 1)]

    def all_in(self, arrivals: Iterator[Arrival]) -> bool:
        return {arrival.id for arrival in arrivals} >= set(self.order)

    def ids(self) -> set[int]:
        return set(range(1, self.rows + 1))

    def contents(self) -> dict[int, tuple[str, int]]:
        return {n: (f"product {n % 97}", n % 7) for n in range(1, self.rows + 1)}


def _connector(file: Path, folder: Path) -> dict[str, Any]:
    """A connector of the demo, writing to `folder`."""
    found: dict[str, Any] = json.loads(file.read_text().replace(".kconnect/demo", str(folder)))
    return found


def _worker_props() -> dict[str, str]:
    """The demo's worker, on other ports and in another folder."""
    lines = (CONFIGS / "worker.properties").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {key: value for key, value in pairs if "converter" in key}


def _lines(folder: Path) -> int:
    return sum(1 for _ in _in_file(folder))


def _in_file(folder: Path) -> Iterator[Arrival]:
    file = folder / "orders.jsonl"
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            yield Arrival("", str(json.loads(line)["order_id"]))
        except ValueError:  # a line that a kill cut short, which comes again
            continue


def _in_topic(bootstrap: str) -> list[Arrival]:
    return [
        Arrival("", str(json.loads(record.value or b"")["payload"]["order_id"]))
        for record in read_topic(bootstrap, TOPIC)
    ]


def _warehouse(folder: Path) -> dict[int, tuple[str, int]]:
    if not (folder / "warehouse.db").exists():
        return {}
    try:
        with closing(sqlite3.connect(folder / "warehouse.db", timeout=30)) as db:
            return {row[0]: row[1:] for row in db.execute("SELECT order_id, product, quantity FROM orders")}
    except sqlite3.OperationalError:  # no table yet
        return {}
