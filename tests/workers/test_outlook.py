from __future__ import annotations

import pytest

from kconnect_workers.outlook import again, never, with_outlook, without_outlook


@pytest.mark.parametrize("outlook", [again(1.0, 3), never("its config has to be changed")])
@pytest.mark.parametrize("trace", ["boom", "boom\nTraceback (most recent call last):\n  File …"])
def test_an_outlook_can_be_taken_off_a_trace_again(trace: str, outlook: str) -> None:
    assert without_outlook(with_outlook(trace, outlook)) == (trace, outlook)
    assert without_outlook(trace) == (trace, None)


def test_an_outlook_says_how_often_it_has_failed() -> None:
    assert again(1.0, 3).endswith(" UTC, after failure 3 in a row.")


def test_what_has_no_trace_has_an_outlook() -> None:
    assert with_outlook(None, never("no")) == "Not started again by itself: no."
