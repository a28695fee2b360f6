"""Commits of a group's offsets that take no longer than they may."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException

from kconnect.record import TopicPartition


class OffsetCommitter:
    """librdkafka waits for an absent coordinator as long as a session lasts, and for an answer a minute, and does not
    let itself be told otherwise: it waits in a thread of its own. One commit is under way at a time. `metadata` gives
    what is committed beside the offsets of a topic."""

    def __init__(
        self, consumer: Consumer, timeout_s: float, metadata: Callable[[str], str] = lambda _topic: ""
    ) -> None:
        self._consumer = consumer
        self._timeout_s = timeout_s
        self._metadata = metadata
        self._commit: _Commit | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a commit that was given up still uses the consumer, which must not be closed then."""
        return self._commit is not None and self._commit.is_alive()

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Returns when they are committed. KafkaException when they are not, or not within the time: they may be even
        so, later."""
        deadline = time.monotonic() + self._timeout_s
        if self._commit is not None:
            self._await(self._commit, deadline)
        self._commit = _Commit(
            self._consumer,
            [
                confluent_kafka.TopicPartition(*partition, offset, metadata=self._metadata(partition.topic))
                for partition, offset in offsets.items()
            ],
        )
        self._commit.start()
        self._await(self._commit, deadline)
        if self._commit.error is not None:
            raise self._commit.error

    def _await(self, commit: _Commit, deadline: float) -> None:
        commit.join(max(0.0, deadline - time.monotonic()))
        if commit.is_alive():
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no answer within {self._timeout_s:g} s"))


class _Commit(threading.Thread):
    def __init__(self, consumer: Consumer, offsets: list[confluent_kafka.TopicPartition]) -> None:
        super().__init__(name="committer", daemon=True)
        self._consumer = consumer
        self._offsets = offsets
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            done = self._consumer.commit(offsets=self._offsets, asynchronous=False)
        except Exception as e:
            self.error = e
            return
        refused = next((partition.error for partition in done or () if partition.error is not None), None)
        self.error = None if refused is None else KafkaException(refused)
