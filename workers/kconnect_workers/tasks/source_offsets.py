"""Source offsets as the task reads and writes them, in Kafka Connect's JSON.

A key is `["connector",{partition}]`, a value the offset. JSON members have no order, so lookup is by the parsed key,
and an update reuses the very key bytes that were read: compaction would keep both otherwise.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from kconnect.errors import ConnectError
from kconnect.record import SourceOffset, SourcePartition
from kconnect_workers.tasks.delivery import partition_key

log = logging.getLogger(__name__)

_READ_TIMEOUT_S = 60.0
_POLL_S = 0.5
_KEY = msgspec.json.Decoder(tuple[str, dict[str, Any] | None])

Entry = tuple[bytes, bytes | None]


class OffsetLog(Protocol):
    """Where offsets are kept: the offsets topic, or the worker's file."""

    def read(self, apply: Callable[[bytes, bytes | None], None]) -> None:
        """Hand `apply` everything that was stored since the last call, up to the end at the time of this one.
        ConnectError when that cannot be had."""
        ...

    def write(self, entries: list[Entry], timeout_s: float) -> None:
        """Return when `entries` are stored. ConnectError when they are not within `timeout_s` seconds."""
        ...

    def idle(self) -> None:
        """No read is expected soon: release what reading needs. `read` may be called again."""
        ...

    def close(self) -> None: ...


class Offsets:
    """One connector's offsets; the `OffsetStorageReader` of its plugins, and the writer of its tasks."""

    def __init__(self, connector: str, offset_log: OffsetLog) -> None:
        self._connector = connector
        self._log = offset_log
        self._stored: dict[bytes, tuple[bytes, bytes]] = {}

    def catch_up(self) -> None:
        """Read everything that is stored by now."""
        self._log.read(self._apply)

    def offset(self, partition: SourcePartition) -> dict[str, Any] | None:
        return self.offsets([partition])[0]

    def offsets(self, partitions: Sequence[SourcePartition]) -> list[dict[str, Any] | None]:
        self.catch_up()
        found = (self._stored.get(partition_key(partition)) for partition in partitions)
        return [None if entry is None else msgspec.json.decode(entry[1]) for entry in found]

    def write(self, offsets: Iterable[tuple[SourcePartition, SourceOffset]], timeout_s: float) -> None:
        """Store `offsets`, which JSON can carry; returns when that is done. ConnectError when it does not succeed
        within `timeout_s` seconds."""
        entries: list[Entry] = []
        for partition, offset in offsets:
            known = self._stored.get(partition_key(partition))
            key = known[0] if known else msgspec.json.encode([self._connector, partition])
            entries.append((key, msgspec.json.encode(offset)))
        self._log.write(entries, timeout_s)
        for key, value in entries:
            self._apply(key, value)

    def idle(self) -> None:
        self._log.idle()

    def close(self) -> None:
        self._log.close()

    def _apply(self, key: bytes, value: bytes | None) -> None:
        try:
            connector, partition = _KEY.decode(key)
        except msgspec.MsgspecError:
            log.warning("An offset with the key %r cannot be read and is passed over.", key)
            return
        if connector != self._connector:
            return
        identity = partition_key(partition or {})
        if value is None:
            self._stored.pop(identity, None)
        else:
            self._stored[identity] = (key, value)


class OffsetTopic:
    """The offsets topic. `producer` writes; `make_consumer` makes what reads, when it is needed."""

    def __init__(
        self, topic: str, make_producer: Callable[[], Producer], make_consumer: Callable[[], Consumer]
    ) -> None:
        self._topic = topic
        self._make_producer = make_producer
        self._make_consumer = make_consumer
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._positions: dict[int, int] = {}

    def read(self, apply: Callable[[bytes, bytes | None], None]) -> None:
        deadline = time.monotonic() + _READ_TIMEOUT_S
        try:
            consumer = self._reading()
            ends = self._ends(consumer)
            self._assign_new(consumer, ends)
            while any(self._positions[partition] < end for partition, end in ends.items()):
                if time.monotonic() > deadline:
                    raise ConnectError(
                        f"the offsets topic {self._topic} could not be read to its end within {_READ_TIMEOUT_S:g} s"
                    )
                for message in consumer.consume(500, _POLL_S):
                    self._take(message, apply)
        except KafkaException as e:
            raise ConnectError(f"the offsets topic {self._topic} cannot be read: {e.args[0].str()}") from e

    def _take(self, message: Message, apply: Callable[[bytes, bytes | None], None]) -> None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        if error is None:
            key = message.key()
            if key is not None:
                apply(_bytes(key), None if message.value() is None else _bytes(message.value()))
            assert offset is not None
            self._positions[partition] = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            # behind control records of transactions, an end that is no record's
            assert offset is not None
            self._positions[partition] = max(self._positions[partition], offset)
        else:
            raise KafkaException(error)

    def _reading(self) -> Consumer:
        if self._consumer is None:
            self._consumer = self._make_consumer()
            if self._positions:
                self._consumer.assign([TopicPartition(self._topic, p, at) for p, at in self._positions.items()])
        return self._consumer

    def _ends(self, consumer: Consumer) -> dict[int, int]:
        """The partitions and their ends now; none when the topic does not exist yet."""
        metadata = consumer.list_topics(self._topic, timeout=_READ_TIMEOUT_S).topics[self._topic]
        if metadata.error is not None:
            if metadata.error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.LEADER_NOT_AVAILABLE):
                return {}
            raise KafkaException(metadata.error)
        ends = {}
        for partition in metadata.partitions:
            place = TopicPartition(self._topic, partition)
            low, high = consumer.get_watermark_offsets(place, timeout=_READ_TIMEOUT_S)
            ends[partition] = high if high > low else 0
        return ends

    def _assign_new(self, consumer: Consumer, ends: Mapping[int, int]) -> None:
        new = [partition for partition in ends if partition not in self._positions]
        if new:
            self._positions |= dict.fromkeys(new, 0)
            consumer.incremental_assign([TopicPartition(self._topic, p, OFFSET_BEGINNING) for p in new])

    def write(self, entries: list[Entry], timeout_s: float) -> None:
        if self._producer is None:
            self._producer = self._make_producer()
        producer = self._producer
        missing = len(entries)
        failure: KafkaError | None = None

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            nonlocal missing, failure
            missing -= 1
            failure = failure or error

        deadline = time.monotonic() + timeout_s
        for key, value in entries:
            self._produce(producer, key, value, on_delivery, deadline)
        while missing and time.monotonic() < deadline:
            producer.poll(max(0.0, min(_POLL_S, deadline - time.monotonic())))
        if failure is not None:
            raise ConnectError(f"offsets could not be written to {self._topic}: {failure.str()}")
        if missing:
            raise ConnectError(f"offsets were not written to {self._topic} within {timeout_s:g} s")

    def _produce(
        self,
        producer: Producer,
        key: bytes,
        value: bytes | None,
        on_delivery: Callable[[KafkaError | None, Message], None],
        deadline: float,
    ) -> None:
        while True:
            try:
                producer.produce(self._topic, value, key, on_delivery=on_delivery)
            except BufferError:
                if time.monotonic() > deadline:
                    raise ConnectError(
                        f"offsets were not written to {self._topic}: the producer's queue is full"
                    ) from None
                producer.poll(0.05)
            else:
                return

    def idle(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def close(self) -> None:
        self.idle()


def _bytes(data: str | bytes | None) -> bytes:
    if data is None:
        return b""
    return data.encode() if isinstance(data, str) else data
