"""The embedded log as a worker's child: whatever the broker prints, it is heard and never waited for without end."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import pytest

from kconnect.errors import ConfigError
from kconnect_workers.embedded_log import EmbeddedLog
from services.stage import eventually

_READY = "ready: PLAINTEXT://127.0.0.1:1 (cluster c, data in d)"


@pytest.fixture
def printing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedLog:
    """A log whose process prints what is in `stdout` and `stderr` beside it, and stays."""
    script = tmp_path / "broker"
    script.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, signal, sys\n"
        "beside = pathlib.Path(__file__).parent\n"
        "print((beside / 'stdout').read_text(), flush=True)\n"
        "sys.stderr.write((beside / 'stderr').read_text())\n"
        "sys.stderr.flush()\n"
        "signal.pause()\n"
    )
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    return EmbeddedLog("PLAINTEXT://127.0.0.1:0", tmp_path / "data")


@pytest.mark.parametrize("before", ["\n", "x" * 200_000 + "\n"], ids=["blank", "long"])
def test_no_line_ends_the_hearing_of_others(
    printing: EmbeddedLog, tmp_path: Path, caplog: pytest.LogCaptureFixture, before: str
) -> None:
    (tmp_path / "stdout").write_text(_READY)
    (tmp_path / "stderr").write_text(before + "after\n")

    async def scenario() -> None:
        await printing.start()
        try:
            await eventually(lambda: "[log] after" in caplog.messages)
        finally:
            await printing.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())


def test_a_broker_that_says_something_else_than_ready_is_ended(printing: EmbeddedLog, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_text("hello")
    (tmp_path / "stderr").write_text("")

    async def scenario() -> None:
        async with asyncio.timeout(20):
            with pytest.raises(ConfigError, match="did not start: it ended with -"):
                await printing.start()
        assert printing.pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(printing.pid, 0)

    asyncio.run(scenario())


def test_what_the_broker_logs_comes_at_its_own_level_and_a_trace_at_that_of_what_it_explains(
    printing: EmbeddedLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "stdout").write_text(_READY)
    (tmp_path / "stderr").write_text(
        "2026-11-22 19:42:17,384 INFO orders-0: cleaned\n"
        "2026-11-22 19:42:17,385 ERROR orders-1: not cleaned\n"
        "Traceback (most recent call last):\n"
        "2026-11-22 19:42:17,386 WARNING the last\n"
    )

    async def scenario() -> None:
        await printing.start()
        try:
            await eventually(lambda: "[log] the last" in caplog.messages)
        finally:
            await printing.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    heard = [(record.levelname, record.message) for record in caplog.records if record.message.startswith("[log]")]
    assert heard == [
        ("INFO", "[log] orders-0: cleaned"),
        ("ERROR", "[log] orders-1: not cleaned"),
        ("ERROR", "[log] Traceback (most recent call last):"),
        ("WARNING", "[log] the last"),
    ]


@pytest.mark.parametrize("taken", ["port", "folder"])
def test_what_is_in_the_way_is_said_once_in_the_workers_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, taken: str
) -> None:
    async def scenario() -> None:
        first = EmbeddedLog("PLAINTEXT://127.0.0.1:0", tmp_path / "first")
        await first.start()
        second = EmbeddedLog(
            f"PLAINTEXT://{first.bootstrap_servers}" if taken == "port" else "PLAINTEXT://127.0.0.1:0",
            tmp_path / ("second" if taken == "port" else "first"),
        )
        try:
            with pytest.raises(ConfigError, match=f"in use .*embedded.log.{'listeners' if taken == 'port' else 'dir'}"):
                await second.start()
        finally:
            await second.stop()
            await first.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert not [message for message in caplog.messages if "in use" in message or "--data" in message]
