"""A sink task's life: start, then read, put and commit until it is to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from confluent_kafka import KafkaException

from kconnect.config import Config
from kconnect.errors import RetriableError
from kconnect.record import TopicPartition
from kconnect.sink import ErrantRecordReporter, PartitionLog, SinkTask
from kconnect_workers.states import State, TaskId
from kconnect_workers.tasks.consumed_message import ConsumedMessage
from kconnect_workers.tasks.error_handling import ErrorHandler, StoppedError
from kconnect_workers.tasks.plugin_call import plugin_call
from kconnect_workers.tasks.raw_messages import RawMessages
from kconnect_workers.tasks.record_decoder import RecordDecoder, SinkBatch
from kconnect_workers.tasks.redelivery import Redelivery
from kconnect_workers.tasks.sink_consumer import SinkConsumer
from kconnect_workers.tasks.sink_context import WorkerSinkTaskContext
from kconnect_workers.tasks.sink_offsets import SinkOffsets
from kconnect_workers.tasks.task_control import TaskControl
from kconnect_workers.tasks.task_stats import TaskStats

log = logging.getLogger(__name__)

_POLL_S = 0.25
_SHOWN = 20


class Subscription(Protocol):
    """Which topics the task reads. `waits_for` says what is waited for, if anything is, for a person."""

    waits_for: str | None

    def changed(self, cluster: SinkConsumer) -> Sequence[str] | None:
        """The topics to subscribe to when they are others than the last time, or this is the first; None otherwise."""
        ...


class Reports(Protocol):
    """Reports of tolerated records, on their way to where they are kept."""

    stored: int

    def await_stored(self) -> bool:
        """Whether every report is stored, after waiting for a while. ConnectError when one was refused."""
        ...

    def close(self) -> None: ...


class WorkerSinkTask:
    """Runs one sink task. `run` belongs to the task's thread; `stats` may be called by the teller.

    `check_lease` is called before anything that others can see. `commit_interval_s` is
    `offset.flush.interval.ms`.
    """

    def __init__(
        self,
        id: TaskId,
        task: SinkTask[Any],
        *,
        props: dict[str, str],
        control: TaskControl,
        consumer: SinkConsumer,
        group_id: str,
        subscription: Subscription,
        decoder: RecordDecoder,
        errors: ErrorHandler,
        reports: Reports | None,
        raw_messages: RawMessages | None,
        errant_record_reporter: ErrantRecordReporter | None,
        partition_log: Callable[[TopicPartition], PartitionLog],
        check_lease: Callable[[], None],
        commit_interval_s: float,
    ) -> None:
        self._id = id
        self._task = task
        self._control = control
        self._consumer = consumer
        self._subscription = subscription
        self._decoder = decoder
        self._errors = errors
        self._reports = reports
        self._check_lease = check_lease
        self._commit_interval_s = commit_interval_s
        self._next_commit = 0.0
        self._offsets = SinkOffsets()
        self._raw_messages = raw_messages
        self._context = WorkerSinkTaskContext(
            props, lambda: self._offsets.assigned, errant_record_reporter, partition_log
        )
        self._redelivery = Redelivery()
        self._counters = TaskStats(group_id=group_id)

    def run(self) -> None:
        """Return when the task is to stop; raise what failed it. Either way, what was put is committed as far as
        `pre_commit` lets it, partitions are closed and the plugin is stopped."""
        try:
            self._start()
            while not self._control.stopping.is_set():
                self._iterate()
        except StoppedError:
            log.info("%s: stops while it tries a record again, which is left for the next run", self._id)
        finally:
            self._finish()

    def stats(self) -> TaskStats:
        return msgspec.structs.replace(
            self._counters,
            records_filtered=self._decoder.filtered,
            records_skipped=self._errors.skipped,
            records_pending=self._offsets.uncommitted(),
            retries=self._errors.retries,
            failures=self._errors.failures,
            dead_letters=0 if self._reports is None else self._reports.stored,
        )

    def _start(self) -> None:
        task = self._task
        task.context = self._context
        config: Config = type(task).config_class.parse(self._context.configs)
        with plugin_call(type(task), "start", self._id):
            task.start(config)
        self._next_commit = time.monotonic() + self._commit_interval_s
        self._control.report(State.PAUSED if self._control.paused else State.RUNNING)

    def _iterate(self) -> None:
        self._control.report(State.PAUSED if self._control.paused else State.RUNNING)
        topics = self._subscription.changed(self._consumer)
        self._control.remark("topics", self._subscription.waits_for)
        if topics is not None:
            self._consumer.subscribe(topics, self)
        self._begin_renewed()
        self._rewind(self._context.take_rewinds())  # before a commit that would pass over what is wanted again
        now = time.monotonic()
        if now >= self._next_commit or self._context.take_commit_request():
            self._next_commit = now + self._commit_interval_s
            self._commit()
            self._rewind(self._context.take_rewinds())
        self._apply_pauses()
        received = self._consumer.poll(self._patience_s())
        self._counters.lag = self._consumer.lag()
        self._counters.member_id = self._consumer.member_id
        if rewinds := self._context.take_rewinds():  # `open` asked for them, within this poll
            self._rewind(rewinds)
            received = [m for m in received if (m.topic(), m.partition()) not in rewinds]
        if received:
            self._take(received)
        elif self._redelivery.batch is None:
            if not self._control.paused:
                self._put(SinkBatch([], {}))
        elif self._redelivery.is_due:
            self._put(self._redelivery.batch)

    def _begin_renewed(self) -> None:
        """A topic that was made anew: the plugin writes what it holds of the old one, and begins with it anew."""
        for renewal in self._consumer.renewed_topics():
            partitions = self._consumer.begin_anew(renewal)
            self._give_up(partitions, self._write_last)
            self.on_assigned(partitions, {})

    def _patience_s(self) -> float:
        now = time.monotonic()
        wake = self._next_commit
        if self._redelivery.batch is not None:
            wake = min(wake, self._redelivery.due_at)
        return max(0.0, min(_POLL_S, wake - now))

    def _take(self, received: Sequence[ConsumedMessage]) -> None:
        """Decode, and put, or line up behind what waits."""
        self._counters.records_in += len(received)
        if self._raw_messages is not None:
            self._raw_messages.reading(received)
        batch = self._decoder.decode(received)
        for partition in batch.offsets.keys() - self._offsets.current().keys():
            first = next(m.offset() for m in received if (m.topic(), m.partition()) == partition)
            self._offsets.read(partition, first or 0)
        self._consumer.read_up_to(batch.offsets)
        if self._redelivery.batch is None:
            self._put(batch)
        else:  # a message slipped in before everything was paused
            self._redelivery.append(batch)

    def _put(self, batch: SinkBatch) -> None:
        self._check_lease()
        try:
            with plugin_call(type(self._task), "put", self._id):
                self._task.put(batch.records)
        except RetriableError as e:
            self._retry_later(batch, e)
            return
        self._redelivery.done()
        self._counters.records_out += len(batch.records)
        self._offsets.put(batch.offsets)

    def _retry_later(self, batch: SinkBatch, error: RetriableError) -> None:
        delay_s = self._redelivery.schedule(batch, self._context.take_timeout_s())
        self._errors.retries += 1
        log.warning("%s: put failed and is tried again in %g s: %s", self._id, delay_s, error)

    def _apply_pauses(self) -> None:
        everything = self._control.paused or self._redelivery.batch is not None
        self._consumer.pause_only(self._offsets.assigned if everything else frozenset(self._context.paused))

    def _rewind(self, offsets: Mapping[TopicPartition, int]) -> None:
        ours = {p: offset for p, offset in offsets.items() if p in self._offsets.assigned}
        if ours:
            self._redelivery.drop(ours)
            self._consumer.seek(ours)
            for partition, offset in ours.items():
                self._offsets.sought(partition, offset)

    def _commit(self) -> None:
        """Of what was put, commit what `pre_commit` lets pass. Should it raise, go back to what was committed last."""
        if not self._offsets.assigned:
            return
        try:
            offered = self._pre_commit(self._offsets.assigned)
        except Exception as e:
            self._counters.offset_commit_failures += 1
            back = self._offsets.rewind()
            log.error("%s: offsets are not committed; going back to %s: %s", self._id, _shown(back), e, exc_info=e)
            self._redelivery.drop(back)
            self._consumer.seek(back)
            return
        self._store(offered)

    def _store(self, offered: Mapping[TopicPartition, int]) -> None:
        committable = self._offsets.committable(offered)
        if not committable:
            return
        if self._reports is not None and not self._reports.await_stored():
            self._counters.offset_commit_failures += 1
            log.warning("%s: offsets are not committed, since dead letters are not stored yet.", self._id)
            return
        self._check_lease()
        try:
            self._consumer.commit(committable)
        except KafkaException as e:
            self._counters.offset_commit_failures += 1
            log.warning("%s: offsets were not committed, which is tried again: %s", self._id, e.args[0].str())
            return
        self._offsets.committed(committable)
        self._counters.offset_commits += 1
        self._counters.last_offsets = _shown(committable)

    def on_assigned(self, partitions: Sequence[TopicPartition], committed: Mapping[TopicPartition, int]) -> None:
        self._offsets.assign(partitions, committed)
        self._apply_pauses()
        self._counters.member_id = self._consumer.member_id
        self._control.tell(self.stats())  # who the group waits for, should this process be killed now
        log.info("%s: assigned %s", self._id, ", ".join(map(str, partitions)) or "nothing")
        if partitions:
            with plugin_call(type(self._task), "open", self._id):
                self._task.open(partitions)

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._give_up(partitions, self._commit_last)

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        log.warning("%s: lost %s, which are closed without a commit", self._id, ", ".join(map(str, partitions)))
        self._give_up(partitions)

    def _give_up(
        self, partitions: Sequence[TopicPartition], last: Callable[[frozenset[TopicPartition]], object] | None = None
    ) -> None:
        """Close those of `partitions` that are ours, after `last` is done with them."""
        ours = self._offsets.assigned.intersection(partitions)
        if not ours:
            return
        try:
            if last is not None:
                last(ours)
            with plugin_call(type(self._task), "close", self._id):
                self._task.close(sorted(ours))
        finally:
            self._offsets.revoke(ours)
            self._context.revoke(ours)
            self._redelivery.drop(ours)

    def _commit_last(self, partitions: frozenset[TopicPartition]) -> None:
        """What cannot be committed any more will be put again, by whoever has the partitions then."""
        try:
            self._store(self._pre_commit(partitions))
        except Exception as e:
            self._counters.offset_commit_failures += 1
            log.error("%s: offsets of closed partitions are not committed: %s", self._id, e, exc_info=e)

    def _write_last(self, partitions: frozenset[TopicPartition]) -> None:
        """Where nothing can be read again, and no offset counts any more."""
        try:
            self._pre_commit(partitions)
        except Exception as e:
            log.error("%s: what was put last may not be written, and is gone: %s", self._id, e, exc_info=e)

    def _pre_commit(self, partitions: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        with plugin_call(type(self._task), "pre_commit", self._id):
            return dict(self._task.pre_commit(self._offsets.current(partitions)) or {})

    def _finish(self) -> None:
        """Whatever goes wrong here is logged: the outcome of the task is settled."""
        steps: Sequence[Callable[[], None]] = (
            lambda: self._give_up(sorted(self._offsets.assigned), self._commit_last),
            self._task.stop,
            self._consumer.close,
            lambda: None if self._reports is None else self._reports.close(),
        )
        for step in steps:
            try:
                step()
            except (Exception, SystemExit) as e:
                log.error("%s: while stopping: %s: %s", self._id, type(e).__name__, e, exc_info=e)


def _shown(offsets: Mapping[TopicPartition, int]) -> list[tuple[str, str]]:
    return [(str(partition), str(offset)) for partition, offset in list(offsets.items())[:_SHOWN]]
