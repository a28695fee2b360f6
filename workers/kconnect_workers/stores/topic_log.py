"""Entry logs in compacted topics: one consumer, one producer and one thread for all logs of a worker."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka import admin as admin_module
from confluent_kafka.admin import AdminClient

from kconnect import kafka
from kconnect.errors import ConfigError, ConnectError
from kconnect.kafka.settings import known
from kconnect_workers.stores.entry_log import Apply, Entry, EntryLog
from kconnect_workers.stores.internal_topics import QUIET, create_topics

_logger = logging.getLogger(__name__)

_UNTYPED: Any = admin_module  # it exports OffsetSpec, and does not say so
_LATEST = _UNTYPED.OffsetSpec.latest()

_POLL_SECONDS = 0.1
_BATCH = 500
_BROKER_SECONDS = 30.0

_Partition = tuple[str, int]


class TopicLogs:
    """The entry logs of a worker. `client_props` are Java client settings, `bootstrap.servers` among them.

    Belongs to one event loop. The consumer belongs to the reader's thread: it serves one caller at a time, and would
    keep others waiting for as long as it polls. Ends are asked for by a client of its own, since on the consumer's
    connection the answer would wait for that of a fetch.
    """

    def __init__(self, client_props: Mapping[str, str]) -> None:
        self._props = dict(client_props)
        self._unread: queue.SimpleQueue[list[TopicPartition]] = queue.SimpleQueue()
        self._admin: AdminClient | None = None
        self._producer: Producer | None = None
        self._reader: threading.Thread | None = None
        self._stopping = threading.Event()
        self._applies: dict[str, Apply] = {}
        self._positions: dict[_Partition, int] = {}
        self._waiters: list[tuple[Mapping[_Partition, int], asyncio.Future[None]]] = []

    def opener(self, topic: str) -> Callable[[Apply], EntryLog]:
        """What a store opens its log with."""
        return lambda apply: _TopicLog(self, topic, apply)

    async def create(self, topics: Mapping[str, Mapping[str, str]]) -> None:
        """Create the topics, with settings of theirs, that do not exist. ConnectError naming one that cannot be
        created."""
        await asyncio.to_thread(create_topics, self._open_admin(), topics)

    async def stop(self) -> None:
        """Logs end with what they have read. May be called twice."""
        if self._reader is not None:
            self._stopping.set()
            self._unread.put([])
            await asyncio.to_thread(self._reader.join)
        for _, waiter in self._waiters:
            waiter.cancel()

    async def follow(self, topic: str, apply: Apply) -> None:
        """Apply what is in `topic`, and all that comes; returns when what is there now has been applied."""
        self._applies[topic] = apply
        ends = await asyncio.to_thread(_ends, self._open_admin(), topic)
        self._start_reader()
        self._unread.put([TopicPartition(*partition, 0) for partition in ends])
        await self._reached(ends)

    async def read_to_end(self, topic: str) -> None:
        await self._reached(await asyncio.to_thread(_ends, self._open_admin(), topic))

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Returns when every entry is acknowledged by the broker and applied here."""
        if not entries:
            return
        ends = await asyncio.to_thread(_produce, self._open_producer(), topic, entries)
        await self._reached(ends)

    async def _reached(self, ends: Mapping[_Partition, int]) -> None:
        if self._has_reached(ends):
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((ends, waiter))
        try:
            async with asyncio.timeout(_BROKER_SECONDS):
                await waiter
        except TimeoutError:
            behind = ", ".join(f"{topic}-{partition}@{end}" for (topic, partition), end in ends.items())
            raise ConnectError(f"{behind} was not read within {_BROKER_SECONDS:g} s: is the broker well?") from None
        finally:
            self._waiters = [item for item in self._waiters if item[1] is not waiter]

    def _has_reached(self, ends: Mapping[_Partition, int]) -> bool:
        return all(self._positions.get(partition, 0) >= end for partition, end in ends.items())

    def _start_reader(self) -> None:
        if self._reader is None:
            consumer = kafka.consumer(
                {
                    **known(self._props, "consumer"),
                    "group.id": "kconnect-worker",  # needed to assign by hand; nothing is committed
                    "enable.partition.eof": "true",
                    "isolation.level": "read_committed",
                    **QUIET,
                },
                logger=_logger,
            )
            loop = asyncio.get_running_loop()
            self._reader = threading.Thread(target=self._read, args=(consumer, loop), name="topic-logs", daemon=True)
            self._reader.start()

    def _open_admin(self) -> AdminClient:
        if self._admin is None:
            self._admin = kafka.admin({**known(self._props, "admin"), **QUIET})
        return self._admin

    def _open_producer(self) -> Producer:
        if self._producer is None:
            self._producer = kafka.producer(
                {**known(self._props, "producer"), "linger.ms": "0", **QUIET}, logger=_logger
            )
        return self._producer

    def _read(self, consumer: Consumer, loop: asyncio.AbstractEventLoop) -> None:
        """The reader's thread. It goes on whatever the consumer says: who waits for it does so for a limited time."""
        while not self._stopping.is_set():
            try:
                if not self._unread.empty() or not consumer.assignment():
                    consumer.incremental_assign(self._unread.get())
                    continue
                first = consumer.poll(_POLL_SECONDS)
                if first is not None:
                    loop.call_soon_threadsafe(self._deliver, [first, *consumer.consume(_BATCH, 0)])
            except KafkaException as e:
                _logger.error("the worker's topics cannot be read for now: %s", e.args[0])
                self._stopping.wait(_POLL_SECONDS)
        consumer.close()

    def _deliver(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._deliver_one(message)
        for ends, waiter in self._waiters:
            if not waiter.done() and self._has_reached(ends):
                waiter.set_result(None)

    def _deliver_one(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            _logger.warning("reading %s-%s: %s", topic, partition, error.str())
            return
        if topic is None or partition is None or offset is None:
            return
        if error is None:
            self._apply(topic, message)
            offset += 1
        self._positions[topic, partition] = max(offset, self._positions.get((topic, partition), 0))

    def _apply(self, topic: str, message: Message) -> None:
        key, value = message.key(), message.value()
        if key is None:
            return
        try:
            self._applies[topic](_bytes(key), None if value is None else _bytes(value))
        except Exception:
            # One record of whatever origin must not keep those after it from being seen.
            _logger.exception("the record %r of topic %s is passed over", key, topic)


class _TopicLog:
    """One topic as an EntryLog."""

    def __init__(self, logs: TopicLogs, topic: str, apply: Apply) -> None:
        self._logs = logs
        self._topic = topic
        self._apply = apply

    async def start(self) -> None:
        await self._logs.follow(self._topic, self._apply)

    async def append(self, entries: Sequence[Entry]) -> None:
        await self._logs.append(self._topic, entries)

    async def read_to_end(self) -> None:
        await self._logs.read_to_end(self._topic)

    async def stop(self) -> None:
        """The reader is shared: `TopicLogs.stop` ends it."""


def _ends(admin: AdminClient, topic: str) -> dict[_Partition, int]:
    """The ends of a topic's partitions as they are now. ConnectError when they cannot be had."""
    try:
        metadata = admin.list_topics(topic, timeout=_BROKER_SECONDS).topics[topic]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        wanted = {TopicPartition(topic, partition): _LATEST for partition in metadata.partitions}
        found = admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_BROKER_SECONDS
        )
        return {(topic, asked.partition): answer.result(_BROKER_SECONDS).offset for asked, answer in found.items()}
    except KafkaException as e:
        raise ConnectError(f"topic {topic} cannot be read: {e.args[0].str()}") from e


def _produce(producer: Producer, topic: str, entries: Sequence[Entry]) -> dict[_Partition, int]:
    """Send `entries` and wait for their acknowledgement; the offsets after them, by partition."""
    ends: dict[_Partition, int] = {}
    errors: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is not None:
            errors.append(error)
        elif partition is not None and offset is not None:
            ends[topic, partition] = max(offset + 1, ends.get((topic, partition), 0))

    refused: ConnectError | None = None
    for key, value in entries:
        try:
            producer.produce(topic, value, key, on_delivery=delivered)
        except (KafkaException, BufferError) as e:
            refused = _refused(topic, key, value, e)
            break
    waiting = producer.flush(_BROKER_SECONDS)
    if refused is not None:
        raise refused
    if errors:
        raise ConnectError(f"topic {topic} cannot be written: {errors[0].str()}")
    if waiting:
        raise ConnectError(
            f"topic {topic} has not acknowledged after {_BROKER_SECONDS:g} s; it may yet take what was sent"
        )
    return ends


def _refused(topic: str, key: bytes, value: bytes | None, error: KafkaException | BufferError) -> ConnectError:
    """What librdkafka says of an entry that it does not even queue."""
    if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return ConfigError(
            f"{len(value or b'')} bytes are more than topic {topic} keeps of {key.decode(errors='replace')}",
            suggestion="shorten what is stored there",
        )
    reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
    return ConnectError(f"topic {topic} cannot be written: {reason}")


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
