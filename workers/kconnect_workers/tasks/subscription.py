"""Which topics a sink reads: those it lists, or those whose names match, as they come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from kconnect.java_regex import JavaPattern
from kconnect_workers.tasks.sink_consumer import SinkConsumer

_INTERNAL = frozenset({"__consumer_offsets", "__transaction_state"})
_LOOK_INTERVAL_S = 10.0
_METADATA_TIMEOUT_S = 10.0


class ListedTopics:
    """`topics`."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics: Sequence[str] | None = topics

    def changed(self, consumer: SinkConsumer) -> Sequence[str] | None:
        topics, self._topics = self._topics, None
        return topics


class MatchingTopics:
    """`topics.regex`: matched by us, as Java matches, and looked at again every few seconds."""

    def __init__(self, regex: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._pattern = JavaPattern(regex)
        self._clock = clock
        self._next_look = clock()
        self._subscribed: list[str] | None = None

    def changed(self, consumer: SinkConsumer) -> Sequence[str] | None:
        if self._clock() < self._next_look:
            return None
        self._next_look = self._clock() + _LOOK_INTERVAL_S
        topics = sorted(
            topic
            for topic in consumer.topics(_METADATA_TIMEOUT_S)
            if topic not in _INTERNAL and self._pattern.matches(topic)
        )
        if topics == self._subscribed or not (topics or self._subscribed):
            return None
        self._subscribed = topics
        return topics
