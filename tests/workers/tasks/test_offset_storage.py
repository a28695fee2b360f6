"""Offsets as plugins ask for them, from whichever thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from kconnect_workers.stores.entry_log import Apply, Entry
from kconnect_workers.tasks.offset_storage import OffsetStorage


class SlowLog:
    """An OffsetLog that is read when it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answer = threading.Event()
        self.reads = self.idled = 0
        self.entries: list[Entry] = [(b'["c",{"n":1}]', b'{"at":1}'), (b'["c",{"n":2}]', b'{"at":2}')]

    def read(self, apply: Apply) -> None:
        self.reads += 1
        self.asked.set()
        assert self.answer.wait(30)
        for entry in self.entries:
            apply(*entry)

    def write(self, entries: Sequence[Entry], timeout_s: float) -> None:
        self.entries += entries

    def idle(self) -> None:
        self.idled += 1

    def close(self) -> None:
        pass


def test_a_log_is_read_once_for_many_partitions() -> None:
    log = SlowLog()
    log.answer.set()
    storage = OffsetStorage("c", log)
    assert storage.offsets([{"n": 1}, {"n": 2}, {"n": 3}]) == [{"at": 1}, {"at": 2}, None]
    assert log.reads == 1


def test_a_log_does_not_become_idle_while_it_is_read_and_nobody_waits_for_that() -> None:
    log = SlowLog()
    storage = OffsetStorage("c", log)
    found: list[object] = []
    asking = threading.Thread(target=lambda: found.append(storage.offset({"n": 1})))
    asking.start()
    assert log.asked.wait(30)
    storage.idle()
    assert log.idled == 0
    log.answer.set()
    asking.join(30)
    storage.idle()
    assert (found, log.idled) == ([{"at": 1}], 1)
