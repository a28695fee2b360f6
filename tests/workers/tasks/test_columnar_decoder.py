"""A batch that is read as columns becomes the records that it becomes when each is read by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.columnar import ColumnarRecords
from kconnect.errors import ConnectError
from kconnect.record import SinkRecord, TopicPartition
from kconnect.schema import DATE_SCHEMA, INT32_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA, Schema, Type
from kconnect_converters.header import SimpleHeaderConverter
from kconnect_converters.json import JsonConverter
from kconnect_converters.primitives import StringConverter
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.error_handling import ErrorHandler, ErrorPolicy
from kconnect_workers.tasks.record_decoder import RecordDecoder

ORDER = Schema(Type.STRUCT, fields={"id": INT32_SCHEMA, "day": DATE_SCHEMA, "note": OPTIONAL_STRING_SCHEMA})
OTHER = Schema(Type.STRUCT, fields={"id": INT32_SCHEMA, "name": STRING_SCHEMA})


def written(value: Any, schema: Schema = ORDER) -> bytes:
    data = JsonConverter().from_connect_data("t", schema, value)
    assert data is not None
    return data


def order(number: int, note: str | None = None) -> bytes:
    return written({"id": number, "day": date(2024, 10, 4), "note": note})


@dataclass(frozen=True)
class Message:
    """As the consumer gives it."""

    at: int
    data: bytes | None
    key_data: bytes | None = None
    of: str = "orders"
    place: int = 0
    with_headers: tuple[tuple[str, bytes | None], ...] = ()
    time: tuple[int, int] = (1, 1_700_000_000_000)

    def topic(self) -> str:
        return self.of

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.key_data

    def value(self) -> bytes | None:
        return self.data

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.with_headers) or None

    def timestamp(self) -> tuple[int, int]:
        return self.time


def decoder(*, columnar: bool, tolerate: bool = True, topics: list[str] | None = None) -> RecordDecoder:
    errors = ErrorHandler(TaskId("orders", 0), ErrorPolicy(tolerate_all=tolerate), threading.Event())
    return RecordDecoder(
        key_converter=StringConverter(),
        value_converter=JsonConverter(),
        header_converter=SimpleHeaderConverter(),
        chain=None,
        errors=errors,
        on_topic=None if topics is None else topics.append,
        columnar=columnar,
    )


DATA = st.sampled_from(
    [
        *[order(number, note) for number in (1, 2) for note in (None, "x")],
        order(3).replace(b"20000", b"4000000000"),  # a date that Python lacks
        order(4).replace(b'"id":4', b'"id":"text"'),
        b"no JSON",
        None,
        written({"id": 5, "name": "other"}, OTHER),
        written(7, INT32_SCHEMA),
    ]
)
MESSAGES = st.builds(
    Message,
    at=st.integers(0, 100),
    data=st.just(order(1)) | DATA,
    key_data=st.none() | st.sampled_from([None, b"", b"k"]),
    of=st.sampled_from(["orders", "orders", "orders", "others"]),
    place=st.integers(0, 1),
    with_headers=st.sampled_from([(), (), (), (("h", b"1"),)]),
    time=st.sampled_from([(0, -1), (1, 5), (2, 6)]),
)


@given(st.lists(st.lists(MESSAGES, min_size=1, max_size=4), min_size=1, max_size=3))
def test_columns_become_the_records_that_single_messages_become(batches: list[list[Message]]) -> None:
    quick, careful = decoder(columnar=True), decoder(columnar=False)
    for batch in batches:
        found, expected = quick.decode(batch), careful.decode(batch)
        assert list(found.records) == expected.records
        assert found.offsets == expected.offsets


def columnar(messages: Iterable[Message], *, topics: list[str] | None = None) -> ColumnarRecords:
    records = decoder(columnar=True, topics=topics).decode(list(messages)).records
    assert isinstance(records, ColumnarRecords)
    return records


def test_messages_of_several_partitions_come_as_columns() -> None:
    topics: list[str] = []
    batch = [Message(5, order(1), place=0), Message(9, order(2, "x"), place=1), Message(6, order(3), place=0)]
    records = columnar(batch, topics=topics)
    assert topics == ["orders"]
    assert len(records) == 3
    assert records.value_schema is ORDER
    assert [list(column) for column in (records.columns[0], records.columns[2])] == [[1, 2, 3], [None, "x", None]]
    assert (records.topic, records.partitions, records.offsets, records.keys) == ("orders", [0, 1, 0], [5, 9, 6], None)
    assert decoder(columnar=True).decode(batch).offsets == {
        TopicPartition("orders", 0): 7,
        TopicPartition("orders", 1): 10,
    }


def test_keys_come_beside_the_columns() -> None:
    records = columnar([Message(1, order(1), b"a"), Message(2, order(2), b"")])
    assert records.keys == ["a", ""]
    assert [record.key for record in records] == ["a", ""]
    assert records.key_schema == records[0].key_schema


def test_single_records_are_built_once() -> None:
    records = columnar([Message(n, order(n)) for n in range(3)])
    assert records[1] is records[1:][0] is list(records)[1]
    assert isinstance(records[1], SinkRecord)


@pytest.mark.parametrize(
    "second",
    [
        Message(2, None),
        Message(2, order(2), of="others"),
        Message(2, order(2), b"key"),
        Message(2, order(2), with_headers=(("h", b"1"),)),
        Message(2, written({"id": 5, "name": "other"}, OTHER)),
    ],
    ids=["tombstone", "topic", "key", "header", "schema"],
)
def test_messages_that_are_not_alike_come_as_records(second: Message) -> None:
    for batch in ([Message(1, order(1)), second], [second, Message(1, order(1))]):
        records = decoder(columnar=True).decode(batch).records
        assert isinstance(records, list)
        assert [record.offset for record in records] == [message.at for message in batch]


def test_a_bad_message_is_left_out_where_that_is_tolerated_and_named_where_not() -> None:
    batch = [Message(1, order(1)), Message(2, b"no JSON"), Message(3, order(3))]
    found = decoder(columnar=True).decode(batch)
    assert [record.offset for record in found.records] == [1, 3]
    assert found.offsets == {TopicPartition("orders", 0): 4}
    with pytest.raises(ConnectError, match="orders-0@2"):
        decoder(columnar=True, tolerate=False).decode(batch)


def test_topics_that_come_and_go_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kconnect_workers.tasks.record_decoder.TOPICS_MAX", 3)
    reads = decoder(columnar=False)
    for number in range(8):
        batch = reads.decode([Message(number, order(number), of=f"orders{number % 5}")])
        assert [record.value["id"] for record in batch.records] == [number]
        assert len(reads._deserializers) <= 3
