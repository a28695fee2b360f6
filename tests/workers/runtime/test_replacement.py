"""How soon what died is started again."""

from __future__ import annotations

from kconnect_workers.runtime.replacement import ReplacementPolicy


def test_deaths_in_a_row_are_answered_ever_later_and_an_old_one_is_forgiven() -> None:
    policy = ReplacementPolicy()
    assert [policy.next_delay_s(now) for now in range(0, 90, 10)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert policy.next_delay_s(10_000) == 0
