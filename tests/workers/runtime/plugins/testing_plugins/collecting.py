"""A sink that writes down what it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kconnect.config import Config, key
from kconnect.record import SinkRecord, TopicPartition
from kconnect.sink import Offsets, SinkConnector, SinkTask


class CollectingConfig(Config):
    journal: str = key(doc="File that gets a line of JSON for every call and record.")


class CollectingTask(SinkTask[CollectingConfig]):
    def start(self, config: CollectingConfig) -> None:
        self._journal = Path(config.journal)
        self._note("start")

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        self._note("open", partitions=[str(p) for p in partitions])

    def put(self, records: Sequence[SinkRecord]) -> None:
        for record in records:
            place = [record.topic, record.partition, record.offset]
            self._note("put", place=place, key=record.key, value=record.value)

    def flush(self, offsets: Offsets) -> None:
        self._note("flush", offsets={str(p): offset for p, offset in offsets.items()})

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        self._note("close", partitions=[str(p) for p in partitions])

    def stop(self) -> None:
        self._note("stop")

    def _note(self, what: str, **more: object) -> None:
        with self._journal.open("a") as file:
            file.write(json.dumps({"call": what, **more}) + "\n")


class CollectingSink(SinkConnector[CollectingConfig]):
    task = CollectingTask
