"""Delivery: which source offsets may be stored, given which records the log has acknowledged.

The records of one poll that come from one source partition are a `Delivery`: one object whose callback counts
acknowledgements. Its last offset may be stored when it and every earlier delivery of the same source partition are
done, so no offset ever passes a record that is not acknowledged, and a slow topic holds up nobody else's offsets.
Everything here belongs to the task's thread, which is where producers call back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kconnect.errors import DataError
from kconnect.record import SourceOffset, SourcePartition, SourceRecord
from kconnect_workers.stores.source_offsets import partition_key

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

OnFailure = Callable[["KafkaError", "Message", Callable[[], None]], bool]
"""Told of a record that the log refused, and of what to call when that is settled later: whether it is settled now,
since it is tolerated."""


class Delivery:
    """Records of one poll and one source partition on their way.

    `pending` is raised by one for each record sent, `offset` is where the source goes on after those that were
    handled so far, `seal` says that no more will come. Acknowledgements may be counted before their records.
    """

    __slots__ = ("_on_failure", "offset", "partition", "pending", "sealed")

    def __init__(self, partition: SourcePartition | None, on_failure: OnFailure) -> None:
        self.partition = partition
        self.offset: SourceOffset | None = None
        self.pending = 0
        self.sealed = False
        self._on_failure = on_failure

    def seal(self) -> None:
        """The source may use its objects for something else from now on. DataError when the partition or the offset
        cannot be stored: the delivery is never done then."""
        if self.partition is not None and self.offset is not None:
            _check_storable(self.partition, "source partition")
            _check_storable(self.offset, "source offset")
            self.partition, self.offset = dict(self.partition), dict(self.offset)
        self.sealed = True

    def on_delivery(self, error: KafkaError | None, message: Message) -> None:
        """The producer's callback, shared by all records. A record whose failure is not settled (`on_failure` says
        False) stays unacknowledged until it is, which may be never."""
        if error is not None and not self._on_failure(error, message, self.settle):
            return
        self.pending -= 1

    def settle(self) -> None:
        """One record more is done with."""
        self.pending -= 1

    def for_record(
        self, record: SourceRecord, on_record: Callable[[SourceRecord, Message | None], None]
    ) -> Callable[[KafkaError | None, Message], None]:
        """A callback of one record, for tasks that want to hear of each: dearer than `on_delivery`. `on_record` is told
        of what is settled: acknowledged, or tolerated (None)."""

        def settle() -> None:
            self.pending -= 1
            on_record(record, None)

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self.pending -= 1
                on_record(record, message)
            elif self._on_failure(error, message, settle):
                settle()

        return on_delivery

    @property
    def done(self) -> bool:
        return self.sealed and self.pending == 0


class DeliveryTracker:
    """The deliveries of one task, per source partition in the order of its polls."""

    def __init__(self, on_failure: OnFailure) -> None:
        self._on_failure = on_failure
        self._open: dict[bytes, deque[Delivery]] = {}
        self._eligible: dict[bytes, tuple[SourcePartition, SourceOffset]] = {}

    def begin(self, partition: SourcePartition | None) -> Delivery:
        """A delivery behind all earlier ones of its partition. One without a partition has nothing to store."""
        delivery = Delivery(partition, self._on_failure)
        if partition is not None:
            self._open.setdefault(partition_key(partition), deque()).append(delivery)
        return delivery

    def eligible(self) -> dict[bytes, tuple[SourcePartition, SourceOffset]]:
        """By partition, the furthest offset that may be stored and was not reported as `stored` yet."""
        for key in list(self._open):
            deliveries = self._open[key]
            while deliveries and deliveries[0].done:
                delivery = deliveries.popleft()
                if delivery.partition is not None and delivery.offset is not None:
                    self._eligible[key] = (delivery.partition, delivery.offset)
            if not deliveries:
                del self._open[key]
        return dict(self._eligible)

    def sent(self) -> dict[bytes, tuple[SourcePartition, SourceOffset]]:
        """By partition, the furthest offset that was not reported as `stored`, acknowledged or not: for who sees to it
        that the records are stored with it, or none of both."""
        sent = dict(self._eligible)
        for key, deliveries in self._open.items():
            for delivery in deliveries:
                if delivery.sealed and delivery.partition is not None and delivery.offset is not None:
                    sent[key] = (delivery.partition, delivery.offset)
        return sent

    def stored(self, offsets: dict[bytes, tuple[SourcePartition, SourceOffset]]) -> None:
        """These, which `eligible` gave, are stored."""
        for key, entry in offsets.items():
            if self._eligible.get(key) is entry:
                del self._eligible[key]


def _check_storable(data: Mapping[str, Any], what: str) -> None:
    """Offsets are objects of primitive members, as in Kafka Connect: the JVM must be able to read them."""
    if not isinstance(data, Mapping):
        raise DataError(f"a {what} must be a dict, not {type(data).__name__}")
    for name, value in data.items():
        if not isinstance(name, str):
            raise DataError(f"the keys of a {what} must be strings, and {name!r} is none")
        if value is not None and not isinstance(value, (str, int, float, bool, bytes)):
            raise DataError(f"{name} of a {what} must be a string, a number, a boolean, bytes or None, not {value!r}")
