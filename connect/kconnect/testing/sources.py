"""A source task run in the test's own process, with its offsets kept in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kconnect.connector import OffsetStorageReader
from kconnect.errors import RetriableError
from kconnect.record import RowBatch, SourceOffset, SourcePartition, SourceRecord
from kconnect.source import SourceConnector, TransactionContext
from kconnect.testing.deadline import Deadline

RETRY_SECONDS = 0.02


class MemoryOffsets:
    """An `OffsetStorageReader` over what tests store in it. Like the real one it keeps JSON, not objects."""

    def __init__(self) -> None:
        self._stored: dict[str, str] = {}

    def store(self, partition: SourcePartition, offset: SourceOffset | None) -> None:
        """None forgets the partition. Raises TypeError for what JSON cannot hold."""
        if offset is None:
            self._stored.pop(_json(partition), None)
        else:
            self._stored[_json(partition)] = _json(offset)

    def offset(self, partition: SourcePartition) -> dict[str, Any] | None:
        stored = self._stored.get(_json(partition))
        return None if stored is None else json.loads(stored)

    def offsets(self, partitions: Sequence[SourcePartition]) -> list[dict[str, Any] | None]:
        return [self.offset(partition) for partition in partitions]

    def all(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Every partition with its offset."""
        return [(json.loads(partition), json.loads(offset)) for partition, offset in self._stored.items()]


class SourceContext:
    """The context of a connector and of its tasks; remembers what the connector asked for."""

    def __init__(self, configs: Mapping[str, str], offsets: MemoryOffsets) -> None:
        self.configs = dict(configs)
        self.offset_storage_reader: OffsetStorageReader = offsets
        self.transaction_context: TransactionContext | None = None
        self.reconfigurations = 0
        self.commits_requested = 0
        self.error: Exception | None = None

    def request_task_reconfiguration(self) -> None:
        self.reconfigurations += 1

    def raise_error(self, error: Exception) -> None:
        self.error = error

    def request_commit(self) -> None:
        self.commits_requested += 1


class SourceTaskHarness:
    """A connector and one of its tasks, both started, as a context manager.

    Give `offsets` of an earlier harness to go on where it committed. Errors of the plugin come through as they are.
    """

    def __init__(
        self,
        connector_class: type[SourceConnector[Any]],
        props: Mapping[str, str],
        *,
        offsets: MemoryOffsets | None = None,
        task: int = 0,
        max_tasks: int = 1,
    ) -> None:
        self.offsets = offsets if offsets is not None else MemoryOffsets()
        self.connector = connector_class()
        self.connector.props = dict(props)
        self.connector_context = SourceContext(props, self.offsets)
        self.connector.context = self.connector_context
        self.task = connector_class.task()
        self._task_number, self._max_tasks = task, max_tasks
        self._uncommitted: list[SourceRecord] = []

    def __enter__(self) -> Self:
        try:
            self.connector.start(type(self.connector).config_class.parse(self.connector.props))
            self.task_configs = self.connector.task_configs(self._max_tasks)
            config = self.task_configs[self._task_number]
            self.task.context = SourceContext(config, self.offsets)
            self.task.start(type(self.task).config_class.parse(config))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def poll(self) -> list[SourceRecord]:
        """One poll's records, a RowBatch taken apart."""
        batch = self.task.poll()
        records = records_of(batch) if isinstance(batch, RowBatch) else list(batch or ())
        self._uncommitted += records
        return records

    def poll_until(self, count: int, timeout: float = 30.0) -> list[SourceRecord]:
        """The records of as many polls as it takes to have `count` of them; retriable errors are tried again.
        Raises TimeoutError when there are fewer after `timeout` seconds."""
        records: list[SourceRecord] = []
        deadline = Deadline(timeout)
        while len(records) < count:
            deadline.check(f"{len(records)} of {count} records")
            try:
                records += self.poll()
            except RetriableError:
                time.sleep(RETRY_SECONDS)
        return records

    def commit(self) -> None:
        """Everything polled is acknowledged: store its offsets and tell the task."""
        records, self._uncommitted = self._uncommitted, []
        stored: dict[str, tuple[SourcePartition, SourceOffset]] = {}
        for record in records:
            if record.source_partition is not None and record.source_offset is not None:
                self.offsets.store(record.source_partition, record.source_offset)
                stored[_json(record.source_partition)] = (record.source_partition, record.source_offset)
            self.task.commit_record(record, None)
        if stored:
            self.task.commit_offsets(stored.values())
        self.task.commit()

    def stop(self) -> None:
        """As the worker does: once to interrupt, once to release."""
        self.task.stop()
        self.task.stop()
        self.connector.stop()


def records_of(batch: RowBatch) -> list[SourceRecord]:
    """One record per row, as the framework builds them."""
    names = [field.name for field in batch.schema.fields]
    nothing = [None] * len(batch.rows)
    return [
        SourceRecord(
            source_partition=batch.source_partition,
            source_offset=offset,
            topic=batch.topic,
            key_schema=batch.key_schema,
            key=key,
            value_schema=batch.schema,
            value=dict(zip(names, row, strict=True)),
            timestamp=batch.timestamp,
        )
        for row, offset, key in zip(batch.rows, batch.source_offsets or nothing, batch.keys or nothing, strict=True)
    ]


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
