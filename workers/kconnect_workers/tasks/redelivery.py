"""A batch whose `put` raised RetriableError, until it is put."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from kconnect.record import TopicPartition
from kconnect_workers.tasks.record_decoder import SinkBatch

_FIRST_DELAY_S = 0.3
_LAST_DELAY_S = 60.0


class Redelivery:
    """Nothing more is read while there is a `batch`. Delays grow from one failure to the next, until a put succeeds.
    `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._delay_s = _FIRST_DELAY_S
        self.batch: SinkBatch | None = None
        self.due_at = 0.0

    @property
    def is_due(self) -> bool:
        return self.batch is not None and self._clock() >= self.due_at

    def schedule(self, batch: SinkBatch, delay_s: float | None) -> float:
        """Have `batch` put again after as many seconds as the plugin wants, or as it is our turn to choose. Returns
        how many."""
        if delay_s is None:
            delay_s = self._delay_s
            self._delay_s = min(self._delay_s * 2, _LAST_DELAY_S)
        self.batch = batch
        self.due_at = self._clock() + delay_s
        return delay_s

    def append(self, batch: SinkBatch) -> None:
        """This was read before everything was paused, and is put with what waits."""
        waiting = self.batch or SinkBatch([], {})
        self.batch = SinkBatch([*waiting.records, *batch.records], {**waiting.offsets, **batch.offsets})

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """What waits of these partitions is read again, or not ours any more."""
        if self.batch is not None:
            self.batch = self.batch.without(partitions)

    def done(self) -> None:
        """A put has succeeded."""
        self.batch = None
        self._delay_s = _FIRST_DELAY_S
