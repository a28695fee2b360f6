"""Checkpoint files, and what leader epochs make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kconnect.log.storage.checkpoint import LeaderEpochs, read_offsets, write_offsets

if TYPE_CHECKING:
    from pathlib import Path


def test_offsets_come_back(tmp_path: Path) -> None:
    offsets = {("b", 1): 7, ("a.b-c", 0): 0}
    write_offsets(tmp_path / "c", offsets)
    assert (tmp_path / "c").read_text() == "0\n2\na.b-c 0 0\nb 1 7\n"
    assert read_offsets(tmp_path / "c") == offsets


@pytest.mark.parametrize("content", ["", "0", "1\n1\nt 0 5\n", "0\nx\nt 0 5\n", "0\n1\nt 0\n", "0\n1\nt 0 -5\n"])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "c").write_text(content)
    assert read_offsets(tmp_path / "c") == {}


def test_epochs_tell_where_they_end(tmp_path: Path) -> None:
    epochs = LeaderEpochs(tmp_path)
    assert epochs.latest == -1
    for epoch, start in ((0, 0), (1, 10), (4, 25)):
        epochs.assign(epoch, start)
    again = LeaderEpochs(tmp_path)
    assert again.latest == 4
    assert [again.end_offset(epoch, 99) for epoch in range(6)] == [
        (0, 10),
        (1, 25),
        (1, 25),
        (1, 25),
        (4, 99),
        (-1, -1),
    ]


def test_an_epoch_that_begins_earlier_replaces_those_behind_it(tmp_path: Path) -> None:
    epochs = LeaderEpochs(tmp_path)
    for epoch, start in ((0, 0), (1, 10), (2, 20), (3, 10)):
        epochs.assign(epoch, start)
    assert LeaderEpochs(tmp_path).end_offset(2, 99) == (0, 10)


@pytest.mark.parametrize(
    ("log_start", "kept", "ends"),
    [
        (0, "0 0\n1 10\n4 25\n", [(0, 10), (1, 25)]),
        (5, "0 5\n1 10\n4 25\n", [(0, 10), (1, 25)]),
        (10, "1 10\n4 25\n", [(0, 10), (1, 25)]),
        (30, "4 30\n", [(0, 30), (1, 30)]),
    ],
)
def test_epochs_go_with_their_records(tmp_path: Path, log_start: int, kept: str, ends: list[tuple[int, int]]) -> None:
    epochs = LeaderEpochs(tmp_path)
    for epoch, start in ((0, 0), (1, 10), (4, 25)):
        epochs.assign(epoch, start)
    epochs.truncate_front(log_start)
    assert (tmp_path / "leader-epoch-checkpoint").read_text() == f"0\n{kept.count(chr(10))}\n{kept}"
    assert [epochs.end_offset(epoch, 99) for epoch in (0, 1)] == ends
    assert LeaderEpochs(tmp_path).end_offset(-1, 99) == (-1, -1)
