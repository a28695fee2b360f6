"""The stream source's task: one consumer of the group."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

from kconnect import RetriableError, SchemaBuilder, SourceRecord, SourceTask
from kconnect.record import SourceOffset, SourcePartition
from kconnect.schema import STRING_SCHEMA
from kconnect_redis.config import RedisStreamSourceConfig
from kconnect_redis.decoding import TextDecoder
from kconnect_redis.deployment import deployment_of
from kconnect_redis.stream_group import OFFSET, PARTITION, Entry, NoGroupError, StreamGroup, position

TASK_ID: Final = "task.id"
TASK_COUNT: Final = "task.count"
VALUE_SCHEMA: Final = (
    SchemaBuilder.struct()
    .name("com.redis.kafka.connect.stream.Value")
    .field("id", STRING_SCHEMA)
    .field("body", SchemaBuilder.map(STRING_SCHEMA, STRING_SCHEMA).build())
    .field("stream", STRING_SCHEMA)
    .build()
)

log = logging.getLogger(__name__)


class RedisStreamSourceTask(SourceTask[RedisStreamSourceConfig]):
    """Entries that it took and did not acknowledge come first after a start, then new ones, and now and then what other
    consumers have abandoned.

    At least once: an entry is acknowledged (XACK) when the offset of its record is stored, and so the record. At most
    once: Redis counts it as done when it is handed out.
    """

    disposable_values = True

    def start(self, config: RedisStreamSourceConfig) -> None:
        number = self.context.configs.get(TASK_ID, "0")
        self._using = threading.Lock()
        self._config = config
        self._topic = config.topic.replace("${stream}", config.stream)
        self._consumer = config.consumer_name.replace("${task}", number)
        self._redis = deployment_of(config)
        self._text = TextDecoder(config.charset, f"the stream {config.stream}")
        self._at_least_once = config.delivery == "at-least-once"
        self._recovering: str | None = "0-0" if self._at_least_once else None
        """Behind which id what is pending is read again; None when all of it was."""
        self._cursor = "0-0"
        self._next_claim = 0.0
        self._unstored: deque[str] = deque()
        """Entries handed over, in that order, whose offsets are not known to be stored."""
        self._acknowledgeable: list[str] = []
        self._there = False

    def poll(self) -> list[SourceRecord] | None:
        with self._using:
            try:
                return self._records(self._entries(self._group()))
            except NoGroupError as error:
                log.warning("%s; it is made anew", error)
                self._there = False
            except RetriableError:
                # An answer may be lost: then its entries are pending.
                self._recovering = "0-0" if self._at_least_once else None
                raise
            return None

    def commit_offsets(self, offsets: Collection[tuple[SourcePartition, SourceOffset]]) -> None:
        """What was handed over up to there is in the log for good."""
        for _, offset in offsets:
            if offset[OFFSET] in self._unstored:
                while (stored := self._unstored.popleft()) != offset[OFFSET]:
                    self._acknowledgeable.append(stored)
                self._acknowledgeable.append(stored)

    def commit(self) -> None:
        """What cannot be acknowledged now is the next time."""
        if not self._acknowledgeable:
            return
        try:
            with self._using:
                self._group().acknowledge(self._acknowledgeable)
        except NoGroupError:
            pass  # there is nothing to acknowledge any more
        except RetriableError as error:
            log.warning("%d entries are not acknowledged yet: %s", len(self._acknowledgeable), error)
            return
        self._acknowledgeable = []

    def stop(self) -> None:
        """A poll in progress ends by itself, within `redis.stream.block`; what is not in use is closed."""
        if hasattr(self, "_using") and self._using.acquire(blocking=False):
            try:
                self._redis.close()
            finally:
                self._using.release()

    def _group(self) -> StreamGroup:
        """On the server that has the stream now."""
        group = StreamGroup(self._config, self._redis.link_of(self._config.stream), self._consumer)
        if not self._there:
            begin = self._begin()
            if group.create(begin):
                log.info("made the group %s of %s, behind %s", self._config.consumer_group, self._config.stream, begin)
            self._there = True
        return group

    def _begin(self) -> str:
        """Where a new group begins. An offset is the last of one task's: it says nothing of what the others have."""
        alone = self.context.configs.get(TASK_COUNT, "1") == "1"
        stored = position(self.context.offset_storage_reader.offset(PARTITION)) if alone else None
        return stored or self._config.begin

    def _entries(self, group: StreamGroup) -> Sequence[Entry]:
        count = self._config.batch_size
        if self._recovering is not None:
            entries = group.pending(count, self._recovering)
            self._recovering = entries[-1].id if entries else None
            if entries:
                return self._present(group, self._not_ours(entries))
        if self._at_least_once and self._config.claim_idle_ms and time.monotonic() >= self._next_claim:
            claimed = self._claimed(group, count)
            if claimed:
                return claimed
        return group.new(count)

    def _claimed(self, group: StreamGroup, count: int) -> list[Entry]:
        """Some of what is abandoned."""
        self._cursor, entries = group.claim(count, self._config.claim_idle_ms, self._cursor)
        if self._cursor == "0-0":
            self._next_claim = time.monotonic() + self._config.claim_idle_ms / 2000
        taken = self._present(group, self._not_ours(entries))
        if taken:
            log.info("took over %d abandoned entries of %s", len(taken), self._config.stream)
        return taken

    def _not_ours(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that this task has not handed over already, to wait for their offsets."""
        ours = {*self._unstored, *self._acknowledgeable}
        return [entry for entry in entries if entry.id not in ours]

    def _present(self, group: StreamGroup, entries: Sequence[Entry]) -> list[Entry]:
        """Those that are still in the stream; the others are done with."""
        gone = [entry.id for entry in entries if entry.fields is None]
        if gone:
            log.warning("%d entries were deleted before they were read, from %s on", len(gone), gone[0])
            group.acknowledge(gone)
        return [entry for entry in entries if entry.fields is not None]

    def _records(self, entries: Sequence[Entry]) -> list[SourceRecord]:
        texts, stream, topic = self._text.all, self._config.stream, self._topic
        records = []
        for entry_id, data in entries:
            fields = iter(texts(data or ()))
            value = {"id": entry_id, "body": dict(zip(fields, fields, strict=True)), "stream": stream}
            offset = {OFFSET: entry_id}
            records.append(SourceRecord(PARTITION, offset, topic, None, STRING_SCHEMA, entry_id, VALUE_SCHEMA, value))
        if self._at_least_once:
            self._unstored.extend(entry.id for entry in entries)
        return records
