"""Nobody waits for a log that takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from kconnect_workers.herder import status_writer
from kconnect_workers.herder.status_writer import StatusWriter
from kconnect_workers.states import State, Status
from kconnect_workers.stores.entry_log import Entry, MemoryLog
from kconnect_workers.stores.status_store import StatusStore


class StuckLog(MemoryLog):
    """Takes entries once it is `freed`."""

    freed: asyncio.Event

    async def append(self, entries: Sequence[Entry]) -> None:
        await self.freed.wait()
        await super().append(entries)


def test_a_flush_gives_up_after_its_time_and_what_it_left_is_written_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(status_writer, "_FLUSH_SECONDS", 0.05)

    async def scenario() -> None:
        StuckLog.freed = asyncio.Event()
        store = StatusStore(StuckLog)
        writer = StatusWriter(store)
        writer.start()
        writer.put(Status(id="c", state=State.RUNNING, worker_id="w"))
        async with asyncio.timeout(20):
            await writer.flush()
            assert "not yet stored after 0.05 s" in caplog.text
            assert store.connector("c") is None
            StuckLog.freed.set()
            await writer.flush()
            assert store.connector("c") is not None
            await writer.stop()

    asyncio.run(scenario())


def test_a_writer_stops_though_the_log_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_writer, "_FLUSH_SECONDS", 0.05)

    async def scenario() -> None:
        StuckLog.freed = asyncio.Event()
        writer = StatusWriter(StatusStore(StuckLog))
        writer.start()
        writer.put(Status(id="c", state=State.RUNNING, worker_id="w"))
        async with asyncio.timeout(20):
            await writer.stop()
            await writer.stop()

    asyncio.run(scenario())
