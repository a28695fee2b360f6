"""The bytes here were written by a JVM (17) with `ObjectOutputStream.writeObject` of a HashMap<byte[], byte[]>."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import DataError
from kconnect_workers.stores.java_map import read_map, write_map

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


@pytest.mark.parametrize(("entries", "content"), JVM_FILES)
def test_writes_what_a_jvm_writes(entries: dict[bytes, bytes | None], content: str) -> None:
    assert write_map(entries).hex() == content


@pytest.mark.parametrize(("entries", "content"), JVM_FILES)
def test_reads_what_a_jvm_writes(entries: dict[bytes, bytes | None], content: str) -> None:
    assert read_map(bytes.fromhex(content)) == entries


@pytest.mark.parametrize(
    ("entries", "threshold_capacity_size"),
    [
        (12, "0000000c77080000001000000" + "00c"),
        (13, "0000001877080000002000000" + "00d"),
        (40, "0000003077080000004000000" + "028"),
    ],
)
def test_the_table_grows_as_in_java(entries: int, threshold_capacity_size: str) -> None:
    content = write_map({b"k%d" % number: b"v" for number in range(entries)})
    assert content.hex().startswith(_HEAD + "3f400000" + threshold_capacity_size)


@given(st.dictionaries(st.binary(max_size=40), st.none() | st.binary(max_size=40), max_size=40))
def test_what_is_written_can_be_read(entries: dict[bytes, bytes | None]) -> None:
    assert read_map(write_map(entries)) == entries


def test_equal_arrays_may_be_one_object() -> None:
    shared = write_map({b"k": b"k"}).replace(b"uq\x00~\x00\x02\x00\x00\x00\x01k", b"q\x00~\x00\x03")
    assert read_map(shared) == {b"k": b"k"}


@given(st.data())
def test_a_damaged_file_is_refused_and_never_half_read(data: st.DataObject) -> None:
    whole = write_map({b"a": b"1", b"b": b"2"})
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DataError):
        read_map(whole[:cut])
