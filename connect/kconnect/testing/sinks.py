"""A sink task run in the test's own process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from kconnect.errors import RetriableError
from kconnect.record import SinkRecord, TopicPartition, Value
from kconnect.schema import Schema
from kconnect.sink import ErrantRecordReporter, Offsets, PartitionLog, SinkConnector
from kconnect.testing.deadline import Deadline

RETRY_SECONDS = 0.02


class SinkContext:
    """The context of a sink task; remembers what the task asked for. It is its own errant record reporter, and `log`
    is what it tells of every partition's log."""

    def __init__(self, configs: Mapping[str, str], *, reporting: bool) -> None:
        self.configs = dict(configs)
        self.errant_record_reporter: ErrantRecordReporter | None = self if reporting else None
        self.reports: list[tuple[SinkRecord, Exception]] = []
        self.timeouts: list[int] = []
        self.rewound: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.commits_requested = 0
        self.partitions: frozenset[TopicPartition] = frozenset()
        self.log = PartitionLog("cluster", "topic", 0, 2**63 - 1)

    def report(self, record: SinkRecord, error: Exception) -> Future[None]:
        self.reports.append((record, error))
        stored: Future[None] = Future()
        stored.set_result(None)
        return stored

    def assignment(self) -> frozenset[TopicPartition]:
        return self.partitions

    def partition_log(self, partition: TopicPartition) -> PartitionLog:
        return self.log

    def offset(self, offsets: Offsets) -> None:
        self.rewound.update(offsets)

    def timeout(self, timeout_ms: int) -> None:
        self.timeouts.append(timeout_ms)

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    def request_commit(self) -> None:
        self.commits_requested += 1


class SinkTaskHarness:
    """A sink task with one partition of one topic, as a context manager.

    `reporting` gives it an errant record reporter. Errors of the plugin come through as they are.
    """

    def __init__(
        self,
        connector_class: type[SinkConnector[Any]],
        props: Mapping[str, str],
        *,
        topic: str = "orders",
        reporting: bool = False,
    ) -> None:
        self.connector = connector_class()
        self.connector.props = dict(props)
        self.task = connector_class.task()
        self.context = SinkContext(props, reporting=reporting)
        self.task.context = self.context
        self.topic = topic
        self.next_offset = 0

    def __enter__(self) -> Self:
        try:
            self.task.start(type(self.task).config_class.parse(self.connector.props))
            self.context.partitions = frozenset({TopicPartition(self.topic, 0)})
            self.task.open(sorted(self.context.partitions))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def record(
        self,
        value: Value,
        schema: Schema | None = None,
        *,
        key: Value = None,
        key_schema: Schema | None = None,
        topic: str | None = None,
    ) -> SinkRecord:
        """The next record of the partition."""
        offset, self.next_offset = self.next_offset, self.next_offset + 1
        return SinkRecord(topic or self.topic, 0, key_schema, key, schema, value, offset)

    def put(self, records: Sequence[SinkRecord]) -> None:
        self.task.put(records)

    def put_until_done(self, records: Sequence[SinkRecord], timeout: float = 30.0) -> int:
        """Put, and put again after each RetriableError; how often it was put. Raises TimeoutError in the end."""
        deadline = Deadline(timeout)
        tries = 0
        while True:
            tries += 1
            try:
                self.task.put(records)
            except RetriableError as error:
                deadline.check(f"still refused: {error}")
                time.sleep(RETRY_SECONDS)
            else:
                return tries

    def commit(self) -> Offsets:
        """What the task lets the framework commit."""
        return self.task.pre_commit({TopicPartition(self.topic, 0): self.next_offset})

    def stop(self) -> None:
        if self.context.partitions:
            self.task.close(sorted(self.context.partitions))
            self.context.partitions = frozenset()
        self.task.stop()
