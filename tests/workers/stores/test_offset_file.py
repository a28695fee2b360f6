"""A worker's offsets in one file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kconnect.errors import ConfigError
from kconnect_workers.stores.offset_file import OffsetFile


def test_a_log_goes_on_where_the_file_ends(tmp_path: Path) -> None:
    file = tmp_path / "connect.offsets"

    async def first() -> None:
        log = OffsetFile(file, lambda key, value: None)
        await log.start()
        await log.append([(b"a", b"1"), (b"b", b"2")])
        await log.append([(b"a", b"3")])

    asyncio.run(first())
    seen: dict[bytes, bytes | None] = {}

    async def second() -> None:
        await OffsetFile(file, seen.__setitem__).start()

    asyncio.run(second())
    assert seen == {b"a": b"3", b"b": b"2"}
    assert [path.name for path in tmp_path.iterdir()] == ["connect.offsets"]


def test_what_was_appended_is_on_the_disk_and_so_is_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "offsets"
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    asyncio.run(OffsetFile(file, lambda key, value: None).append([(b"k", b"v")]))
    assert synced == [file.stat().st_ino, tmp_path.stat().st_ino]


def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "connect.offsets"
    file.write_text("offsets")
    with pytest.raises(ConfigError, match=r"offset\.storage\.file\.filename.*connect\.offsets.*byte 0"):
        asyncio.run(OffsetFile(file, lambda key, value: None).start())
