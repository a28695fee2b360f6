"""Which transactions a reader has to leave out, and the file that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kconnect.log.protocol.control import ControlType, EndMarker
from kconnect.log.storage.producer_state import ProducerStates
from kconnect.log.storage.transaction_index import AbortedTransaction, TransactionIndex, aborted_between

if TYPE_CHECKING:
    from pathlib import Path

ABORTED = [AbortedTransaction(7, 10, 15, 12), AbortedTransaction(8, 12, 20, 21)]


@pytest.fixture
def index(tmp_path: Path) -> TransactionIndex:
    return TransactionIndex(tmp_path / f"{5:020d}.txnindex", 5)


def test_the_file_holds_what_was_added(index: TransactionIndex, tmp_path: Path) -> None:
    for aborted in ABORTED:
        index.append(aborted)
    again = TransactionIndex(tmp_path / f"{5:020d}.txnindex", 5)
    assert again.load()
    assert list(again) == ABORTED


def test_cutting_the_log_cuts_the_index(index: TransactionIndex, tmp_path: Path) -> None:
    for aborted in ABORTED:
        index.append(aborted)
    index.truncate(20)
    index.append(AbortedTransaction(9, 16, 18, 19))
    again = TransactionIndex(tmp_path / f"{5:020d}.txnindex", 5)
    assert again.load()
    assert list(again) == [ABORTED[0], AbortedTransaction(9, 16, 18, 19)]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"\0" * 33,
        b"\0\1" + b"\0" * 32,
        bytes.fromhex("0000" + "0000000000000007" + "000000000000000a" + "0000000000000004" + "000000000000000c"),
        bytes.fromhex("0000" + "0000000000000007" + "0000000000000014" + "000000000000000f" + "0000000000000010"),
    ],
    ids=["missing", "torn", "other version", "marker before the segment", "marker before the data"],
)
def test_what_cannot_be_right_is_not_taken(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / f"{5:020d}.txnindex"
    if content is not None:
        path.write_bytes(content)
    index = TransactionIndex(path, 5)
    assert not index.load()
    assert list(index) == []


STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["data", "abort", "commit"])), max_size=40)


@settings(deadline=None)  # on a busy machine files take their time
@given(steps=STEPS, bounds=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_every_aborted_transaction_with_data_in_between_is_found(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]], bounds: tuple[int, int]
) -> None:
    start, end = min(bounds), max(bounds)
    index = TransactionIndex(tmp_path_factory.mktemp("index") / f"{0:020d}.txnindex", 0)
    states = ProducerStates()
    aborted_data: dict[int, list[int]] = {}
    open_data: dict[int, list[int]] = {}
    for offset, (producer, step) in enumerate(steps):
        if step == "data":
            states.appended(producer, 0, -1, offset, offset, 0, transactional=True)
            open_data.setdefault(producer, []).append(offset)
            continue
        kind = ControlType.ABORT if step == "abort" else ControlType.COMMIT
        aborted = states.ended(producer, 0, EndMarker(kind, 0), offset=offset, timestamp=0, high_watermark=offset + 1)
        data = open_data.pop(producer, [])
        assert (aborted is not None) == (step == "abort" and bool(data))
        if aborted is not None:
            index.append(aborted)
            aborted_data[aborted.last_offset] = data
    stable = states.last_stable_offset(len(steps))
    assert stable == min((data[0] for data in open_data.values()), default=len(steps))
    found = {aborted.last_offset for aborted in aborted_between([index], start, min(end, stable))}
    needed = {
        marker for marker, data in aborted_data.items() if any(start <= offset < min(end, stable) for offset in data)
    }
    assert needed <= found
