"""Exactly-once sources of a whole pool, whose workers are lost and whose configs change while they write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.pool import call, running_pool
from services.stage import Kafka

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SOURCES = [f"source-{number}" for number in range(4)]


@contextmanager
def growing_files(folder: Path) -> Iterator[list[int]]:
    """A file for each source, to which lines are added as long as the block lasts; the one item is how many."""
    count = [0]
    ending = threading.Event()

    def grow() -> None:
        while not ending.wait(0.02):
            for name in SOURCES:
                with (folder / f"{name}.txt").open("a") as file:
                    file.writelines(f"{name} {number}\n" for number in range(count[0], count[0] + 20))
            count[0] += 20

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        yield count
    finally:
        ending.set()
        thread.join()


def test_every_line_is_written_once_whoever_is_killed_and_whatever_is_changed(tmp_path: Path) -> None:
    with running_pool(tmp_path) as pool:
        kafka = Kafka(pool.bootstrap)

        def all_write() -> None:
            """Each a thousand offsets more."""
            before = {name: kafka.end(name) for name in SOURCES}
            pool.wait_until(lambda: all(kafka.end(name) > before[name] + 1000 for name in SOURCES), "all sources write")

        with growing_files(tmp_path) as lines:
            pool.add("one", "two")
            for name in SOURCES:
                config = {
                    "connector.class": "FileStreamSource",
                    "file": str(tmp_path / f"{name}.txt"),
                    "topic": name,
                    "batch.size": "100",
                    "exactly.once.support": "required",
                }
                assert call(pool.workers["one"], "POST", "/connectors", {"name": name, "config": config})[0] == 201
            all_write()
            pool.kill(pool.leader)
            [survivor] = pool.workers
            pool.add("three")
            pool.wait_until(lambda: len(pool.placement()) == 2 * len(SOURCES), "all sources run again")
            all_write()
            for name in SOURCES[:2]:
                path = f"/connectors/{name}/config"
                config = {**pool.workers["three"].get(path), "batch.size": "150"}
                assert call(pool.workers["three"], "PUT", path, config)[0] == 200
            all_write()
            pool.kill(survivor)
            all_write()

        def written(name: str) -> list[str]:
            return [(message.value() or b"").decode() for message in kafka.committed_messages(name)]

        pool.wait_until(lambda: all(len(written(name)) >= lines[0] for name in SOURCES), "all lines")
        for name in SOURCES:
            assert written(name) == [f"{name} {number}" for number in range(lines[0])]
