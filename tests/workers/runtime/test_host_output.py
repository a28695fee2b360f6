"""What hosts print and log reaches the worker's log, with its context; what is too much is dropped and counted."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

import pytest

from kconnect_workers.hosts.host_log import LogChannelHandler
from kconnect_workers.runtime.host_output import LogReader, StderrTail
from kconnect_workers.states import State
from services.stage import MakeEnvironment, Statuses, eventually, run, start


def test_lines_of_a_task_carry_its_context(
    environment: MakeEnvironment, statuses: Statuses, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with environment() as env:
            await start(env, "bad", connector__class="BadSink", topics="unheard-of", bad__at="stop")
            await eventually(lambda: statuses.last("bad-0") is State.RUNNING)

    with caplog.at_level(logging.INFO):
        run(scenario())
    lines = [record.getMessage() for record in caplog.records if record.name == "kconnect_workers.tasks.sink_task"]
    assert any(line.startswith("[bad|task-0] ") and "no good in stop" in line for line in lines)


def test_a_full_channel_drops_lines_and_says_how_many(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        reader_end, writer_end = socket.socketpair()
        logger = logging.Logger("noisy")
        handler = LogChannelHandler(writer_end)
        logger.addHandler(handler)
        while not handler.dropped:
            logger.info("x" * 1000)
        dropped = handler.dropped
        reader = LogReader(reader_end, "[noisy|task-0] ")
        await eventually(lambda: not flush(handler))
        logger.info("after")
        await eventually(lambda: "after" in caplog.text)
        assert f"[noisy|task-0] {dropped} log lines were dropped here." in caplog.text
        reader.drain()
        writer_end.close()

    def flush(handler: LogChannelHandler) -> bytearray:
        handler._send()
        return handler._unsent

    with caplog.at_level(logging.INFO, "noisy"):
        asyncio.run(scenario())


def test_the_last_lines_of_stderr_are_kept() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        tail = StderrTail(reader, "")
        os.write(writer, b"".join(b"line %d\n" % n for n in range(100)) + b"unfinished")
        await eventually(lambda: "unfinished" in tail.text)
        os.close(writer)
        tail.drain()
        assert tail.text.splitlines() == [*(f"line {n}" for n in range(70, 100)), "unfinished"]

    asyncio.run(scenario())
