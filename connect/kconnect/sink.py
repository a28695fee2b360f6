"""The sink contracts: systems that records go to."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from kconnect.config import Config
from kconnect.configured import Configured
from kconnect.connector import Connector
from kconnect.record import SinkRecord, TopicPartition

C = TypeVar("C", bound=Config)

Offsets = Mapping[TopicPartition, int]
"""Per partition, the offset of the next record to read."""


class ErrantRecordReporter(Protocol):
    """Reports single bad records to the dead letter queue while the rest of a batch goes on (KIP-610)."""

    def report(self, record: SinkRecord, error: Exception) -> Future[None]:
        """The future completes when the report is stored. Raises ConnectError if errors are not tolerated."""
        ...


class PartitionLog(NamedTuple):
    """Which log the offsets of a partition count in, and from where to where it goes now.

    A topic that is made anew under its name has another `topic_id`; None: the cluster does not tell."""

    cluster_id: str | None
    topic_id: str | None
    start_offset: int
    end_offset: int


class SinkTaskContext(Protocol):
    """What the framework offers a sink task. For the task's own thread only."""

    configs: dict[str, str]
    errant_record_reporter: ErrantRecordReporter | None

    def assignment(self) -> frozenset[TopicPartition]: ...

    def partition_log(self, partition: TopicPartition) -> PartitionLog:
        """As the cluster says now: for tasks that keep offsets beside their data (`StoredOffset`). RetriableError
        while it does not answer."""
        ...

    def offset(self, offsets: Offsets) -> None:
        """Rewind (or move on) these partitions before the next `put`."""
        ...

    def timeout(self, timeout_ms: int) -> None:
        """Wait this long before the records of a `put` that raised RetriableError are put again."""
        ...

    def pause(self, *partitions: TopicPartition) -> None: ...

    def resume(self, *partitions: TopicPartition) -> None: ...

    def request_commit(self) -> None:
        """Commit offsets soon, without waiting for `offset.flush.interval.ms`."""
        ...


class SinkTask(Configured, Generic[C]):
    """Writes one share of the partitions. Every method is called by one thread, in the task's own process."""

    columnar: ClassVar[bool] = False
    """Whether `put` looks for `ColumnarRecords` (kconnect.columnar), which it then gets where records come as columns:
    untransformed, of one topic and schema, from a converter that reads columns. It gets other sequences too."""

    context: SinkTaskContext

    def start(self, config: C) -> None:
        """Connect to the outside system."""

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are this task's from now on. Called before their first `put`."""

    @abstractmethod
    def put(self, records: Sequence[SinkRecord]) -> None:
        """Write `records` (none, now and then: a chance for time-based flushes). In offset order per partition.
        RetriableError: the same records are put again after a back-off; any other error fails the task."""

    def flush(self, offsets: Offsets) -> None:
        """Make everything put so far durable; offsets are committed when this returns."""

    def pre_commit(self, offsets: Offsets) -> Offsets:
        """`flush`, and return what may be committed: fewer partitions or smaller offsets where writing lags."""
        self.flush(offsets)
        return offsets

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are given up. What was not committed will be put again, to whoever has them then."""

    def stop(self) -> None:
        """Release everything. May be called twice, and without a `start`."""


class SinkConnector(Connector[C]):
    """A connector that creates sink tasks."""

    task: ClassVar[type[SinkTask[Any]]]

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        """Check (and follow, outside) offsets that a user sets; None resets a partition. A reset of all names those
        that the consumer group has committed: where it has none, `offsets` is empty, and offsets that are kept outside
        are to be forgotten. True when it checks, False when any offset will do. Raise ConnectError, saying why, to
        refuse."""
        return False
