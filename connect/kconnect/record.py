"""Records: what a source hands in and a sink is given.

Records are dumb data (`msgspec.Struct` without garbage collector tracking): they hold values, never tasks,
callbacks or exceptions. A plugin's values are never changed by the framework: a transform that writes makes
its own copy first (`msgspec.structs.replace` or a new dict).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from kconnect.schema import Schema

Value: TypeAlias = Any
"""A Connect value: None, bool, int, float, str, bytes, Decimal, date, time, datetime, list, dict (a map, or a
struct when its schema says so)."""

SourcePartition: TypeAlias = Mapping[str, Any]
SourceOffset: TypeAlias = Mapping[str, Any]


class TopicPartition(NamedTuple):
    """A partition of a topic; prints as Kafka prints it, `orders-0`."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class SchemaAndValue(NamedTuple):
    """A value beside its schema; `schema` is None for schemaless data."""

    schema: Schema | None
    value: Value


class TimestampType(enum.Enum):
    """Who set a record's timestamp."""

    NO_TIMESTAMP_TYPE = -1
    CREATE_TIME = 0
    LOG_APPEND_TIME = 1


class Header(msgspec.Struct, gc=False, frozen=True):
    """One header. Keys may repeat within a record; order is kept."""

    key: str
    schema: Schema | None
    value: Value


class SourceRecord(msgspec.Struct, gc=False):
    """A record on its way from an outside system to a topic.

    `source_partition` names where it comes from, `source_offset` where to go on after it; both are JSON-like
    maps and are what Kafka Connect's offsets topic stores. `partition` None lets the partitioner choose;
    `timestamp` is milliseconds since the epoch, None for the time of sending.
    """

    source_partition: SourcePartition | None
    source_offset: SourceOffset | None
    topic: str
    partition: int | None = None
    key_schema: Schema | None = None
    key: Value = None
    value_schema: Schema | None = None
    value: Value = None
    timestamp: int | None = None
    headers: tuple[Header, ...] = ()


class SinkRecord(msgspec.Struct, gc=False):
    """A record on its way from a topic to an outside system.

    `offset` is the record's place in its partition. The `original_*` fields are where the record was read,
    whatever transforms made of `topic` and `partition`: offsets given to Kafka must use them (KIP-793).
    """

    topic: str
    partition: int
    key_schema: Schema | None
    key: Value
    value_schema: Schema | None
    value: Value
    offset: int
    timestamp: int | None = None
    timestamp_type: TimestampType = TimestampType.NO_TIMESTAMP_TYPE
    headers: tuple[Header, ...] = ()
    original_topic: str = ""
    original_partition: int = -1
    original_offset: int = -1

    def __post_init__(self) -> None:
        if not self.original_topic:
            self.original_topic = self.topic
            self.original_partition = self.partition
            self.original_offset = self.offset


class RowBatch(msgspec.Struct):
    """Rows of one schema for one topic, as a source's driver gave them: the cheapest thing that `poll` may return.

    `rows` are tuples in the order of `schema.fields`; `source_offsets[i]` belongs to `rows[i]`, None if rows have no
    offsets. `keys` is None, or one key per row. The framework builds the records.
    """

    topic: str
    schema: Schema
    rows: list[tuple[Any, ...]]
    source_partition: SourcePartition
    source_offsets: list[SourceOffset] | None
    key_schema: Schema | None = None
    keys: list[Value] | None = None
    timestamp: int | None = None
