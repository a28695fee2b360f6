"""Syncing in groups, off the loop."""

from __future__ import annotations

import os
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from kconnect.log.protocol.records import Record, build_batch
from kconnect.log.storage.partition import Partition
from kconnect.log.storage.syncer import Syncer
from kconnect.log.topic_config import TopicConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Loop:
    """The loop's side: calls wait here until the test lets them run."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.syncer = Syncer(self.calls.put)

    def run_one(self) -> None:
        self.calls.get(timeout=30)()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.syncer.close([])


def partition(loop: Loop, folder: Path, topic: str, **configs: str) -> Partition:
    folder = folder / f"{topic}-0"
    folder.mkdir()
    opened = Partition(topic, 0, folder, TopicConfig.of(configs), loop.syncer.mark_dirty)
    opened.open(recovery_point=0, log_start_offset=0, clean=True)
    return opened


def append(to: Partition) -> None:
    to.append(memoryview(build_batch([Record(0, -1, None, b"x")])))


def test_a_sync_takes_all_older_data_along(loop: Loop, tmp_path: Path) -> None:
    data = partition(loop, tmp_path, "data")
    offsets = partition(loop, tmp_path, "__consumer_offsets", **{"flush.messages": "1"})
    append(data)
    append(offsets)
    done: list[tuple[int, int, int]] = []
    loop.syncer.sync(lambda: done.append((data.recovery_point, offsets.recovery_point, offsets.high_watermark)))
    assert done == []
    loop.run_one()  # the sync begins
    loop.run_one()  # the sync has ended
    assert done == [(1, 1, 1)]
    data.abandon()
    offsets.abandon()


def test_what_speaks_of_data_is_synced_after_it(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for n in range(6) for name in (f"connect-offsets{n}", f"data{n}")]
    topics = [
        partition(loop, tmp_path, name, **({"flush.messages": "1"} if "offsets" in name else {})) for name in names
    ]
    for topic in topics:
        append(topic)
    synced: list[int] = []

    def note(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)

    monkeypatch.setattr("kconnect.log.storage.syncer._fdatasync", note)
    loop.syncer.close(topics)
    folders = {topic.folder.stat().st_ino: topic.topic for topic in topics}
    order = [folders[inode] for inode in synced if inode in folders]
    assert sorted(order) == sorted(names)
    assert ["offsets" in name for name in order] == [False] * 6 + [True] * 6
    for topic in topics:
        topic.abandon()


def test_what_speaks_of_data_is_not_written_before_older_data_is_synced(loop: Loop, tmp_path: Path) -> None:
    data = partition(loop, tmp_path, "data")
    offsets = partition(loop, tmp_path, "offsets", **{"flush.messages": "1"})
    written: list[tuple[str, bool, int]] = []

    def write(name: str) -> Callable[[bool], None]:
        def at_last(older_is_safe: bool) -> None:
            append(offsets)
            written.append((name, older_is_safe, data.recovery_point))

        return at_last

    loop.syncer.write_behind(write("nothing is older"))
    assert written == [("nothing is older", True, 0)]
    append(data)
    loop.syncer.write_behind(write("behind one"))
    assert len(written) == 1
    loop.run_one()  # the sync begins
    append(data)
    loop.syncer.write_behind(write("behind two"))
    loop.run_one()  # the first sync has ended
    assert written[1:] == [("behind one", True, 1)]
    loop.syncer.write_behind(write("not before the others"))
    loop.run_one()
    assert written[2:] == [("behind two", True, 2)]
    loop.run_one()
    assert written[3:] == [("not before the others", True, 2)]
    data.abandon()
    offsets.abandon()


def test_what_speaks_of_data_that_cannot_be_synced_is_refused(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = partition(loop, tmp_path, "data")
    append(data)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("kconnect.log.storage.syncer._fdatasync", fail)
    told: list[bool] = []
    loop.syncer.write_behind(told.append)
    loop.run_one()
    loop.run_one()
    assert told == [False]
    assert data.offline is not None
    data.abandon()


def test_a_watcher_that_fails_keeps_nobody_else_waiting(loop: Loop, tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("planted")

    topic = partition(loop, tmp_path, "t")
    topic.watchers.add(fail)
    append(topic)
    done: list[int] = []
    loop.syncer.sync(lambda: done.append(topic.recovery_point))
    loop.run_one()
    loop.run_one()
    assert done == [1]
    topic.abandon()


def test_what_is_asked_for_during_a_sync_is_done_by_one_more(loop: Loop, tmp_path: Path) -> None:
    topic = partition(loop, tmp_path, "t")
    done: list[tuple[str, int]] = []
    append(topic)
    loop.syncer.sync(lambda: done.append(("first", topic.recovery_point)))
    loop.run_one()
    for name in ("second", "third"):
        append(topic)
        loop.syncer.sync(lambda name=name: done.append((name, topic.recovery_point)))
    loop.run_one()
    assert done == [("first", 1)]
    loop.run_one()
    assert done == [("first", 1), ("second", 3), ("third", 3)]
    topic.abandon()


def test_closing_syncs_what_is_left_and_may_be_repeated(loop: Loop, tmp_path: Path) -> None:
    topic = partition(loop, tmp_path, "t")
    append(topic)
    loop.syncer.close([topic])
    assert topic.recovery_point == 1
    topic.abandon()


def test_closing_lets_happen_what_waited_for_the_sync(loop: Loop, tmp_path: Path) -> None:
    data = partition(loop, tmp_path, "data")
    offsets = partition(loop, tmp_path, "offsets", **{"flush.messages": "1"})
    append(data)
    written: list[tuple[bool, int]] = []

    def write(older_is_safe: bool) -> None:
        append(offsets)
        written.append((older_is_safe, data.recovery_point))

    loop.syncer.write_behind(write)
    assert written == []
    loop.syncer.close([data, offsets])
    assert written == [(True, 1)]
    assert offsets.recovery_point == 1
    loop.syncer.close([data, offsets])
    assert len(written) == 1
    data.abandon()
    offsets.abandon()
