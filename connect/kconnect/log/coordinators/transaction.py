"""The transactions of one transactional id: a value, and what may become of it.

Nothing here waits, sends or stores: every method returns a new value, or raises RequestError and has changed nothing.

    Empty ──first partition──▶ Ongoing ──commit──▶ PrepareCommit ──markers written──▶ CompleteCommit
                                  │                                                        │
                                  └──abort, time over, fenced──▶ PrepareAbort ─────▶ CompleteAbort
    From a complete one the next first partition leads to Ongoing again, InitProducerId to Empty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from kconnect.log.errors import RequestError
from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

NO_EPOCH = -1
_LAST_EPOCH = 0x7FFF - 1
"""One below what the field holds: there is always an epoch left to fence a producer with."""

TopicPartition = tuple[str, int]


class TransactionState(Enum):
    """Kafka's names, as DescribeTransactions shows them, and its numbers in `__transaction_state`."""

    EMPTY = "Empty", 0
    ONGOING = "Ongoing", 1
    PREPARE_COMMIT = "PrepareCommit", 2
    PREPARE_ABORT = "PrepareAbort", 3
    COMPLETE_COMMIT = "CompleteCommit", 4
    COMPLETE_ABORT = "CompleteAbort", 5

    def __init__(self, title: str, number: int) -> None:
        self.title = title
        self.number = number


_PREPARED = {True: TransactionState.PREPARE_COMMIT, False: TransactionState.PREPARE_ABORT}
_COMPLETE = {True: TransactionState.COMPLETE_COMMIT, False: TransactionState.COMPLETE_ABORT}


