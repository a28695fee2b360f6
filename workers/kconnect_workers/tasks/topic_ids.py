"""Which topics a sink task reads: one that was deleted and made anew has its old name, and another id (KIP-516)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from kconnect.errors import ConnectError

log = logging.getLogger(__name__)

_LOOK_INTERVAL_S = 10.0
_ASSIGNED_TIMEOUT_S = 5.0
_METADATA = "topic-id="

AskTopicIds = Callable[[Sequence[str]], Mapping[str, str]]


class Renewal(NamedTuple):
    """A topic that was made anew while it was read, with its ids."""

    topic: str
    old_id: str
    new_id: str


class TopicIds:
    """Belongs to the task's thread. `ask` gives the ids of those topics that have one, in a thread of its own: brokers
    that are away hold nothing up, but for the few seconds that an assignment waits. What cannot be learned is learned
    the next time; where there are no ids, before Apache Kafka 2.8, nothing is found."""

    def __init__(self, ask: AskTopicIds, *, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._interval_s = min(interval_s, _LOOK_INTERVAL_S)
        self._clock = clock
        self._next_look = 0.0
        self._look: _Look | None = None
        self._ids: dict[str, str] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is being asked."""
        return self._look is None

    def assigned(self, topics: Collection[str]) -> None:
        """Partitions of these have come. Ids that are known already stay: how they change is told by `renewed`."""
        unknown = sorted(set(topics) - self._ids.keys())
        if unknown:
            look = _Look(self._ask, unknown)
            look.start()
            look.join(_ASSIGNED_TIMEOUT_S)
            self._ids = {**look.found, **self._ids}

    def revoked(self, left: Collection[str]) -> None:
        """No more than these are read now."""
        self._ids = {topic: known for topic, known in self._ids.items() if topic in left}

    def renewed(self, topics: Collection[str]) -> list[Renewal]:
        """Which of these were made anew since this was last told. Cheap: asks now and then, and tells later."""
        look = self._look
        if look is None:
            if topics and self._clock() >= self._next_look:
                self._look = _Look(self._ask, sorted(topics))
                self._look.start()
            return []
        if look.is_alive():
            return []
        self._look, self._next_look = None, self._clock() + self._interval_s
        found = {topic: new for topic, new in look.found.items() if topic in topics}
        before = self._ids
        self._ids = before | found
        return [Renewal(topic, before[topic], new) for topic, new in found.items() if before.get(topic, new) != new]

    def metadata(self, topic: str) -> str:
        """What is committed with offsets, to tell by it which topic they count in."""
        known = self._ids.get(topic)
        return "" if known is None else _METADATA + known

    def outdated(self, topic: str, metadata: str | None) -> Renewal | None:
        """Set when what was committed with `metadata` counts in an earlier topic of this name."""
        known = self._ids.get(topic)
        if known is None or not metadata or not metadata.startswith(_METADATA):
            return None
        old = metadata.removeprefix(_METADATA)
        return None if old == known else Renewal(topic, old, known)


class _Look(threading.Thread):
    def __init__(self, ask: AskTopicIds, topics: Sequence[str]) -> None:
        super().__init__(name="topic-ids", daemon=True)
        self._ask = ask
        self._topics = topics
        self.found: Mapping[str, str] = {}

    def run(self) -> None:
        try:
            self.found = self._ask(self._topics)
        except ConnectError as e:
            log.debug("The ids of %s are not known: %s", ", ".join(self._topics), e)
