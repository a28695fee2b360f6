"""A sink task's consumer: batches, assignments, pauses, positions; in our own words for partitions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException

from kconnect.errors import ConnectError
from kconnect.record import TopicPartition
from kconnect_workers.tasks.consumed_message import ConsumedMessage
from kconnect_workers.tasks.offset_committer import OffsetCommitter
from kconnect_workers.tasks.topic_ids import Renewal, TopicIds

log = logging.getLogger(__name__)

_COMMITTED_TIMEOUT_S = 10.0
_LAG_INTERVAL_S = 1.0
_PASSED_OVER = {KafkaError._PARTITION_EOF}
_FATAL = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.INVALID_GROUP_ID,
    KafkaError.INVALID_SESSION_TIMEOUT,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
}


class RebalanceListener(Protocol):
    """Told of changes of the assignment, within `poll` and `close`, by the task's thread."""

    def on_assigned(self, partitions: Sequence[TopicPartition], committed: Mapping[TopicPartition, int]) -> None:
        """These come in addition, with the group's committed offsets where there are any."""
        ...

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These are about to go; committing is still possible."""
        ...

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """These are someone else's already."""
        ...


class SinkConsumer:
    """Belongs to the task's thread. What the listener raises comes out of the call in which it was told."""

    _listener: RebalanceListener

    def __init__(
        self,
        consumer: Consumer,
        topic_ids: TopicIds,
        *,
        cooperative: bool,
        max_poll_records: int,
        commit_timeout_s: float,
        resets: bool,
    ) -> None:
        """`resets` is false where `auto.offset.reset` leaves it to a user where to begin."""
        self._consumer = consumer
        self._max_poll_records = max_poll_records
        self._committer = OffsetCommitter(consumer, commit_timeout_s, topic_ids.metadata)
        self._topic_ids = topic_ids
        self._resets = resets
        self._cooperative = cooperative
        self._raised: Exception | None = None
        self._assigned: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._rebalances = 0
        self._positions: dict[TopicPartition, int] = {}
        self._lag: int | None = None
        self._lag_at = 0.0
        self._told: set[tuple[str, int]] = set()

    @property
    def member_id(self) -> str | None:
        return self._consumer.memberid() or None

    def subscribe(self, topics: Iterable[str], listener: RebalanceListener) -> None:
        self._listener = listener
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def topics(self, timeout_s: float) -> list[str]:
        """Every topic that there is. KafkaException when nobody answers in time."""
        return list(self._consumer.list_topics(timeout=timeout_s).topics)

    def is_empty(self, topic: str, timeout_s: float) -> bool:
        """Whether nothing was ever written to a topic. KafkaException when nobody answers in time."""
        partitions = self._consumer.list_topics(topic, timeout=timeout_s).topics[topic].partitions
        ends = (
            self._consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition), timeout=timeout_s)
            for partition in partitions
        )
        return all(end is None or end[1] <= 0 for end in ends)

    def poll(self, timeout_s: float) -> list[ConsumedMessage]:
        """Wait up to `timeout_s` seconds for one message, and take those that are there with it, `max_poll_records` at
        most. Messages of partitions that went in the meantime are left out."""
        rebalances = self._rebalances
        messages = self._consumer.consume(1, timeout_s)
        if messages and self._max_poll_records > 1:
            messages += self._consumer.consume(self._max_poll_records - 1, 0)
        self._raise_from_callback()
        good: list[Any] = [message for message in messages if message.error() is None]
        if len(good) < len(messages):
            for message in messages:
                self._judge(message.error())
        if rebalances != self._rebalances:
            good = [m for m in good if (m.topic(), m.partition()) in self._assigned]
        return good

    def pause_only(self, partitions: frozenset[TopicPartition]) -> None:
        """Of the assigned partitions have these paused, and no others."""
        wanted = partitions & self._assigned
        if wanted == self._paused:
            return
        if pause := wanted - self._paused:
            self._consumer.pause(_theirs(pause))
        if resume := (self._paused - wanted) & self._assigned:
            self._consumer.resume(_theirs(resume))
        self._paused = set(wanted)

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Go on reading at these offsets."""
        for partition, offset in offsets.items():
            self._consumer.seek(confluent_kafka.TopicPartition(*partition, offset))
            self._positions[partition] = offset

    def renewed_topics(self) -> list[Renewal]:
        """Which topics were made anew while they are read, each told once; costs nothing most of the time. Where to go
        on in them is for `begin_anew`."""
        return self._topic_ids.renewed({partition.topic for partition in self._assigned})

    def begin_anew(self, renewal: Renewal) -> list[TopicPartition]:
        """Go on at the beginning of a topic that was made anew, and return which partitions that are. ConnectError
        where a user is to say where."""
        self._tell_renewal(renewal)
        partitions = sorted(partition for partition in self._assigned if partition.topic == renewal.topic)
        for partition in partitions:
            self._consumer.seek(confluent_kafka.TopicPartition(*partition, OFFSET_BEGINNING))
            self._positions.pop(partition, None)
        return partitions

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Returns when they are committed. KafkaException when they are not, or not in time."""
        self._committer.commit(offsets)

    def read_up_to(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Everything before these offsets has been read: where lag is counted from."""
        self._positions.update(offsets)

    def lag(self) -> int | None:
        """Records in the assigned partitions that were not read, as far as known without asking; None if not at all."""
        now = time.monotonic()
        if now - self._lag_at >= _LAG_INTERVAL_S:
            self._lag_at = now
            self._lag = self._count_lag()
        return self._lag

    def close(self) -> None:
        """Leave the group. May be called twice. Where nobody answers a commit, nobody would hear of this either: the
        group finds out when the session expires."""
        if self._committer.is_under_way:
            log.warning("The group is not left: its coordinator does not answer.")
            return
        self._consumer.close()
        self._raise_from_callback()

    def _count_lag(self) -> int | None:
        total = 0
        for partition in self._assigned:
            watermarks = self._consumer.get_watermark_offsets(confluent_kafka.TopicPartition(*partition), cached=True)
            if watermarks is None or watermarks[1] < 0:
                return None
            low, high = watermarks
            total += max(0, high - self._positions.get(partition, max(low, 0)))
        return total

    def _on_assign(self, consumer: Consumer, theirs: list[confluent_kafka.TopicPartition]) -> None:
        self._rebalances += 1
        partitions = _ours(theirs)
        self._topic_ids.assigned({partition.topic for partition in partitions})
        found = self._committed(consumer, theirs)
        renewed = self._renewed_since(found)
        for partition in theirs:
            if partition.topic in renewed:
                partition.offset = OFFSET_BEGINNING
        if self._cooperative:
            consumer.incremental_assign(theirs)
        else:
            consumer.assign(theirs)
            self._assigned.clear()
        self._assigned.update(partitions)
        self._paused -= set(partitions)
        committed = {TopicPartition(p.topic, p.partition): p.offset for p in found if p.topic not in renewed}
        self._positions |= committed

        def tell() -> None:
            for renewal in renewed.values():
                self._tell_renewal(renewal)
            self._listener.on_assigned(partitions, committed)

        self._guarded(tell)

    def _on_revoke(self, _consumer: Consumer, theirs: list[confluent_kafka.TopicPartition]) -> None:
        partitions = _ours(theirs)
        self._guarded(lambda: self._listener.on_revoked(partitions))
        self._forget(partitions)

    def _on_lost(self, _consumer: Consumer, theirs: list[confluent_kafka.TopicPartition]) -> None:
        partitions = _ours(theirs)
        self._guarded(lambda: self._listener.on_lost(partitions))
        self._forget(partitions)

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        self._rebalances += 1
        self._assigned.difference_update(partitions)
        self._paused.difference_update(partitions)
        self._topic_ids.revoked({partition.topic for partition in self._assigned})
        for partition in partitions:
            self._positions.pop(partition, None)

    def _committed(
        self, consumer: Consumer, theirs: list[confluent_kafka.TopicPartition]
    ) -> list[confluent_kafka.TopicPartition]:
        """What the group has committed, where it has."""
        if not theirs:
            return []
        try:
            found = consumer.committed(theirs, timeout=_COMMITTED_TIMEOUT_S)
        except KafkaException as e:
            log.warning("The group's committed offsets could not be read: %s", e.args[0].str())
            return []
        return [partition for partition in found if partition.offset >= 0]

    def _renewed_since(self, committed: Iterable[confluent_kafka.TopicPartition]) -> dict[str, Renewal]:
        """The topics that were made anew since offsets were committed in those of these names."""
        outdated = (self._topic_ids.outdated(there.topic, there.metadata) for there in committed)
        return {renewal.topic: renewal for renewal in outdated if renewal is not None}

    def _tell_renewal(self, renewal: Renewal) -> None:
        """ConnectError where a user is to say where to begin."""
        topic, was, new = renewal
        what = f"topic {topic} was made anew: its id was {was}, and is {new}"
        if not self._resets:
            raise ConnectError(
                f"{what}. With auto.offset.reset=none it is for you to say where to begin: set or reset the offsets of "
                "the connector, or let it be earliest"
            )
        log.warning("%s. It is read from its beginning; offsets in the old one do not count.", what)

    def _guarded(self, tell: Callable[[], None]) -> None:
        """The client must not see an exception: it is kept for the call that is under way."""
        try:
            tell()
        except Exception as e:
            self._raised = self._raised or e

    def _raise_from_callback(self) -> None:
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised

    def _judge(self, error: KafkaError | None) -> None:
        """Most errors pass by themselves: told once. Some never do."""
        if error is None or error.code() in _PASSED_OVER:
            return
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise ConnectError(
                f"the consumer has no offset to begin at: {error.str()}; commit one for the group, or let "
                "auto.offset.reset be earliest or latest"
            )
        if error.fatal() or error.code() in _FATAL:
            raise ConnectError(f"the consumer cannot go on: {error.str()}")
        told = (error.str(), error.code())
        if told not in self._told:
            self._told.add(told)
            if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:  # of a subscription: it is looked for again and again
                log.info("Waiting for a topic: %s", error.str())
            else:
                log.warning("The consumer reports: %s", error.str())


def _ours(partitions: Iterable[confluent_kafka.TopicPartition]) -> list[TopicPartition]:
    return [TopicPartition(p.topic, p.partition) for p in partitions]


def _theirs(partitions: Iterable[TopicPartition]) -> list[confluent_kafka.TopicPartition]:
    return [confluent_kafka.TopicPartition(*partition) for partition in partitions]