class ProducerIdentity(NamedTuple):
    """A producer id and which of its users, one after another, it is."""

    producer_id: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionMetadata:
    """What the coordinator knows of a transactional id. Times are milliseconds, points in time since 1970.

    `last_epoch` is the epoch from which the producer itself came to the present one, -1 where another one did.
    """

    transactional_id: str
    producer_id: int
    epoch: int = NO_EPOCH
    previous_producer_id: int = -1
    last_epoch: int = NO_EPOCH
    timeout_ms: int
    state: TransactionState = TransactionState.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    started_at: int = -1
    updated_at: int

    @property
    def is_prepared(self) -> bool:
        """Whether it is decided how the transaction ends, and its markers are on their way."""
        return self.state in _PREPARED.values()

    @property
    def commits(self) -> bool:
        """Whether a prepared transaction is to be committed."""
        return self.state is TransactionState.PREPARE_COMMIT

    def is_overdue(self, now: int) -> bool:
        """Whether its producer has had all the time that it asked for."""
        return self.state is TransactionState.ONGOING and now - self.started_at >= self.timeout_ms

    def restored(self, now: int) -> TransactionMetadata:
        """What was kept, as a start at `now` takes it: where the date was ahead, time counts from now on."""
        return replace(self, started_at=min(self.started_at, now))

    # Producers

    def next_producer(
        self, timeout_ms: int, expected: ProducerIdentity | None, now: int, new_producer_id: Callable[[], int]
    ) -> TransactionMetadata:
        """Give the id to the next producer, or to the present one anew if it says which one it is (KIP-360).

        The transaction must not be ongoing or prepared. Raises RequestError PRODUCER_FENCED, and what
        `new_producer_id` raises.
        """
        if self._is_repetition(expected):
            return replace(self, timeout_ms=timeout_ms, updated_at=now)
        self.check_expected(expected)
        emptied = replace(
            self,
            timeout_ms=timeout_ms,
            state=TransactionState.EMPTY,
            partitions=frozenset(),
            started_at=-1,
            updated_at=now,
            last_epoch=NO_EPOCH if expected is None else self.epoch,
        )
        if self.epoch >= _LAST_EPOCH:
            return replace(emptied, producer_id=new_producer_id(), epoch=0, previous_producer_id=self.producer_id)
        return replace(emptied, epoch=self.epoch + 1)

    def check_expected(self, expected: ProducerIdentity | None) -> None:
        """Raises RequestError PRODUCER_FENCED unless the one who claims to be the present producer is it."""
        if expected is None or self.epoch == NO_EPOCH or expected == (self.producer_id, self.epoch):
            return
        if not self._is_repetition(expected):
            raise RequestError(
                ErrorCode.PRODUCER_FENCED,
                f"{self.transactional_id!r} belongs to producer {self.producer_id} of epoch {self.epoch} by now",
            )

    def _is_repetition(self, expected: ProducerIdentity | None) -> bool:
        """Whether `expected` has what it asks for already, and only the answer was lost."""
        if expected is None or self.last_epoch == NO_EPOCH or expected.epoch != self.last_epoch:
            return False
        rotated = self.epoch == 0 and expected == (self.previous_producer_id, _LAST_EPOCH)
        return rotated or expected.producer_id == self.producer_id

    def fence(self, now: int) -> TransactionMetadata:
        """Abort an ongoing transaction over its producer's head, whose epoch is over by that."""
        return replace(self, epoch=self.epoch + 1, last_epoch=NO_EPOCH)._prepare(commit=False, now=now)

    def check_producer(self, producer: ProducerIdentity) -> None:
        """Raises RequestError: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED."""
        if producer.producer_id != self.producer_id:
            raise RequestError(
                ErrorCode.INVALID_PRODUCER_ID_MAPPING,
                f"{self.transactional_id!r} belongs to producer {self.producer_id}, not {producer.producer_id}",
            )
        if producer.epoch != self.epoch:
            raise RequestError(
                ErrorCode.PRODUCER_FENCED,
                f"the producer of {self.transactional_id!r} has epoch {self.epoch}, not {producer.epoch}",
            )

    # Transactions

    def with_partitions(
        self, producer: ProducerIdentity, added: frozenset[TopicPartition], now: int
    ) -> TransactionMetadata:
        """Let the transaction have further partitions, beginning it if none is ongoing; itself if it has them all.

        Raises RequestError, CONCURRENT_TRANSACTIONS where the last one is prepared but not complete.
        """
        self.check_producer(producer)
        if self.is_prepared:
            raise RequestError(ErrorCode.CONCURRENT_TRANSACTIONS)
        if self.state is TransactionState.ONGOING:
            if added <= self.partitions:
                return self
            return replace(self, partitions=self.partitions | added, updated_at=now)
        return replace(self, state=TransactionState.ONGOING, partitions=added, started_at=now, updated_at=now)

    def check_partition(self, producer: ProducerIdentity, partition: TopicPartition) -> None:
        """Raises RequestError unless a producer may write to `partition` in its transaction: INVALID_TXN_STATE."""
        self.check_producer(producer)
        if self.is_prepared:
            raise RequestError(ErrorCode.CONCURRENT_TRANSACTIONS)
        if self.state is not TransactionState.ONGOING or partition not in self.partitions:
            raise RequestError(
                ErrorCode.INVALID_TXN_STATE,
                f"{partition[0]}-{partition[1]} is not part of a transaction of {self.transactional_id!r}",
            )

    def ended(self, producer: ProducerIdentity, *, commit: bool, now: int) -> TransactionMetadata:
        """Decide the end of the transaction; itself where it has ended so already.

        Raises RequestError: INVALID_TXN_STATE where there is nothing to end, or it ended otherwise,
        CONCURRENT_TRANSACTIONS where it ends so right now.
        """
        self.check_producer(producer)
        if self.state is TransactionState.ONGOING:
            return self._prepare(commit=commit, now=now)
        if self.state is _COMPLETE[commit]:
            return self
        if self.state is _PREPARED[commit]:
            raise RequestError(ErrorCode.CONCURRENT_TRANSACTIONS)
        raise RequestError(
            ErrorCode.INVALID_TXN_STATE,
            f"{self.transactional_id!r} has no transaction to {'commit' if commit else 'abort'}, "
            f"its state is {self.state.title}",
        )

    def _prepare(self, *, commit: bool, now: int) -> TransactionMetadata:
        return replace(self, state=_PREPARED[commit], updated_at=now)

    def completed(self, now: int) -> TransactionMetadata:
        """Every marker of the prepared transaction is written."""
        return replace(self, state=_COMPLETE[self.commits], partitions=frozenset(), updated_at=now)
