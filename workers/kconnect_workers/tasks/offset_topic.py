"""The offsets topic, as a task reads and writes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from kconnect.errors import ConnectError
from kconnect_workers.stores.entry_log import Apply, Entry
from kconnect_workers.stores.topic_reader import Place, TopicReader, ends_of, have_reached
from kconnect_workers.stores.topic_writer import write_entries

_READ_TIMEOUT_S = 60.0
_POLL_S = 0.5


class OffsetTopic:
    """An OffsetLog. Its clients are made when they are needed; the consumer has to be set to `topic_reader.READING`.

    `prepare`, if given, is called before the topic is used: it may create it."""

    def __init__(
        self,
        topic: str,
        *,
        make_producer: Callable[[], Producer],
        make_consumer: Callable[[], Consumer],
        make_admin: Callable[[], AdminClient],
        prepare: Callable[[AdminClient], None] | None = None,
    ) -> None:
        self._topic = topic
        self._make_producer = make_producer
        self._make_consumer = make_consumer
        self._make_admin = make_admin
        self._prepare = prepare
        self._producer: Producer | None = None
        self._reader: TopicReader | None = None
        self._admin: AdminClient | None = None
        self._positions: dict[Place, int] = {}

    def read(self, apply: Apply) -> None:
        """A topic that does not exist yet holds nothing."""
        try:
            self._read(apply, time.monotonic() + _READ_TIMEOUT_S)
        except KafkaException as e:
            raise ConnectError(f"the offsets topic {self._topic} cannot be read: {e.args[0].str()}") from e

    def _read(self, apply: Apply, deadline: float) -> None:
        if self._admin is None:
            self._admin = self._make_admin()
        if self._prepare is not None:
            self._prepare(self._admin)
            self._prepare = None
        ends = ends_of(self._admin, self._topic, _READ_TIMEOUT_S)
        if have_reached(self._positions, ends):
            return
        reader = self._reading(ends.keys() - self._positions.keys())
        while not have_reached(self._positions, ends):
            if time.monotonic() > deadline:
                raise ConnectError(
                    f"the offsets topic {self._topic} could not be read to its end within {_READ_TIMEOUT_S:g} s"
                )
            read = reader.poll(_POLL_S)
            for entry in read.entries:
                apply(entry.key, entry.value)
            self._positions |= read.positions
            if read.errors:
                raise KafkaException(read.errors[0])

    def _reading(self, new: set[Place]) -> TopicReader:
        """The reader, of `new` partitions too."""
        self._positions |= dict.fromkeys(new, 0)
        if self._reader is None:
            self._reader = TopicReader(self._make_consumer())
            self._reader.begin(self._positions)
        else:
            self._reader.begin(dict.fromkeys(new, 0))
        return self._reader

    def write(self, entries: Sequence[Entry], timeout_s: float) -> None:
        if self._producer is None:
            self._producer = self._make_producer()
        write_entries(self._producer, self._topic, entries, timeout_s)

    def idle(self) -> None:
        self._admin = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def close(self) -> None:
        self.idle()
