"""The bytes here were written by a JVM (17) with `ObjectOutputStream.writeObject` of a HashMap<byte[], byte[]>."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import ConfigError, DataError
from kconnect_workers.stores.offset_file import read_offsets, write_offsets
from kconnect_workers.stores.offset_file_log import OffsetFileLog

_HEAD = (
    "aced0005737200116a6176612e7574696c2e486173684d61700507dac1c31660d103000246000a6c6f6164466163746f72"
    "4900097468726573686f6c647870"
)
_BYTES = "757200025b42acf317f8060854e00200007870"

JVM_FILES = [
    pytest.param({}, _HEAD + "3f40000000000000770800000010000000" + "0078", id="empty"),
    pytest.param(
        {b'["c",{"filename":"x"}]': b'{"position":70}'},
        _HEAD
        + "3f4000000000000c77080000001000000001"
        + _BYTES
        + "000000165b2263222c7b2266696c656e616d65223a2278227d5d"
        + "7571007e00020000000f7b22706f736974696f6e223a37307d"
        + "78",
        id="one entry",
    ),
    pytest.param(
        {b"k": None}, _HEAD + "3f4000000000000c77080000001000000001" + _BYTES + "000000016b" + "7078", id="null value"
    ),
]


@pytest.mark.parametrize(("offsets", "content"), JVM_FILES)
def test_writes_what_a_jvm_writes(offsets: dict[bytes, bytes | None], content: str) -> None:
    assert write_offsets(offsets).hex() == content


@pytest.mark.parametrize(("offsets", "content"), JVM_FILES)
def test_reads_what_a_jvm_writes(offsets: dict[bytes, bytes | None], content: str) -> None:
    assert read_offsets(bytes.fromhex(content)) == offsets


@pytest.mark.parametrize(
    ("entries", "threshold_capacity_size"),
    [
        (12, "0000000c77080000001000000" + "00c"),
        (13, "0000001877080000002000000" + "00d"),
        (40, "0000003077080000004000000" + "028"),
    ],
)
def test_the_table_grows_as_in_java(entries: int, threshold_capacity_size: str) -> None:
    content = write_offsets({b"k%d" % number: b"v" for number in range(entries)})
    assert content.hex().startswith(_HEAD + "3f400000" + threshold_capacity_size)


@given(st.dictionaries(st.binary(max_size=40), st.none() | st.binary(max_size=40), max_size=40))
def test_what_is_written_can_be_read(offsets: dict[bytes, bytes | None]) -> None:
    assert read_offsets(write_offsets(offsets)) == offsets


def test_equal_arrays_may_be_one_object() -> None:
    shared = write_offsets({b"k": b"k"}).replace(b"uq\x00~\x00\x02\x00\x00\x00\x01k", b"q\x00~\x00\x03")
    assert read_offsets(shared) == {b"k": b"k"}


@given(st.data())
def test_a_damaged_file_is_refused_and_never_half_read(data: st.DataObject) -> None:
    whole = write_offsets({b"a": b"1", b"b": b"2"})
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DataError):
        read_offsets(whole[:cut])


def test_a_log_goes_on_where_the_file_ends(tmp_path: Path) -> None:
    file = tmp_path / "connect.offsets"

    async def first() -> None:
        log = OffsetFileLog(file, lambda key, value: None)
        await log.start()
        await log.append([(b"a", b"1"), (b"b", b"2")])
        await log.append([(b"a", b"3")])

    asyncio.run(first())
    seen: dict[bytes, bytes | None] = {}

    async def second() -> None:
        await OffsetFileLog(file, seen.__setitem__).start()

    asyncio.run(second())
    assert seen == {b"a": b"3", b"b": b"2"}
    assert [path.name for path in tmp_path.iterdir()] == ["connect.offsets"]


def test_what_was_appended_is_on_the_disk_and_so_is_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "offsets"
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    asyncio.run(OffsetFileLog(file, lambda key, value: None).append([(b"k", b"v")]))
    assert synced == [file.stat().st_ino, tmp_path.stat().st_ino]


def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "connect.offsets"
    file.write_text("offsets")
    with pytest.raises(ConfigError, match=r"offset\.storage\.file\.filename.*connect\.offsets.*byte 0"):
        asyncio.run(OffsetFileLog(file, lambda key, value: None).start())
