"""What has to be done now and then: checkpoints, retention, forgetting producers that are gone."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from kconnect.log.errors import CorruptLogError

if TYPE_CHECKING:
    from kconnect.log.loop import Loop
    from kconnect.log.settings import BrokerSettings
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore

_LOG = logging.getLogger(__name__)
_LOOK_INTERVAL = 1.0


class Housekeeping:
    """Runs on the loop's timers from `start` on."""

    def __init__(self, loop: Loop, topics: TopicStore, syncer: Syncer, settings: BrokerSettings) -> None:
        self._loop = loop
        self._topics = topics
        self._syncer = syncer
        self._settings = settings
        # Ages are measured by a clock that does not jump: a wrong date for an hour must delete nothing.
        self._last_checkpoint = time.monotonic()
        self._wall_at_start = time.time() - time.monotonic()

    def start(self) -> None:
        self._loop.call_later(_LOOK_INTERVAL, self._checkpoint_if_due)
        self._loop.call_later(self._settings.retention_check_interval, self._clean_regularly)

    def _checkpoint_if_due(self) -> None:
        """A checkpoint after some time or many bytes, or because `flush.ms` of a topic is over."""
        now = time.monotonic()
        dirty = [partition for partition in self._topics.partitions() if partition.dirty]
        age = now - self._last_checkpoint
        if dirty and (
            age >= self._settings.checkpoint_interval
            or sum(partition.unsynced_bytes for partition in dirty) >= self._settings.checkpoint_bytes
            or any(age * 1000 >= partition.config.flush_ms for partition in dirty)
        ):
            self.checkpoint()
        self._loop.call_later(_LOOK_INTERVAL, self._checkpoint_if_due)

    def checkpoint(self) -> None:
        """Sync everything, then write down that it is: the next recovery begins there."""
        self._last_checkpoint = time.monotonic()

        for partition in self._topics.partitions():
            if partition.dirty:
                partition.save_helpers()

        def synced() -> None:
            try:
                self._topics.write_recovery_points()
            except OSError as e:
                _LOG.warning("the recovery checkpoint cannot be written, the old one holds: %s", e)

        self._syncer.sync(synced)

    def _clean_regularly(self) -> None:
        now = int((self._wall_at_start + time.monotonic()) * 1000)
        expired = [self._clean(partition, now) for partition in self._topics.partitions()]
        if any(expired):
            try:
                self._topics.write_log_starts()
            except OSError as e:
                _LOG.warning("the log start checkpoint cannot be written: %s", e)
        self._loop.call_later(self._settings.retention_check_interval, self._clean_regularly)

    def _clean(self, partition: Partition, now: int) -> bool:
        partition.producers.expire(now - int(self._settings.producer_expiration * 1000))
        try:
            return partition.apply_retention(now)
        except (OSError, CorruptLogError) as e:
            _LOG.warning("retention of %s-%d failed: %s", partition.topic, partition.index, e)
            return False
