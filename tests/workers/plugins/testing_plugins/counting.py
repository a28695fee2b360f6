"""A source that counts."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

from confluent_kafka import Message

from kconnect.config import Config, key
from kconnect.record import RowBatch, SourceOffset, SourcePartition, SourceRecord
from kconnect.schema import INT64_SCHEMA
from kconnect.schema_builder import SchemaBuilder
from kconnect.source import SourceConnector, SourceTask


class CountingConfig(Config):
    topic: str = key(doc="Where to.")
    limit: int = key(default=1000, doc="How far.")
    batch: int = key(default=100, doc="Records per poll.")
    streams: int = key(default=1, doc="Source partitions, taken in turn.")
    pause_ms: int = key(default=0, doc="Wait in each poll.")
    unfit_at: int = key(default=-1, doc="Number whose value no converter takes.")
    unstorable_at: int = key(default=-1, doc="Number whose offset JSON does not carry.")
    lost_stream: int = key(default=-1, doc="Stream whose records go to partition 7, which nobody has.")
    commit_at: int = key(default=-1, doc="Number at whose acknowledgement a commit is asked for.")
    commit_every: int = key(default=10, doc="How many records a transaction of the connector's own has.")
    abort_at: int = key(default=-1, doc="Number whose transaction is aborted.")
    by_poll: bool = key(default=False, doc="Whether transactions end with polls, and not behind records.")
    commit_file: str | None = key(default=None, doc="Gets a line for every commit.")


_ROW = SchemaBuilder.struct().field("stream", INT64_SCHEMA).field("n", INT64_SCHEMA).build()


class CountingTask(SourceTask[CountingConfig]):
    """Record n of stream s has the value `{"stream": s, "n": n}` and the key s; each poll serves one stream."""

    def start(self, config: CountingConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._turn = 0
        partitions = [{"stream": s} for s in range(config.streams)]
        found = self.context.offset_storage_reader.offsets(partitions)
        self._next = [0 if offset is None else offset["n"] + 1 for offset in found]

    def poll(self) -> list[SourceRecord] | None:
        config = self._config
        self._stopping.wait(config.pause_ms / 1000)
        stream = self._turn = (self._turn + 1) % config.streams
        first = self._next[stream]
        last = min(config.limit, first + config.batch)
        self._next[stream] = last
        partition = {"stream": stream}
        return [
            SourceRecord(
                partition,
                {"n": object() if n == config.unstorable_at else n},
                config.topic,
                7 if stream == config.lost_stream else None,
                key=str(stream),
                value=object() if n == config.unfit_at else {"stream": stream, "n": n},
            )
            for n in range(first, last)
        ]

    def commit(self) -> None:
        self._note("commit")

    def _note(self, line: str) -> None:
        if self._config.commit_file is not None:
            with Path(self._config.commit_file).open("a") as file:
                file.write(f"{line}\n")

    def stop(self) -> None:
        self._stopping.set()


class RowsTask(CountingTask):
    """Gives rows rather than records."""

    def poll(self) -> RowBatch | None:  # type: ignore[override]  # the contract has either
        records = super().poll()
        if not records:
            return None
        partition, offsets = records[0].source_partition or {}, [record.source_offset or {} for record in records]
        rows = [(record.value["stream"], record.value["n"]) for record in records]
        return RowBatch(self._config.topic, _ROW, rows, partition, offsets)


class RowsSource(SourceConnector[CountingConfig]):
    task = RowsTask


class TellingTask(CountingTask):
    """Wants to hear of every record."""

    def commit_record(self, record: SourceRecord, metadata: Message | None) -> None:
        if (record.source_offset or {})["n"] == self._config.commit_at:
            self.context.request_commit()
        self._note("dropped" if metadata is None else f"{metadata.topic()} {metadata.offset()}")

    def commit_offsets(self, offsets: Collection[tuple[SourcePartition, SourceOffset]]) -> None:
        for partition, offset in offsets:
            self._note(f"stored {dict(partition)} {dict(offset)}")


class TellingSource(SourceConnector[CountingConfig]):
    task = TellingTask


class CountingSource(SourceConnector[CountingConfig]):
    task = CountingTask
