"""Which topics a sink reads: those it lists, or those whose names match, as they come and go."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from confluent_kafka import KafkaException

from kconnect.java_regex import JavaPattern
from kconnect.validators import nearest

log = logging.getLogger(__name__)

_INTERNAL = frozenset({"__consumer_offsets", "__transaction_state"})
_LOOK_INTERVAL_S = 10.0
_ABSENT_INTERVAL_S = 5.0
_METADATA_TIMEOUT_S = 5.0


class Topics(Protocol):
    """The topics of a cluster. Methods raise KafkaException where it does not answer within the seconds given."""

    def topics(self, timeout_s: float) -> Collection[str]:
        """Every topic that there is."""
        ...

    def is_empty(self, topic: str, timeout_s: float) -> bool:
        """Whether nothing was ever written to a topic."""
        ...


class ListedTopics:
    """`topics`. Those that are not there as it begins are told of: a name may be mistaken, and a log that makes topics
    as soon as they are asked for hides that.

    `waits_for` says what is waited for, if anything is, for a person."""

    def __init__(self, topics: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._topics = topics
        self._clock = clock
        self._subscribed = False
        self._absent: list[str] | None = None
        """Topics that were not there and have no record yet; None before it is known."""
        self._next_look = 0.0
        self._told: set[str] = set()
        self.waits_for: str | None = None

    def changed(self, cluster: Topics) -> Sequence[str] | None:
        if self._absent != [] and self._clock() >= self._next_look:
            self._next_look = self._clock() + _ABSENT_INTERVAL_S
            try:
                self._look(cluster)
            except KafkaException as e:
                log.debug("Which topics there are is not known: %s", e.args[0].str())
        first, self._subscribed = not self._subscribed, True
        return self._topics if first else None

    def _look(self, cluster: Topics) -> None:
        there = cluster.topics(_METADATA_TIMEOUT_S)
        if self._absent is None:
            self._absent = [topic for topic in self._topics if topic not in there]
            return
        self._absent = [
            topic for topic in self._absent if topic not in there or cluster.is_empty(topic, _METADATA_TIMEOUT_S)
        ]
        others = [topic for topic in there if topic not in self._topics and topic not in _INTERNAL]
        texts = [text for topic in self._absent if (text := _absence(topic, topic in there, others)) is not None]
        for text in texts:
            if text not in self._told:
                self._told.add(text)
                log.warning("%s", text)
        self.waits_for = "; ".join(texts) or None


class MatchingTopics:
    """`topics.regex`: matched by us, as Java matches, and looked at again every few seconds. `waits_for` as with
    ListedTopics."""

    def __init__(self, regex: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._regex = regex
        self._pattern = JavaPattern(regex)
        self._clock = clock
        self._next_look = clock()
        self._subscribed: list[str] = []
        self._looks_in_vain = 0
        self.waits_for: str | None = None

    def changed(self, cluster: Topics) -> Sequence[str] | None:
        if self._clock() < self._next_look:
            return None
        self._next_look = self._clock() + _LOOK_INTERVAL_S
        try:
            there = cluster.topics(_METADATA_TIMEOUT_S)
        except KafkaException as e:
            log.warning("Which topics match topics.regex is not known, and looked at again: %s", e.args[0].str())
            return None
        topics = sorted(topic for topic in there if topic not in _INTERNAL and self._pattern.matches(topic))
        self._tell(topics)
        if topics == self._subscribed:
            return None
        self._subscribed = topics
        return topics

    def _tell(self, topics: Sequence[str]) -> None:
        self._looks_in_vain = 0 if topics else self._looks_in_vain + 1
        if self._looks_in_vain == 2:  # the second look: sinks may start before what they read
            self.waits_for = f"no topic matches topics.regex={self._regex} yet"
            log.warning("%s", self.waits_for)
        elif topics:
            self.waits_for = None


def _absence(topic: str, made_meanwhile: bool, others: Sequence[str]) -> str | None:
    """What to say of a topic that was not there; None for nothing."""
    suggestion = nearest(topic, others)
    if not made_meanwhile:
        return f"waits for topic {topic}, which does not exist" + (f"; {suggestion}" if suggestion else "")
    if suggestion is None:
        return None
    return f"topic {topic} did not exist when the task started, and is empty; {suggestion}"
