"""What the records of internal topics, and those that end transactions, say."""

from __future__ import annotations

from pathlib import Path

import pytest

from kconnect.log.dump import TRANSACTIONS_TOPIC, batches_in, decoded
from kconnect.log.errors import CorruptLogError
from kconnect.log.protocol.batch import read_header
from kconnect.log.protocol.control import ControlType, EndMarker, build_end_marker
from kconnect.log.protocol.payloads import TransactionLogKey, TransactionLogValue
from kconnect.log.protocol.records import Record, build_batch, read_records
from kconnect.log.protocol.versioned import write_versioned


def test_the_state_of_a_transaction_is_readable() -> None:
    value = TransactionLogValue(
        producer_id=7,
        producer_epoch=2,
        transaction_timeout_ms=60_000,
        transaction_status=1,
        transaction_partitions=[TransactionLogValue.PartitionsSchema(topic="orders", partition_ids=[0, 3])],
    )
    key = write_versioned(TransactionLogKey(transactional_id="shop"))
    batch = build_batch([Record(0, 1, key, write_versioned(value)), Record(1, 1, key, None)])
    header = read_header(batch)
    first, second = (decoded(TRANSACTIONS_TOPIC, header, record) for record in read_records(header, batch))
    assert first is not None
    assert first[0] == {"transactional_id": "shop"}
    assert first[1]["transaction_partitions"] == [{"topic": "orders", "partition_ids": [0, 3]}]
    assert (first[1]["producer_id"], first[1]["transaction_timeout_ms"]) == (7, 60_000)
    assert second == ({"transactional_id": "shop"}, None)


@pytest.mark.parametrize("end", list(ControlType))
def test_a_control_record_says_how_a_transaction_ended(end: ControlType) -> None:
    batch = build_end_marker(EndMarker(end, 4), offset=9, timestamp=1, producer_id=7, producer_epoch=2)
    header = read_header(batch)
    (record,) = read_records(header, batch)
    assert decoded("orders", header, record) == ({"type": end.name}, {"coordinator_epoch": 4})


@pytest.mark.parametrize("topic", [TRANSACTIONS_TOPIC, "__consumer_offsets", "orders"])
def test_what_is_not_understood_is_left_as_it_is(topic: str) -> None:
    batch = build_batch([Record(0, 1, b"\x7f\x7fkey", b"value")])
    header = read_header(batch)
    assert decoded(topic, header, read_records(header, batch)[0]) is None


def test_batches_are_read_up_to_where_none_begins(tmp_path: Path) -> None:
    first = build_batch([Record(0, 1, None, b"first")])
    second = build_batch([Record(1, 1, None, b"second")])
    segment = tmp_path / f"{0:020d}.log"
    segment.write_bytes(bytes(first + second[:-1]))
    read = batches_in(segment)
    batch = next(read)
    assert (batch.position, batch.damage, [record.value for record in batch.records()]) == (0, None, [b"first"])
    with pytest.raises(CorruptLogError, match=f"byte {len(first)}"):
        next(read)


def test_an_empty_segment_has_no_batches(tmp_path: Path) -> None:
    segment = tmp_path / f"{0:020d}.log"
    segment.touch()
    assert list(batches_in(segment)) == []
