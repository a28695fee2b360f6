"""The sparse indexes and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kconnect.log.storage.index import OffsetIndex, TimeIndex, last_position

if TYPE_CHECKING:
    from pathlib import Path


def offset_index(path: Path) -> OffsetIndex:
    index = OffsetIndex(path, 1000)
    for i in range(1, 6):
        index.append(1000 + 10 * i, 100 * i)
    return index


@pytest.mark.parametrize(
    ("offset", "position"), [(1000, 0), (1009, 0), (1010, 100), (1011, 100), (1050, 500), (9999, 500)]
)
def test_the_floor_is_the_last_entry_not_behind_the_offset(tmp_path: Path, offset: int, position: int) -> None:
    assert offset_index(tmp_path / "i").floor(offset) == position


def test_the_file_is_kafkas_and_grows_by_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "i"
    index = offset_index(path)
    index.flush()
    assert path.read_bytes()[:16] == bytes([0, 0, 0, 10, 0, 0, 0, 100, 0, 0, 0, 20, 0, 0, 0, 200])
    index.truncate(300)
    index.append(1033, 333)
    index.flush()
    again = OffsetIndex(path, 1000)
    assert again.load(1000)
    assert [again.floor(offset) for offset in (1020, 1030, 1033)] == [200, 200, 333]
    assert last_position(path, 1000) == 333


@pytest.mark.parametrize("content", [b"1234567", bytes([0, 0, 0, 9] * 4), b"\xff" * 8, bytes([0, 0, 0, 1, 0, 0, 9, 0])])
def test_a_file_that_cannot_be_right_is_not_used(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "i"
    path.write_bytes(content)
    assert not OffsetIndex(path, 0).load(1000)


def test_times_keep_the_largest_only(tmp_path: Path) -> None:
    path = tmp_path / "t"
    index = TimeIndex(path, 1000)
    for timestamp, offset in ((50, 1001), (40, 1002), (60, 1003), (60, 1004)):
        index.append(timestamp, offset)
    assert [index.floor(timestamp) for timestamp in (49, 50, 51, 60, 61)] == [1000, 1000, 1001, 1001, 1003]
    assert index.last == (60, 1003)
    index.flush()
    again = TimeIndex(path, 1000)
    assert again.load()
    again.truncate(1003)
    assert again.last == (50, 1001)
