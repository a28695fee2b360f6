"""Sequences of idempotent producers, and their snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kconnect.log.errors import RequestError
from kconnect.log.protocol.payloads import ProducerSnapshot
from kconnect.log.protocol.versioned import read_versioned
from kconnect.log.storage.producer_snapshots import load_snapshot, write_snapshot
from kconnect.log.storage.producer_state import ProducerStates

if TYPE_CHECKING:
    from pathlib import Path

LAST = 0x7FFFFFFF


def states_after(*batches: tuple[int, int], epoch: int = 0) -> ProducerStates:
    """One producer that has sent batches of (first sequence, count)."""
    states, offset = ProducerStates(), 0
    for first, count in batches:
        states.appended(1, epoch, first, offset, offset + count - 1, 1000)
        offset += count
    return states


def test_sequences_wrap_around() -> None:
    states = states_after((LAST - 1, 3))
    assert states.check(1, 0, 1, 5) is None
    with pytest.raises(RequestError):
        states.check(1, 0, 2, 5)
    repeated = states.check(1, 0, LAST - 1, 3)
    assert repeated is not None
    assert (repeated.base_offset, repeated.last_offset) == (0, 2)


def test_an_unknown_producer_may_begin_anywhere() -> None:
    assert ProducerStates().check(9, 3, 77, 1) is None


def test_only_the_last_batch_is_known_after_a_restart(tmp_path: Path) -> None:
    write_snapshot(tmp_path, 12, states_after((0, 5), (5, 7)))
    offset, states = load_snapshot(tmp_path, at_most=100)
    assert offset == 12
    repeated = states.check(1, 0, 5, 7)
    assert repeated is not None
    assert repeated.base_offset == 5
    with pytest.raises(RequestError):
        states.check(1, 0, 0, 5)


def test_the_snapshot_is_kafkas() -> None:
    snapshot = read_versioned(ProducerSnapshot, states_after((0, 5)).snapshot())
    (entry,) = snapshot.producer_entries
    assert (entry.producer_id, entry.last_sequence, entry.last_offset, entry.offset_delta) == (1, 4, 4, 4)


def test_a_snapshot_beyond_the_end_or_damaged_is_removed(tmp_path: Path) -> None:
    write_snapshot(tmp_path, 5, states_after((0, 5)))
    (tmp_path / f"{8:020d}.snapshot").write_bytes(b"\0\1garbage that is no snapshot")
    write_snapshot(tmp_path, 50, states_after((0, 50)))
    offset, states = load_snapshot(tmp_path, at_most=10)
    assert (offset, len(states)) == (5, 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_producers_that_are_long_gone_are_forgotten() -> None:
    states = states_after((0, 5))
    states.expire(1000)
    assert len(states) == 1
    states.expire(1001)
    assert len(states) == 0
