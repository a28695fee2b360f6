"""What a partition remembers of its producers: sequences, to refuse gaps and answer repetitions, and transactions."""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import google_crc32c

from kconnect.log.errors import RequestError
from kconnect.log.protocol import ErrorCode
from kconnect.log.protocol.control import ControlType
from kconnect.log.storage.transaction_index import AbortedTransaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kconnect.log.protocol.control import EndMarker

REMEMBERED_BATCHES = 5
"""As many requests as an idempotent producer may have in flight."""

_SEQUENCE_MASK = 0x7FFFFFFF
_SNAPSHOT_HEAD = struct.Struct(">hI")
_SNAPSHOT_ENTRY = struct.Struct(">qhiqiqiq")
_SNAPSHOT_VERSION = 1


class AppendedBatch(NamedTuple):
    """One batch of a producer that is in the log."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int


class ProducerState(NamedTuple):
    """A producer as DescribeProducers and snapshot files show it; -1 where there is nothing."""

    producer_id: int
    epoch: int
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int
    coordinator_epoch: int
    transaction_start: int


class _Producer:
    __slots__ = ("batches", "coordinator_epoch", "epoch", "timestamp")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: deque[AppendedBatch] = deque(maxlen=REMEMBERED_BATCHES)
        self.timestamp = -1
        self.coordinator_epoch = -1


class ProducerStates:
    """The producers of one partition, by id. Timestamps are milliseconds since 1970.

    `transactions` has the first offset of each open transaction, by the id of its producer, the oldest first.
    """

    __slots__ = ("_hidden_ends", "_producers", "transactions")

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}
        self.transactions: dict[int, int] = {}
        # First offset and marker of transactions whose marker is not below the high watermark yet.
        self._hidden_ends: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        return len(self._producers)

    def __iter__(self) -> Iterator[ProducerState]:
        for id_, producer in self._producers.items():
            last = producer.batches[-1] if producer.batches else AppendedBatch(-1, -1, -1, -1)
            yield ProducerState(
                id_,
                producer.epoch,
                last.last_sequence,
                last.last_offset,
                last.last_offset - last.base_offset,
                producer.timestamp,
                producer.coordinator_epoch,
                self.transactions.get(id_, -1),
            )

    def check(
        self, producer_id: int, epoch: int, first_sequence: int, record_count: int, *, transactional: bool = False
    ) -> AppendedBatch | None:
        """The earlier batch that this one repeats, or None where it may be appended.

        Raises RequestError: INVALID_PRODUCER_EPOCH for a producer that was replaced,
        OUT_OF_ORDER_SEQUENCE_NUMBER for a gap, INVALID_TXN_STATE for a batch outside of the transaction that its
        producer has open here.
        """
        producer = self._producers.get(producer_id)
        if producer is None:
            return None
        if epoch < producer.epoch:
            raise _replaced(producer_id, epoch, producer.epoch)
        if epoch > producer.epoch:
            expected = 0
        else:
            last_sequence = (first_sequence + record_count - 1) & _SEQUENCE_MASK
            for batch in producer.batches:
                if batch.first_sequence == first_sequence and batch.last_sequence == last_sequence:
                    return batch
            expected = (producer.batches[-1].last_sequence + 1) & _SEQUENCE_MASK if producer.batches else 0
        if first_sequence != expected:
            raise RequestError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {producer_id} sent sequence {first_sequence}, {expected} is next",
            )
        if not transactional and producer_id in self.transactions:
            raise RequestError(ErrorCode.INVALID_TXN_STATE, f"producer {producer_id} has a transaction open")
        return None

    def check_offsets(self, producer_id: int, epoch: int) -> None:
        """Refuse offsets that are committed in a transaction of a producer that was replaced.

        Raises RequestError INVALID_PRODUCER_EPOCH. These batches have no sequences.
        """
        producer = self._producers.get(producer_id)
        if producer is not None and epoch < producer.epoch:
            raise _replaced(producer_id, epoch, producer.epoch)

    def check_end(self, producer_id: int, epoch: int, coordinator_epoch: int) -> None:
        """Refuse the end of a transaction that comes from the past.

        Raises RequestError: INVALID_PRODUCER_EPOCH for a producer that was replaced,
        TRANSACTION_COORDINATOR_FENCED for a coordinator that was.
        """
        producer = self._producers.get(producer_id)
        if producer is None:
            return
        if epoch < producer.epoch:
            raise _replaced(producer_id, epoch, producer.epoch)
        if coordinator_epoch < producer.coordinator_epoch:
            raise RequestError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"the coordinator of producer {producer_id} has epoch {producer.coordinator_epoch} here, "
                f"the marker says {coordinator_epoch}",
            )

    def appended(
        self,
        producer_id: int,
        epoch: int,
        first_sequence: int,
        base_offset: int,
        last_offset: int,
        timestamp: int,
        *,
        transactional: bool = False,
    ) -> None:
        """Remember a batch that is in the log now."""
        producer = self._producer(producer_id, epoch)
        if first_sequence >= 0:
            last_sequence = (first_sequence + last_offset - base_offset) & _SEQUENCE_MASK
            producer.batches.append(AppendedBatch(first_sequence, last_sequence, base_offset, last_offset))
        producer.timestamp = timestamp
        if transactional and producer_id not in self.transactions:
            self.transactions[producer_id] = base_offset

    def ended(
        self, producer_id: int, epoch: int, marker: EndMarker, *, offset: int, timestamp: int, high_watermark: int
    ) -> AbortedTransaction | None:
        """Remember a marker that is in the log at `offset` now; returns the transaction if it has aborted one."""
        producer = self._producer(producer_id, epoch)
        producer.coordinator_epoch = marker.coordinator_epoch
        producer.timestamp = timestamp
        first_offset = self.transactions.pop(producer_id, None)
        if first_offset is None:
            return None
        self._forget_visible(high_watermark)
        if offset >= high_watermark:
            self._hidden_ends.append((first_offset, offset))
        if marker.type is not ControlType.ABORT:
            return None
        return AbortedTransaction(producer_id, first_offset, offset, self._first_open_offset(offset + 1))

    def _producer(self, producer_id: int, epoch: int) -> _Producer:
        producer = self._producers.get(producer_id)
        if producer is None:
            producer = self._producers[producer_id] = _Producer(epoch)
        elif producer.epoch != epoch:
            producer.epoch = epoch
            producer.batches.clear()
        return producer

    def _first_open_offset(self, otherwise: int) -> int:
        return next(iter(self.transactions.values()), otherwise)

    def last_stable_offset(self, high_watermark: int) -> int:
        """The first offset that readers of committed data do not see yet: all before it is decided, visibly."""
        if not self.transactions and not self._hidden_ends:
            return high_watermark
        self._forget_visible(high_watermark)
        first_hidden = min((first for first, _ in self._hidden_ends), default=high_watermark)
        return min(self._first_open_offset(high_watermark), first_hidden, high_watermark)

    def _forget_visible(self, high_watermark: int) -> None:
        while self._hidden_ends and self._hidden_ends[0][1] < high_watermark:
            self._hidden_ends.popleft()

    def expire(self, before: int) -> None:
        """Forget producers that wrote nothing since the timestamp `before` and have no transaction open."""
        stale = [
            id_
            for id_, producer in self._producers.items()
            if producer.timestamp < before and id_ not in self.transactions
        ]
        for id_ in stale:
            del self._producers[id_]

    def snapshot(self) -> bytes:
        """The content of a Kafka producer snapshot file: the last batch of every producer."""
        body = bytearray(struct.pack(">i", len(self._producers)))
        for state in self:
            body += _SNAPSHOT_ENTRY.pack(*state)
        return _SNAPSHOT_HEAD.pack(_SNAPSHOT_VERSION, google_crc32c.value(bytes(body))) + body

    @classmethod
    def from_snapshot(cls, content: bytes) -> ProducerStates | None:
        """What `snapshot` wrote; None where the bytes are damaged."""
        if len(content) < _SNAPSHOT_HEAD.size + 4:
            return None
        version, crc = _SNAPSHOT_HEAD.unpack_from(content)
        entries = content[_SNAPSHOT_HEAD.size + 4 :]
        if (
            version != _SNAPSHOT_VERSION
            or crc != google_crc32c.value(content[_SNAPSHOT_HEAD.size :])
            or len(entries) % _SNAPSHOT_ENTRY.size
        ):
            return None
        states = cls()
        transactions: list[tuple[int, int]] = []
        for state in map(ProducerState._make, _SNAPSHOT_ENTRY.iter_unpack(entries)):
            producer = states._producers[state.producer_id] = _Producer(state.epoch)
            producer.timestamp = state.timestamp
            producer.coordinator_epoch = state.coordinator_epoch
            if state.last_sequence >= 0:
                first = (state.last_sequence - state.offset_delta) & _SEQUENCE_MASK
                base_offset = state.last_offset - state.offset_delta
                producer.batches.append(AppendedBatch(first, state.last_sequence, base_offset, state.last_offset))
            if state.transaction_start >= 0:
                transactions.append((state.transaction_start, state.producer_id))
        states.transactions = {producer_id: start for start, producer_id in sorted(transactions)}
        return states


def _replaced(producer_id: int, epoch: int, known_epoch: int) -> RequestError:
    return RequestError(
        ErrorCode.INVALID_PRODUCER_EPOCH,
        f"producer {producer_id} has epoch {known_epoch} here, the batch says {epoch}",
    )
