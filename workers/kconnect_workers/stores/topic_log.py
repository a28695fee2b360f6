"""Entry logs in compacted topics: one consumer, one producer and one thread for all logs of a worker."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from kconnect import kafka
from kconnect.errors import ConnectError
from kconnect.kafka.settings import known
from kconnect_workers.stores.entry_log import Apply, Entry, PositionedLog
from kconnect_workers.stores.internal_topics import QUIET, InternalTopic, prepare_topics
from kconnect_workers.stores.leader_writer import LeaderWriter
from kconnect_workers.stores.topic_reader import READING, Place, Read, TopicReader, ends_of, have_reached
from kconnect_workers.stores.topic_writer import write_entries

_logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_BROKER_SECONDS = 30.0


class TopicLogs:
    """The entry logs of a worker. `client_props` are Java client settings, `bootstrap.servers` among them.

    Belongs to one event loop; the TopicReader to a thread, which passes on to the loop what it reads.
    """

    def __init__(self, client_props: Mapping[str, str]) -> None:
        self._props = dict(client_props)
        self._unread: queue.SimpleQueue[dict[Place, int]] = queue.SimpleQueue()
        self._admin: AdminClient | None = None
        self._producer: Producer | None = None
        self._reader: threading.Thread | None = None
        self._stopping = threading.Event()
        self._applies: dict[str, Apply] = {}
        self._positions: dict[Place, int] = {}
        self._applied: dict[str, int] = {}
        self._waiters: list[tuple[Mapping[Place, int], asyncio.Future[None]]] = []

    def opener(self, topic: str) -> Callable[[Apply], PositionedLog]:
        """What a store opens its log with."""
        return lambda apply: _TopicLog(self, topic, apply)

    def leader_log(self, topic: str, transactional_id: str) -> TopicLeaderLog:
        """A LeaderLog over `topic`, whose leaders fence each other by `transactional_id`."""
        return TopicLeaderLog(self, topic, LeaderWriter(self._props, transactional_id))

    async def prepare(self, topics: Sequence[InternalTopic]) -> None:
        """Create those that do not exist, and look at those that do: see `prepare_topics`."""
        await asyncio.to_thread(prepare_topics, self._open_admin(), topics)

    def position(self, topic: str) -> int:
        """Behind the last entry that was applied of a topic of one partition, -1 before the first."""
        return self._applied.get(topic, -1)

    async def stop(self) -> None:
        """Logs end with what they have read. May be called twice."""
        if self._reader is not None:
            self._stopping.set()
            self._unread.put({})
            await asyncio.to_thread(self._reader.join)
        for _, waiter in self._waiters:
            waiter.cancel()

    async def follow(self, topic: str, apply: Apply) -> None:
        """Apply what is in `topic`, and all that comes; returns when what is there now has been applied."""
        self._applies[topic] = apply
        ends = await self._ends(topic)
        self._start_reader()
        self._unread.put(dict.fromkeys(ends, 0))
        await self.reached(ends)

    async def read_to_end(self, topic: str) -> None:
        await self.reached(await self._ends(topic))

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Returns when every entry is acknowledged by the broker and applied here."""
        if not entries:
            return
        ends = await asyncio.to_thread(write_entries, self._open_producer(), topic, entries, _BROKER_SECONDS)
        await self.reached(ends)

    async def _ends(self, topic: str) -> Mapping[Place, int]:
        try:
            ends = await asyncio.to_thread(ends_of, self._open_admin(), topic, _BROKER_SECONDS)
        except KafkaException as e:
            raise ConnectError(f"topic {topic} cannot be read: {e.args[0].str()}") from e
        if not ends:
            raise ConnectError(f"topic {topic} cannot be read: it does not exist any more")
        return ends

    async def reached(self, ends: Mapping[Place, int]) -> None:
        """Returns when everything before `ends` has been applied."""
        if have_reached(self._positions, ends):
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

    def _start_reader(self) -> None:
        if self._reader is None:
            consumer = kafka.consumer(
                {
                    **known(self._props, "consumer"),
                    "group.id": "kconnect-worker",  # needed to assign by hand; nothing is committed
                    **READING,
                    **QUIET,
                },
                logger=_logger,
            )
            work = (TopicReader(consumer), asyncio.get_running_loop())
            self._reader = threading.Thread(target=self._read, args=work, name="topic-logs", daemon=True)
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

    def _read(self, reader: TopicReader, loop: asyncio.AbstractEventLoop) -> None:
        """The reader's thread. It goes on whatever the reader says: who waits for it does so for a limited time."""
        reading = False
        while not self._stopping.is_set():
            try:
                if not reading or not self._unread.empty():
                    reader.begin(self._unread.get())
                    reading = True
                    continue
                read = reader.poll(_POLL_SECONDS)
                if read.positions or read.errors:
                    loop.call_soon_threadsafe(self._deliver, read)
            except KafkaException as e:
                _logger.error("the worker's topics cannot be read for now: %s", e.args[0])
                self._stopping.wait(_POLL_SECONDS)
        reader.close()

    def _deliver(self, read: Read) -> None:
        for error in read.errors:
            _logger.warning("the worker's topics: %s", error.str())
        for entry in read.entries:
            self._applied[entry.topic] = entry.offset + 1
            self._apply(entry.topic, entry.key, entry.value)
        self._positions |= read.positions
        for ends, waiter in self._waiters:
            if not waiter.done() and have_reached(self._positions, ends):
                waiter.set_result(None)

    def _apply(self, topic: str, key: bytes, value: bytes | None) -> None:
        try:
            self._applies[topic](key, value)
        except Exception:
            # One record of whatever origin must not keep those after it from being seen.
            _logger.exception("the record %r of topic %s is passed over", key, topic)


class _TopicLog:
    """One topic as a PositionedLog."""

    def __init__(self, logs: TopicLogs, topic: str, apply: Apply) -> None:
        self._logs = logs
        self._topic = topic
        self._apply = apply

    @property
    def position(self) -> int:
        return self._logs.position(self._topic)

    async def start(self) -> None:
        await self._logs.follow(self._topic, self._apply)

    async def append(self, entries: Sequence[Entry]) -> None:
        await self._logs.append(self._topic, entries)

    async def read_to_end(self) -> None:
        await self._logs.read_to_end(self._topic)

    async def stop(self) -> None:
        """The reader is shared: `TopicLogs.stop` ends it."""


class TopicLeaderLog:
    """The config topic as its leader writes it."""

    def __init__(self, logs: TopicLogs, topic: str, writer: LeaderWriter) -> None:
        self._logs = logs
        self._topic = topic
        self._writer = writer
        self._writing = asyncio.Lock()

    @property
    def is_claimed(self) -> bool:
        return self._writer.is_claimed

    async def claim(self) -> None:
        """ConnectError when it is not had in time."""
        async with self._writing:
            await asyncio.to_thread(self._writer.claim, _BROKER_SECONDS)

    async def append(self, entries: Sequence[Entry]) -> None:
        async with self._writing:
            ends = await asyncio.to_thread(self._writer.write, self._topic, entries, _BROKER_SECONDS)
        await self._logs.reached(ends)

    async def stop(self) -> None:
        self._writer.relinquish()
