"""Values and records as columns: what a converter reads of a whole batch at once, for sinks that write rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, overload

from kconnect.record import SinkRecord, Value
from kconnect.schema import Schema


class Columns(NamedTuple):
    """Structs of one schema: for each of its fields, in their order, the values in all of them. A field that a struct
    lacks has its default, or null."""

    schema: Schema
    values: tuple[Sequence[Value], ...]


class ColumnarRecords(Sequence[SinkRecord]):
    """Records of one topic as they were read from it, whose values are structs of one schema: a sequence like any
    other, but of records that are built (all of them, once, by `build`) when somebody takes one.

    They have no headers. `columns` are the fields of `value_schema`, in their order. `partitions` and `offsets` tell
    where each record was read. `keys`, of `key_schema`, are None if all are null; otherwise none of them is.
    """

    def __init__(
        self,
        *,
        topic: str,
        partitions: Sequence[int],
        offsets: Sequence[int],
        key_schema: Schema | None,
        keys: Sequence[Value] | None,
        columns: Columns,
        build: Callable[[ColumnarRecords], list[SinkRecord]],
    ) -> None:
        self.topic = topic
        self.partitions = partitions
        self.offsets = offsets
        self.key_schema = key_schema
        self.keys = keys
        self.value_schema = columns.schema
        self.columns = columns.values
        self._build = build
        self._built: list[SinkRecord] | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, index: int) -> SinkRecord: ...

    @overload
    def __getitem__(self, index: slice) -> list[SinkRecord]: ...

    def __getitem__(self, index: int | slice) -> SinkRecord | list[SinkRecord]:
        return self._records[index]

    def __iter__(self) -> Iterator[SinkRecord]:
        return iter(self._records)

    @property
    def _records(self) -> list[SinkRecord]:
        if self._built is None:
            self._built = self._build(self)
        return self._built
