"""What has to be done now and then: checkpoints, retention, forgetting producers that are gone."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from kconnect.log.errors import CorruptLogError
from kconnect.log.storage import segment_files
from kconnect.log.storage.atomic import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kconnect.log.clock import SteadyClock
    from kconnect.log.loop import Loop
    from kconnect.log.settings import BrokerSettings
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.reserve import DiskReserve
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore

_LOG = logging.getLogger(__name__)
_LOOK_INTERVAL = 1.0


class Housekeeping:
    """Runs on the loop's timers from `start` on."""

    def __init__(
        self,
        loop: Loop,
        topics: TopicStore,
        syncer: Syncer,
        settings: BrokerSettings,
        clock: SteadyClock,
        reserve: DiskReserve,
    ) -> None:
        self._loop = loop
        self._topics = topics
        self._syncer = syncer
        self._settings = settings
        self._last_checkpoint = self._last_sync = time.monotonic()
        self._appended_at_checkpoint = 0
        self._clock = clock
        self._reserve = reserve

    def start(self) -> None:
        self._loop.call_later(_LOOK_INTERVAL, self._look)
        self._loop.call_later(self._settings.retention_check_interval, self._clean_regularly)

    def _look(self) -> None:
        """See whether it is time for a checkpoint, for a sync because `flush.ms` of some topic is over, or for more."""
        self._loop.call_later(_LOOK_INTERVAL, self._look)  # first: a fault must not be the last look
        self._reserve.refill()
        now = time.monotonic()
        appended = self._topics.appended_bytes
        new_bytes = appended - self._appended_at_checkpoint
        age = now - self._last_checkpoint
        if new_bytes >= self._settings.checkpoint_bytes or (new_bytes and age >= self._settings.checkpoint_interval):
            self._last_checkpoint, self._appended_at_checkpoint = now, appended
            self.checkpoint()
        elif any(p.dirty and (now - self._last_sync) * 1000 >= p.config.flush_ms for p in self._topics.partitions()):
            self._last_sync = now
            self._syncer.sync(lambda: None)
        for partition in self._topics.partitions():
            retired = partition.segments.take_retired()
            if retired:
                self._syncer.run(partial(_remove, partition.folder, retired))

    def checkpoint(self) -> None:
        """Sync everything, then write down that it is: the next recovery begins there."""
        for partition in self._topics.partitions():
            partition.save_helpers()
        self._syncer.sync(lambda: self._syncer.run(_or_log(self._topics.recovery_points_writer())))

    def _clean_regularly(self) -> None:
        self._loop.call_later(self._settings.retention_check_interval, self._clean_regularly)
        now = self._clock.now()
        expired = [self._clean(partition, now) for partition in self._topics.partitions()]
        if any(expired):
            try:
                self._topics.write_log_starts()
            except OSError as e:
                _LOG.warning("the log start checkpoint cannot be written: %s", e)

    def _clean(self, partition: Partition, now: int) -> bool:
        partition.producers.expire(now - int(self._settings.producer_expiration * 1000))
        try:
            return partition.apply_retention(now)
        except (OSError, CorruptLogError) as e:
            _LOG.warning("retention of %s-%d failed: %s", partition.topic, partition.index, e)
            return False


def _remove(folder: Path, retired: list[int]) -> None:
    """Off the loop: the files of large segments take their time to go."""
    try:
        sync_folder(folder)  # first: what took their place must be there after a power loss
        for base_offset in retired:
            segment_files.remove(folder, base_offset, segment_files.DELETED)
    except FileNotFoundError:
        pass  # the topic is gone
    except OSError as e:
        _LOG.warning("deleted segments of %s stay until the next start: %s", folder, e)


def _or_log(write: Callable[[], None]) -> Callable[[], None]:
    """`write`, of which an error is logged: a checkpoint that cannot be written leaves the old one, which is safe."""

    def write_or_log() -> None:
        try:
            write()
        except OSError as e:
            _LOG.warning("the recovery checkpoint cannot be written, the old one holds: %s", e)

    return write_or_log
