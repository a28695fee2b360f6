"""A transactional id as a value: what may become of it, and what is refused."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.log.coordinators.transaction import (
    ProducerIdentity,
    TransactionMetadata,
    TransactionState,
)
from kconnect.log.coordinators.transaction_records import read_transaction, transaction_key, transaction_value
from kconnect.log.errors import RequestError
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import Record

PARTITIONS = frozenset({("t", 0), ("t", 3), ("__consumer_offsets", 0)})
NEW_ID = 77


def taken(epoch: int = 0, **changes: Any) -> TransactionMetadata:
    values: dict[str, Any] = {
        "transactional_id": "tx",
        "producer_id": 5,
        "epoch": epoch,
        "timeout_ms": 1000,
        "updated_at": 10,
    }
    return TransactionMetadata(**values | changes)


def me(metadata: TransactionMetadata) -> ProducerIdentity:
    return ProducerIdentity(metadata.producer_id, metadata.epoch)


def ongoing(epoch: int = 0) -> TransactionMetadata:
    metadata = taken(epoch)
    return metadata.with_partitions(me(metadata), PARTITIONS, 20)


def next_of(metadata: TransactionMetadata, expected: ProducerIdentity | None = None) -> TransactionMetadata:
    return metadata.next_producer(1000, expected, 30, lambda: NEW_ID)


def refusal_of(call: Callable[[], object]) -> ErrorCode:
    with pytest.raises(RequestError) as raised:
        call()
    return raised.value.code


@pytest.mark.parametrize("commit", [True, False])
def test_a_transaction_goes_from_its_first_partition_to_its_complete_end(commit: bool) -> None:
    metadata = ongoing()
    prepared = metadata.ended(me(metadata), commit=commit, now=40)
    complete = prepared.completed(50)
    again = complete.with_partitions(me(complete), frozenset({("u", 1)}), 60)

    assert (metadata.state, metadata.started_at, metadata.partitions) == (TransactionState.ONGOING, 20, PARTITIONS)
    assert (prepared.is_prepared, prepared.commits, prepared.partitions) == (True, commit, PARTITIONS)
    assert complete.partitions == frozenset()
    assert complete.ended(me(complete), commit=commit, now=55) is complete
    assert (again.state, again.started_at, again.partitions) == (TransactionState.ONGOING, 60, frozenset({("u", 1)}))


def test_partitions_that_are_there_change_nothing() -> None:
    metadata = ongoing()
    assert metadata.with_partitions(me(metadata), frozenset({("t", 3)}), 90) is metadata
    assert metadata.with_partitions(me(metadata), frozenset({("t", 4)}), 90).started_at == 20


def test_what_is_prepared_refuses_to_be_touched() -> None:
    prepared = ongoing().ended(ProducerIdentity(5, 0), commit=True, now=30)
    producer = me(prepared)

    assert refusal_of(lambda: prepared.with_partitions(producer, PARTITIONS, 31)) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert refusal_of(lambda: prepared.check_partition(producer, ("t", 0))) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert refusal_of(lambda: prepared.ended(producer, commit=True, now=31)) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert refusal_of(lambda: prepared.ended(producer, commit=False, now=31)) is ErrorCode.INVALID_TXN_STATE


def test_a_producer_writes_to_the_partitions_of_its_transaction_alone() -> None:
    metadata = ongoing(3)
    metadata.check_partition(ProducerIdentity(5, 3), ("t", 3))

    codes = [
        refusal_of(lambda: metadata.check_partition(ProducerIdentity(5, 3), ("t", 1))),
        refusal_of(lambda: metadata.check_partition(ProducerIdentity(5, 2), ("t", 3))),
        refusal_of(lambda: metadata.check_partition(ProducerIdentity(6, 3), ("t", 3))),
        refusal_of(lambda: taken(3).check_partition(ProducerIdentity(5, 3), ("t", 3))),
    ]

    assert codes == [
        ErrorCode.INVALID_TXN_STATE,
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.INVALID_PRODUCER_ID_MAPPING,
        ErrorCode.INVALID_TXN_STATE,
    ]


def test_to_fence_a_producer_its_transaction_is_aborted_by_an_epoch_that_it_never_had() -> None:
    fenced = ongoing(3).fence(30)

    assert (fenced.state, fenced.epoch, fenced.partitions) == (TransactionState.PREPARE_ABORT, 4, PARTITIONS)
    assert refusal_of(lambda: fenced.ended(ProducerIdentity(5, 3), commit=True, now=31)) is ErrorCode.PRODUCER_FENCED


@pytest.mark.parametrize(("now", "overdue"), [(1019, False), (1020, True)])
def test_time_is_over_when_the_timeout_is(now: int, overdue: bool) -> None:
    assert ongoing().is_overdue(now) is overdue
    assert not taken().is_overdue(now)


def test_a_date_that_was_ahead_once_keeps_no_transaction_open() -> None:
    assert not ongoing().restored(5).is_overdue(1004)
    assert ongoing().restored(5).is_overdue(1005)
    assert ongoing().restored(500).started_at == 20


@pytest.mark.parametrize("epoch", [0x7FFE, 0x7FFF])
def test_a_new_producer_id_follows_on_the_last_epoch(epoch: int) -> None:
    successor = next_of(taken(epoch))
    assert (successor.producer_id, successor.epoch) == (NEW_ID, 0)


def test_there_is_an_epoch_left_to_fence_with() -> None:
    last = next_of(taken(0x7FFD))
    fenced = last.with_partitions(me(last), PARTITIONS, 40).fence(50)
    assert (last.epoch, fenced.epoch) == (0x7FFE, 0x7FFF)


def test_a_lost_answer_is_given_again_until_somebody_else_comes() -> None:
    first = taken(3)
    bumped = next_of(first, me(first))

    assert (bumped.epoch, next_of(bumped, me(first)).epoch) == (4, 4)
    assert refusal_of(lambda: next_of(next_of(bumped), me(first))) is ErrorCode.PRODUCER_FENCED
    assert refusal_of(lambda: next_of(next_of(bumped), me(bumped))) is ErrorCode.PRODUCER_FENCED


def test_a_lost_answer_with_a_new_producer_id_is_given_again() -> None:
    last = taken(0x7FFE)
    rotated = next_of(last, me(last))

    again = rotated.next_producer(1000, me(last), 40, lambda: NEW_ID + 1)

    assert (again.producer_id, again.epoch) == (NEW_ID, 0)


STATES = st.builds(
    taken,
    epoch=st.integers(0, 0x7FFF),
    state=st.sampled_from([s for s in TransactionState if s is not TransactionState.EMPTY]),
    partitions=st.frozensets(st.tuples(st.sampled_from(["t", "u.v", "__consumer_offsets"]), st.integers(0, 99))),
    started_at=st.integers(-1, 1 << 60),
    updated_at=st.integers(0, 1 << 60),
    timeout_ms=st.integers(1, 1 << 30),
    previous_producer_id=st.integers(-1, 1 << 60),
)


@given(STATES)
def test_a_record_gives_back_what_was_kept(metadata: TransactionMetadata) -> None:
    record = Record(0, 0, transaction_key("tx"), transaction_value(metadata))
    assert read_transaction(record) == ("tx", metadata)
    assert read_transaction(Record(0, 0, transaction_key("tx"), None)) == ("tx", None)


@given(st.lists(st.sampled_from(["next", "same", "zombie"]), max_size=12))
def test_never_do_two_producers_have_the_same_identity(steps: list[str]) -> None:
    """Whoever takes the id over, or comes back, at whatever epoch, is one producer of its own."""
    ids = itertools.count(100)
    metadata = taken(0x7FF8)
    given_out = {me(metadata)}
    for step in steps:
        expected = {"next": None, "same": me(metadata), "zombie": min(given_out)}[step]
        successor = metadata
        with contextlib.suppress(RequestError):
            successor = metadata.next_producer(1000, expected, 40, lambda: next(ids))
        if successor is metadata:
            assert step == "zombie"
            continue
        if me(successor) == me(metadata):  # the answer again
            assert step == "zombie"
            assert expected == (metadata.producer_id, metadata.last_epoch) or metadata.epoch == 0
        else:
            assert me(successor) not in given_out
        given_out.add(me(successor))
        metadata = successor
