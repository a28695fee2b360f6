"""No offset passes a record that is not acknowledged, whatever the order of acknowledgements."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import DataError
from kconnect_workers.tasks.delivery import DeliveryTracker

A, B = {"table": "a"}, {"table": "b"}


def tracker(tolerated: bool = False) -> DeliveryTracker:
    return DeliveryTracker(lambda _error, _message, _settle: tolerated)


def sent(tracker: DeliveryTracker, partition: dict[str, str], count: int, offset: int) -> Any:
    delivery = tracker.begin(partition)
    delivery.pending += count
    delivery.offset = {"at": offset}
    delivery.seal()
    return delivery


def acknowledge(delivery: Any, count: int = 1, error: object = None) -> None:
    for _ in range(count):
        delivery.on_delivery(error, None)


def offsets(tracker: DeliveryTracker) -> dict[str, int]:
    return {str(where["table"]): to["at"] for where, to in tracker.eligible().values()}


def test_a_delivery_waits_for_all_of_its_records() -> None:
    t = tracker()
    delivery = sent(t, A, 2, 10)
    acknowledge(delivery)
    assert offsets(t) == {}
    acknowledge(delivery)
    assert offsets(t) == {"a": 10}


def test_a_later_delivery_waits_for_an_earlier_one_of_its_partition_only() -> None:
    t = tracker()
    first, second, other = sent(t, A, 1, 1), sent(t, A, 1, 2), sent(t, B, 1, 7)
    acknowledge(second)
    acknowledge(other)
    assert offsets(t) == {"b": 7}
    acknowledge(first)
    assert offsets(t) == {"a": 2, "b": 7}


def test_the_order_of_members_does_not_make_another_partition() -> None:
    t = tracker()
    first = sent(t, {"db": "x", "table": "a"}, 1, 1)
    second = sent(t, {"table": "a", "db": "x"}, 1, 2)
    acknowledge(second)
    assert offsets(t) == {}
    acknowledge(first)
    assert offsets(t) == {"a": 2}


def test_records_without_a_sending_are_done_at_once() -> None:
    t = tracker()
    sent(t, A, 0, 5)
    assert offsets(t) == {"a": 5}


def test_an_acknowledgement_may_come_before_the_delivery_is_sealed() -> None:
    t = tracker()
    delivery = t.begin(A)
    acknowledge(delivery)
    assert offsets(t) == {}
    delivery.pending += 1
    delivery.offset = {"at": 3}
    assert offsets(t) == {}
    delivery.seal()
    assert offsets(t) == {"a": 3}


def test_a_record_that_was_refused_holds_its_partition_up_for_ever() -> None:
    t = tracker()
    failed, after = sent(t, A, 1, 1), sent(t, A, 1, 2)
    acknowledge(failed, error="refused")
    acknowledge(after)
    assert offsets(t) == {}


def test_a_tolerated_record_counts_as_done() -> None:
    t = tracker(tolerated=True)
    acknowledge(sent(t, A, 1, 1), error="refused")
    assert offsets(t) == {"a": 1}


def test_what_was_not_stored_stays_eligible_and_what_was_does_not() -> None:
    t = tracker()
    acknowledge(sent(t, A, 1, 1))
    first = t.eligible()
    assert offsets(t) == {"a": 1}
    acknowledge(sent(t, A, 1, 2))
    assert offsets(t) == {"a": 2}
    t.stored(first)  # a newer offset has come meanwhile
    assert offsets(t) == {"a": 2}
    t.stored(t.eligible())
    assert offsets(t) == {}


def test_a_source_may_go_on_using_its_objects_once_the_poll_is_handled() -> None:
    t = tracker()
    partition, offset = {"table": "a"}, {"at": 1}
    delivery = t.begin(partition)
    delivery.offset = offset
    delivery.seal()
    partition["table"], offset["at"] = "b", 2
    assert offsets(t) == {"a": 1}


@pytest.mark.parametrize(
    ("partition", "offset", "told"),
    [
        ({"table": "a"}, {"at": [1]}, "at of a source offset must be a string, .* not \\[1\\]"),
        ({"table": "a"}, {7: 1}, "the keys of a source offset must be strings, and 7 is none"),
        ({"table": "a"}, 7, "a source offset must be a dict, not int"),
        ({"table": ["a"]}, {"at": 1}, "table of a source partition must be"),
    ],
)
def test_what_cannot_be_stored_is_refused_when_sealed_and_never_eligible(
    partition: Any, offset: Any, told: str
) -> None:
    t = tracker()
    delivery = t.begin(partition)
    delivery.offset = offset
    with pytest.raises(DataError, match=told):
        delivery.seal()
    assert t.eligible() == {}


@given(
    sizes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=12),
    data=st.data(),
)
def test_eligible_is_always_the_acknowledged_prefix(sizes: list[tuple[str, int]], data: st.DataObject) -> None:
    t = tracker()
    deliveries = [sent(t, {"table": name}, count, number) for number, (name, count) in enumerate(sizes)]
    open_records = [number for number, (_, count) in enumerate(sizes) for _ in range(count)]
    for number in data.draw(st.permutations(open_records)):
        acknowledge(deliveries[number])
        expected: dict[str, int] = {}
        blocked: set[str] = set()
        for at, (name, _) in enumerate(sizes):
            if deliveries[at].pending:
                blocked.add(name)
            elif name not in blocked:
                expected[name] = at
        assert offsets(t) == expected
