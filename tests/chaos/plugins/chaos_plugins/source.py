"""A source of numbered records that writes down what it hands over and what is acknowledged."""

from __future__ import annotations

import os
import threading

from confluent_kafka import Message

from chaos_plugins.journal import Doom, Journal
from kconnect.config import Config, key
from kconnect.record import Header, SourceRecord
from kconnect.source import SourceConnector, SourceTask


class LedgerConfig(Config):
    topic: str = key(doc="Where to.")
    journal: str = key(doc="File that gets a line of JSON for everything that happens.")
    limit: int = key(default=1000, doc="Records per stream.")
    streams: int = key(default=1, doc="Source partitions, which take turns.")
    batch: int = key(default=50, doc="Records per poll.")
    first_batch: int = key(default=0, doc="The same for stream 0, when it differs.")
    pause_ms: int = key(default=0, doc="Wait in each poll.")
    padding: int = key(default=0, doc="Bytes behind each id.")
    drop_every: int = key(default=0, doc="Every so manieth record has the header `drop`.")
    rare_every: int = key(default=0, doc="Of stream 0 every so manieth goes to partition 0, all others to 1.")
    kills: str = key(default="", doc="Per life, place@count.")


class LedgerTask(SourceTask[LedgerConfig]):
    """Record n of stream s has the key `s` (rare ones: `rare`) and the value `s:n`.

    It kills itself at `polled` (of count records, those of the last poll are on their way at most), at `acknowledged`
    (count records are, and their offsets may not be stored) or at `commits` (count rounds of storing offsets after the
    first acknowledgement).
    """

    def start(self, config: LedgerConfig) -> None:
        self._config = config
        self._journal = Journal(config.journal)
        self._doom = Doom(config.kills, self._journal.life)
        self._stopping = threading.Event()
        self._turn = self._polled = self._acknowledged = self._commits = 0
        found = self.context.offset_storage_reader.offsets([{"stream": s} for s in range(config.streams)])
        self._next = [0 if offset is None else int(offset["n"]) + 1 for offset in found]
        self._journal.note("start", pid=os.getpid(), next=self._next)

    def poll(self) -> list[SourceRecord] | None:
        config = self._config
        self._doom.reached("polled", self._polled)
        self._stopping.wait(config.pause_ms / 1000)
        stream = self._turn = (self._turn + 1) % config.streams
        first = self._next[stream]
        last = self._next[stream] = min(config.limit, first + self._batch(stream))
        if last == first:
            return None
        self._polled += last - first
        self._journal.note("poll", stream=stream, first=first, last=last)
        return [self._record(stream, n) for n in range(first, last)]

    def _batch(self, stream: int) -> int:
        return self._config.first_batch or self._config.batch if stream == 0 else self._config.batch

    def _record(self, stream: int, n: int) -> SourceRecord:
        config = self._config
        rare = stream == 0 and config.rare_every and n % config.rare_every == 0
        return SourceRecord(
            {"stream": stream},
            {"n": n},
            config.topic,
            None if not config.rare_every else 0 if rare else 1,
            key="rare" if rare else str(stream),
            value=f"{stream}:{n}".ljust(config.padding),
            headers=(Header("drop", None, ""),) if config.drop_every and n % config.drop_every == 0 else (),
        )

    def commit_record(self, record: SourceRecord, metadata: Message | None) -> None:
        if metadata is None:
            return
        assert record.source_partition is not None
        assert record.source_offset is not None
        self._journal.note("acknowledged", stream=record.source_partition["stream"], n=record.source_offset["n"])
        self._acknowledged += 1
        self._doom.reached("acknowledged", self._acknowledged)

    def commit(self) -> None:
        if self._acknowledged:
            self._commits += 1
            self._doom.reached("commits", self._commits)

    def stop(self) -> None:
        self._stopping.set()


class LedgerSource(SourceConnector[LedgerConfig]):
    task = LedgerTask

    def start(self, config: LedgerConfig) -> None:
        Journal(config.journal).note("connector", pid=os.getpid())
