"""Offsets that the worker keeps, as a process asks for them."""

from __future__ import annotations

from typing import Any

from kconnect_workers.hosts.offset_logs import WorkerOffsets
from kconnect_workers.stores.entry_log import Entry
from kconnect_workers.tasks.offset_storage import OffsetStorage


class Asked:
    """A host's answers."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    def read_offsets(self, connector: str) -> list[Entry]:
        return self.entries


def test_an_offset_that_the_worker_has_forgotten_is_forgotten_here() -> None:
    host: Any = Asked([(b'["c",{"n":1}]', b'{"at":1}'), (b'["c",{"n":2}]', b'{"at":2}')])
    storage = OffsetStorage("c", WorkerOffsets(host, "c"))
    assert storage.offsets([{"n": 1}, {"n": 2}]) == [{"at": 1}, {"at": 2}]
    del host.entries[0]
    assert storage.offsets([{"n": 1}, {"n": 2}]) == [None, {"at": 2}]
