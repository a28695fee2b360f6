"""Source offsets that the worker keeps in its file, as its hosts read and write them."""

from __future__ import annotations

from collections.abc import Callable

from kconnect_workers.hosts.host import Host
from kconnect_workers.tasks.source_offsets import Entry


class WorkerOffsets:
    """An OffsetLog that asks the worker."""

    def __init__(self, host: Host, connector: str) -> None:
        self._host = host
        self._connector = connector

    def read(self, apply: Callable[[bytes, bytes | None], None]) -> None:
        for key, value in self._host.read_offsets(self._connector):
            apply(key, value)

    def write(self, entries: list[Entry], timeout_s: float) -> None:
        self._host.write_offsets(entries)

    def idle(self) -> None:
        pass

    def close(self) -> None:
        pass
