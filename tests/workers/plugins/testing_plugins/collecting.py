"""A sink that writes down what it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kconnect.columnar import ColumnarRecords
from kconnect.config import Config, key
from kconnect.errors import DataError, RetriableError
from kconnect.record import SinkRecord, TopicPartition
from kconnect.sink import Offsets, SinkConnector, SinkTask


class CollectingConfig(Config):
    journal: str = key(doc="File that gets a line of JSON for every call and record.")
    retry_at: int = key(default=-1, doc="Offset at which put raises RetriableError, before anything is written.")
    retries: int = key(default=2, doc="How often.")
    retry_ms: int = key(default=0, doc="What to ask as the time between, 0 for nothing.")
    rewind_at: int = key(default=-1, doc="Offset after which to go back to the partition's beginning, once.")
    errant_at: int = key(default=-1, doc="Offset of a record to report as bad.")
    errant_late: bool = key(default=False, doc="Report it when offsets are about to be committed.")
    begin_at: int = key(default=-1, doc="Offset to ask for when partitions are opened.")
    commit_at: int = key(default=-1, doc="Offset after which to ask for a commit.")
    pause_at: int = key(default=-1, doc="Offset after which to pause its partition, for good.")
    tell_logs: bool = key(default=False, doc="Whether to note which logs partitions are, when they are opened.")
    hold_back: int = key(default=0, doc="How many offsets less than put to let be committed.")


class CollectingTask(SinkTask[CollectingConfig]):
    def start(self, config: CollectingConfig) -> None:
        self._config = config
        self._journal = Path(config.journal)
        self._retries_left = config.retries
        self._rewound = False
        self._errant: list[SinkRecord] = []
        self._note("start")

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        self._note("open", partitions=[str(p) for p in partitions])
        if self._config.tell_logs:
            for partition in partitions:
                self._note("log", **self.context.partition_log(partition)._asdict())
        if self._config.begin_at >= 0:
            self.context.offset(dict.fromkeys(partitions, self._config.begin_at))

    def put(self, records: Sequence[SinkRecord]) -> None:
        config = self._config
        if not records:
            self._note("idle")
        offsets = {record.offset for record in records}
        if config.retry_at in offsets and self._retries_left:
            self._retries_left -= 1
            if config.retry_ms:
                self.context.timeout(config.retry_ms)
            self._note("retry", offsets=[record.offset for record in records])
            raise RetriableError("not now")
        for record in records:
            if record.offset == config.errant_at:
                self._errant.append(record)
                continue
            place = [record.topic, record.partition, record.offset]
            self._note("put", place=place, key=record.key, value=record.value)
        if not config.errant_late:
            self._report_errant()
        partitions = {TopicPartition(record.original_topic, record.original_partition) for record in records}
        if config.rewind_at in offsets and not self._rewound:
            self._rewound = True
            self.context.offset(dict.fromkeys(partitions, 0))
        if config.commit_at in offsets:
            self.context.request_commit()
        if config.pause_at in offsets:
            self.context.pause(*partitions)

    def pre_commit(self, offsets: Offsets) -> Offsets:
        self._report_errant()
        self.flush(offsets)
        return {p: max(0, offset - self._config.hold_back) for p, offset in offsets.items()}

    def _report_errant(self) -> None:
        reporter = self.context.errant_record_reporter
        while reporter is not None and self._errant:
            reporter.report(self._errant.pop(), DataError("bad from the first, says password=open-sesame"))

    def flush(self, offsets: Offsets) -> None:
        self._note("flush", offsets={str(p): offset for p, offset in offsets.items()})

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        self._note("close", partitions=[str(p) for p in partitions])

    def stop(self) -> None:
        self._note("stop")

    def _note(self, what: str, **more: object) -> None:
        with self._journal.open("a") as file:
            file.write(json.dumps({"call": what, **more}) + "\n")


class ColumnarTask(CollectingTask):
    columnar = True

    def put(self, records: Sequence[SinkRecord]) -> None:
        if isinstance(records, ColumnarRecords):
            self._note("columns", offsets=list(records.offsets))
        super().put(records)


class CollectingSink(SinkConnector[CollectingConfig]):
    task = CollectingTask


class ColumnarSink(SinkConnector[CollectingConfig]):
    """Takes columns, too."""

    task = ColumnarTask
