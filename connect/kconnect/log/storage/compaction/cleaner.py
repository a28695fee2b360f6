"""The broker's side of compaction: what is due goes to a compactor's process, one at a time, and comes back swapped."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from kconnect.log.errors import LogError
from kconnect.log.storage.atomic import sync_folder
from kconnect.log.storage.compaction.candidate import Candidate, find_candidate
from kconnect.log.storage.compaction.job import CompactionJob, CompactionResult, ProducerEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.clock import SteadyClock
    from kconnect.log.loop import Loop
    from kconnect.log.settings import BrokerSettings
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore

_LOG = logging.getLogger(__name__)
_END_SECONDS = 10.0


class Cleaner:
    """Looks on the loop's timers, from `start` to `close`, for what is due, the dirtiest first.

    A partition that cannot be compacted, because of damage for example, is left alone until the next start.
    """

    def __init__(
        self, loop: Loop, topics: TopicStore, syncer: Syncer, settings: BrokerSettings, clock: SteadyClock
    ) -> None:
        self._loop = loop
        self._topics = topics
        self._syncer = syncer
        self._settings = settings
        self._clock = clock
        self._given_up: set[Partition] = set()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = False

    def start(self) -> None:
        self._loop.call_later(self._settings.cleaner_backoff, self._look_regularly)

    def _look_regularly(self) -> None:
        self._loop.call_later(self._settings.cleaner_backoff, self._look_regularly)  # first: as in Housekeeping
        self._look()

    def _look(self) -> None:
        if self._thread is not None or self._closing:
            return
        found = self._find()
        if found is not None:
            partition, candidate = found
            job = job_for(partition, candidate, self._clock.now(), self._settings.cleaner_dedupe_buffer_size)
            self._thread = threading.Thread(target=self._run, args=(partition, job), name="log-cleaner", daemon=True)
            self._thread.start()

    def _find(self) -> tuple[Partition, Candidate] | None:
        now = self._clock.now()
        found: tuple[Partition, Candidate] | None = None
        for partition in self._topics.partitions():
            if "compact" not in partition.config.cleanup_policy or partition.offline or partition in self._given_up:
                continue
            try:
                candidate = find_for(partition, now)
            except (OSError, LogError) as e:
                self._give_up(partition, str(e))
                continue
            if candidate is not None and (found is None or candidate.dirty_ratio > found[1].dirty_ratio):
                found = partition, candidate
        return found

    def _run(self, partition: Partition, job: CompactionJob) -> None:
        """On a thread of its own: it waits for the process, and nothing else."""
        begun = time.monotonic()
        try:
            result = self._compact(job)
        except (OSError, msgspec.DecodeError) as e:
            result = CompactionResult(error=f"the compactor failed: {e}", may_pass=True)
        self._loop.call_soon(lambda: self._finish(partition, job, result, time.monotonic() - begun))

    def _compact(self, job: CompactionJob) -> CompactionResult:
        command = [sys.executable, "-m", "kconnect.log.storage.compaction", str(os.getpid())]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
            self._process = process
            if self._closing:
                process.kill()
            answer, _ = process.communicate(msgspec.json.encode(job))
        if process.returncode:
            raise OSError(f"its process ended with {process.returncode}")
        return msgspec.json.decode(answer, type=CompactionResult)

    def _finish(self, partition: Partition, job: CompactionJob, result: CompactionResult, seconds: float) -> None:
        self._thread = self._process = None
        if self._closing or partition.offline:
            return
        if result.error is not None:
            if result.may_pass:
                _LOG.warning("%s could not be compacted for now: %s", partition.folder, result.error)
            else:
                self._give_up(partition, result.error)
            return
        try:
            is_whole = partition.segments.replace(result.segments)
        except OSError as e:
            self._give_up(partition, str(e))
            return
        if is_whole:
            partition.first_dirty_offset = result.first_dirty_offset
            write_points = self._topics.cleaner_points_writer()
            self._syncer.run(lambda: _keep(partition, write_points))
            _LOG.info(
                "%s: compacted %d bytes to %d in %.1f s, up to offset %d of %d",
                partition.folder.name,
                result.bytes_before,
                result.bytes_after,
                seconds,
                result.first_dirty_offset,
                job.end_offset,
            )
        self._look()

    def _give_up(self, partition: Partition, reason: str) -> None:
        self._given_up.add(partition)
        _LOG.error("%s cannot be compacted and is left as it is until the next start: %s", partition.folder, reason)

    def close(self) -> None:
        """End a compactor that runs; what it wrote goes at the next start. May be called twice."""
        self._closing = True
        process, thread = self._process, self._thread
        if process is not None:
            process.kill()
        if thread is not None:
            thread.join(_END_SECONDS)


def job_for(partition: Partition, candidate: Candidate, now: int, map_bytes: int) -> CompactionJob:
    """What a compactor has to know of a partition; `now` is in milliseconds since 1970."""
    config = partition.config
    return CompactionJob(
        folder=str(partition.folder),
        segments=[segment.base_offset for segment in partition.segments[: candidate.segments]],
        first_dirty_offset=candidate.first_dirty_offset,
        end_offset=candidate.end_offset,
        now=now,
        segment_bytes=config.segment_bytes,
        index_interval_bytes=config.index_interval_bytes,
        delete_retention_ms=config.delete_retention_ms,
        map_bytes=map_bytes,
        producers=[
            ProducerEnd(producer_id=state.producer_id, epoch=state.epoch, last_offset=state.last_offset)
            for state in partition.producers
        ],
        aborted=[aborted for segment in partition.segments for aborted in segment.transaction_index],
    )


def find_for(partition: Partition, now: int) -> Candidate | None:
    """What is due in a partition. Raises OSError, CorruptLogError."""
    first_dirty_offset = partition.first_dirty_offset
    if not partition.log_start_offset <= first_dirty_offset <= partition.log_end_offset:
        # The log is another since that was written down: cut by a crash, or made anew.
        first_dirty_offset = partition.log_start_offset
    return find_candidate(
        partition.segments,
        partition.config,
        first_dirty_offset=first_dirty_offset,
        last_stable_offset=partition.last_stable_offset,
        now=now,
    )


def _keep(partition: Partition, write_points: Callable[[], None]) -> None:
    """Off the loop: let the new names survive a power loss, then write down up to where it is clean."""
    try:
        sync_folder(partition.folder)
        write_points()
    except OSError as e:
        _LOG.warning("the cleaner checkpoint cannot be written; what is clean will be looked at again: %s", e)
