"""The checker finds what it is there to find."""

from __future__ import annotations

import pytest

from chaos.checker import Arrival, Verdict, ViolationError, compare

SENT = {"a": ["a0", "a1", "a2", "a3"], "b": ["b0"]}


def arrivals(*ids: str) -> list[Arrival]:
    return [Arrival(id_[0], id_) for id_ in ids]


def test_what_was_sent_in_its_order_is_right() -> None:
    assert compare(SENT, arrivals("a0", "b0", "a1", "a2", "a3"), restarts=0) == Verdict(5, 0)


def test_what_comes_again_after_a_restart_is_counted() -> None:
    assert compare(SENT, arrivals("a0", "a1", "a2", "b0", "a1", "a2", "a3"), restarts=1) == Verdict(7, 2)


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        (["a0", "a1", "a3", "a3", "b0"], "key a: 1 of 4 records are lost: ['a2']"),
        (["a0", "a1", "a2", "a3"], "key b: 1 of 1 records are lost"),
        (["a0", "a1", "a2", "a3", "b0", "a9"], "key a: 1 records came that were not sent: ['a9']"),
        (["a0", "a1", "a2", "a3", "b0", "c0"], "keys that were never sent: ['c']"),
        (["a0", "a2", "a1", "a2", "a3", "b0"], "key a: a2 came 1 records too early"),
        (["a0", "a1", "a0", "a1", "a2", "a1", "a2", "a3", "b0"], "key a: order broke 2 times in 1 restarts"),
        (["a0", "a1", "a1", "a1", "a2", "a3", "b0"], "order broke 2 times"),
    ],
)
def test_losses_strangers_and_broken_order_are_named(ids: list[str], complaint: str) -> None:
    with pytest.raises(ViolationError) as violation:
        compare(SENT, arrivals(*ids), restarts=1)
    assert complaint in str(violation.value)
