"""The datagen source: generated records at a rate, the same ones again for the same seed."""

from __future__ import annotations

import threading
import time
from random import Random
from typing import Annotated, Literal

from kconnect.config import HIGH, LOW, MEDIUM, Config, Range, TopicName, Type, key
from kconnect.record import SourceRecord
from kconnect.source import SourceConnector, SourceTask
from kconnect_datagen.datasets import DATASETS

MAX_BATCH = 1000


class DatagenConfig(Config):
    topic: Annotated[str, TopicName()] = key(
        name="kafka.topic", importance=HIGH, doc="The topic that the records go to."
    )
    dataset: Literal["orders", "users", "pageviews"] = key(
        name="quickstart", default="orders", importance=HIGH, doc="Which kind of records to make."
    )
    rate: Annotated[float, Range(0.001)] = key(
        default=10.0, importance=MEDIUM, doc="Records per second and task, on average."
    )
    iterations: Annotated[int, Type.LONG] = key(
        default=-1, importance=MEDIUM, doc="How many records each task makes in all; -1 for no end."
    )
    seed: Annotated[int, Type.LONG] = key(
        name="random.seed", default=0, importance=LOW, doc="Another seed makes other records."
    )
    task_number: int = key(
        name="task.number",
        default=0,
        importance=LOW,
        internal=True,
        doc="Set by the connector: which task this is.",
    )


class DatagenSourceTask(SourceTask[DatagenConfig]):
    """Makes record after record. Offsets: `{"task": n}` → `{"iteration": records made}`."""

    disposable_values = True

    def start(self, config: DatagenConfig) -> None:
        self._config = config
        self._dataset = DATASETS[config.dataset]
        key_field = self._dataset.schema.field(self._dataset.key)
        self._key_schema = key_field.schema if key_field is not None else None
        self._stopping = threading.Event()
        self._partition = {"task": config.task_number}
        offset = self.context.offset_storage_reader.offset(self._partition)
        self._made = int((offset or {}).get("iteration", 0))
        self._due = float(self._made)
        self._clock = time.monotonic()

    def poll(self) -> list[SourceRecord] | None:
        config = self._config
        end = self._made + MAX_BATCH if config.iterations < 0 else config.iterations
        if self._made >= end:
            self._stopping.wait(1.0)
            return None
        self._catch_up()
        if self._due < self._made + 1:
            self._stopping.wait(min(1.0, (self._made + 1 - self._due) / config.rate))
            self._catch_up()
        count = min(int(self._due), end, self._made + MAX_BATCH) - self._made
        if count <= 0:
            return None
        records = [self._record(self._made + n) for n in range(count)]
        self._made += count
        return records

    def stop(self) -> None:
        if hasattr(self, "_stopping"):
            self._stopping.set()

    def _catch_up(self) -> None:
        """Add to `due` what the rate allows since the last look, at most one batch ahead."""
        now = time.monotonic()
        self._due = min(self._due + (now - self._clock) * self._config.rate, float(self._made + MAX_BATCH))
        self._clock = now

    def _record(self, number: int) -> SourceRecord:
        dataset = self._dataset
        random = Random(f"{self._config.seed}/{self._config.task_number}/{number}")  # noqa: S311 - made-up data
        value = dataset.make(number, random)
        return SourceRecord(
            self._partition,
            {"iteration": number + 1},
            self._config.topic,
            None,
            self._key_schema,
            value[dataset.key],
            dataset.schema,
            value,
        )


class DatagenSource(SourceConnector[DatagenConfig]):
    task = DatagenSourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{**self.props, "task.number": str(n)} for n in range(max_tasks)]
