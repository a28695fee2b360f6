"""The source contracts: systems that records come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from kconnect.config import Config
from kconnect.configured import Configured
from kconnect.connector import (
    Connector,
    ConnectorTransactionBoundaries,
    ExactlyOnceSupport,
    OffsetStorageReader,
    SourceConnectorContext,
)
from kconnect.record import RowBatch, SourceOffset, SourcePartition, SourceRecord

if TYPE_CHECKING:
    from confluent_kafka import Message

C = TypeVar("C", bound=Config)


class TransactionContext(Protocol):
    """Lets a task define its own transaction boundaries (KIP-618, `transaction.boundary=connector`). Callable from any
    thread. ConnectError when both are asked for at one place."""

    def commit_transaction(self, record: SourceRecord | None = None) -> None:
        """End the transaction behind `record`, one of those that the poll under way returns (not of a `RowBatch`);
        without one, behind all that it returns."""
        ...

    def abort_transaction(self, record: SourceRecord | None = None) -> None:
        """As `commit_transaction`, and drop what is in the transaction. Its offsets are stored all the same: the source
        goes on behind it."""
        ...


class SourceTaskContext(Protocol):
    configs: dict[str, str]
    offset_storage_reader: OffsetStorageReader
    transaction_context: TransactionContext | None
    """None unless the worker is exactly-once and the connector is configured to end its transactions itself."""

    def request_commit(self) -> None:
        """Store offsets soon, without waiting for `offset.flush.interval.ms`. For the task's own thread."""
        ...


class SourceTask(Configured, Generic[C]):
    """Reads one share of an outside system. All methods but `stop` are called by one thread, in its own process."""

    disposable_values: ClassVar[bool] = False
    """True promises that the values of returned records belong to the framework, which may then change them."""

    context: SourceTaskContext

    def start(self, config: C) -> None:
        """Open what is needed and find where to go on, by `context.offset_storage_reader`."""

    @abstractmethod
    def poll(self) -> Sequence[SourceRecord] | RowBatch | None:
        """The next records. Wait for a short time (about a second at most) when there are none, and return None or
        an empty list then. RetriableError: polled again after a back-off."""

    def commit_offsets(self, offsets: Collection[tuple[SourcePartition, SourceOffset]]) -> None:
        """These, the last of each source partition, are stored, power-safe: the source may forget what was polled up to
        them, and no more (by XACK, a slot's position, the answer to a webhook)."""

    def commit(self) -> None:
        """Offsets were stored, or there were none to store: called every `offset.flush.interval.ms`, or after each
        transaction of an exactly-once worker, after `commit_offsets`."""

    def commit_record(self, record: SourceRecord, metadata: Message | None) -> None:
        """`record`, as `poll` returned it, is acknowledged (`metadata` tells where) or filtered out (None); on an
        exactly-once worker, told when its transaction is over."""

    def stop(self) -> None:
        """Called from another thread to interrupt a `poll` in progress, then once more by the task's own thread to
        release everything: it must be callable twice, and without a `start`."""


class SourceConnector(Connector[C]):
    """A connector that creates source tasks."""

    task: ClassVar[type[SourceTask[Any]]]
    context: SourceConnectorContext

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport | None:
        """Whether records are neither lost nor doubled with this configuration; None: not known."""
        return None

    def can_define_transaction_boundaries(self, props: Mapping[str, str]) -> ConnectorTransactionBoundaries:
        """Whether tasks use `context.transaction_context` with this configuration, when they are given one."""
        return ConnectorTransactionBoundaries.UNSUPPORTED

    def alter_offsets(
        self, props: Mapping[str, str], offsets: Mapping[SourcePartitionKey, SourceOffset | None]
    ) -> bool:
        """Check (and follow, outside) offsets that a user sets; None resets a partition. True when it checks,
        False when any offset will do. Raise ConnectError, saying why, to refuse. Keys are the partitions as
        frozen sets of items."""
        return False


SourcePartitionKey = frozenset[tuple[str, Any]]

__all__ = [
    "RowBatch",
    "SourceConnector",
    "SourcePartition",
    "SourcePartitionKey",
    "SourceTask",
    "SourceTaskContext",
    "TransactionContext",
]
