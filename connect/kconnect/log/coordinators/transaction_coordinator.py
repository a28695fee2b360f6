"""All transactional ids of the broker: what is kept of them, their markers, their time."""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from kconnect.log.coordinators.transaction import (
    ProducerIdentity,
    TopicPartition,
    TransactionMetadata,
    TransactionState,
)
from kconnect.log.errors import RequestError
from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kconnect.log.clock import SteadyClock
    from kconnect.log.coordinators.end_markers import EndMarkers
    from kconnect.log.coordinators.transaction_log import TransactionLog
    from kconnect.log.loop import Loop
    from kconnect.log.settings import BrokerSettings
    from kconnect.log.storage.producer_ids import ProducerIds
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore

_LOG = logging.getLogger(__name__)

_LOOK_INTERVAL = 1.0
_MARKER_PAUSE = 1.0
_UNFINISHED = frozenset({TransactionState.ONGOING, TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT})


class TransactionCoordinator:
    """Owns the transactional ids. Belongs to the thread of the loop.

    What changes an id is done one after another: a request that comes while a change is being synced, or while
    markers are being written, waits for that. Where markers cannot be written, for a full disk, it is told
    CONCURRENT_TRANSACTIONS instead, as Kafka does at once. Every method replies exactly once, now or later.

    A transaction takes three syncs. Its data is synced before the decision is written, which is synced before the
    markers are; and these are synced before the id is written down as free again. So a power loss at any point
    leaves what the next start can bring to its end.
    """

    def __init__(
        self,
        loop: Loop,
        log: TransactionLog,
        markers: EndMarkers,
        syncer: Syncer,
        producer_ids: ProducerIds,
        clock: SteadyClock,
        settings: BrokerSettings,
    ) -> None:
        self._loop = loop
        self._log = log
        self._markers = markers
        self._syncer = syncer
        self._producer_ids = producer_ids
        self._clock = clock
        self._max_timeout_ms = int(settings.transaction_max_timeout * 1000)
        self._expiration_ms = int(settings.transactional_id_expiration * 1000)
        self._known: dict[str, TransactionMetadata] = {}
        self._busy: dict[str, deque[Callable[[], None]]] = {}
        self._stuck: set[str] = set()

    @property
    def transactions(self) -> Mapping[str, TransactionMetadata]:
        """What is known of each transactional id."""
        return self._known

    def load(self, topics: TopicStore) -> None:
        """Find the ids as they were kept, and bring to its end what a crash has interrupted. Raises LogError."""
        now = self._clock.now()
        self._known = {id_: metadata.restored(now) for id_, metadata in self._log.replay().items()}
        for metadata in list(self._known.values()):
            if metadata.is_prepared:
                self._busy[metadata.transactional_id] = deque()
                self._write_markers(metadata, metadata.partitions, lambda _: None)
        try:
            self._log.check_readable()
        except RequestError as e:
            _LOG.error("transactions that are open stay so: %s", e)
        else:
            self._abort_unknown(topics)
            self._syncer.sync(lambda: None)

    def _abort_unknown(self, topics: TopicStore) -> None:
        """Abort what is open in partitions and of what nothing is kept: by a power loss, or it came by a copy."""
        expected = {
            (metadata.producer_id, partition)
            for metadata in self._known.values()
            if metadata.state in _UNFINISHED
            for partition in metadata.partitions
        }
        for log in topics.partitions():
            partition = log.topic, log.index
            for state in list(log.producers):
                if state.transaction_start < 0 or (state.producer_id, partition) in expected:
                    continue
                _LOG.warning("%s-%d: aborting a transaction of which nothing else is left", *partition)
                producer = ProducerIdentity(state.producer_id, state.epoch)
                try:
                    self._markers.write(
                        partition, producer, commit=False, coordinator_epoch=max(0, state.coordinator_epoch)
                    )
                except RequestError as e:
                    _LOG.warning("%s-%d: it stays open: %s", *partition, e)

    def start(self) -> None:
        """Look from now on for transactions whose time is over, and for ids that nobody uses any more."""
        self._loop.call_later(_LOOK_INTERVAL, self._look)

    def _look(self) -> None:
        self._loop.call_later(_LOOK_INTERVAL, self._look)  # first: a fault must not be the last look
        now = self._clock.now()
        for metadata in [m for m in self._known.values() if m.transactional_id not in self._busy]:
            if metadata.is_overdue(now):
                _LOG.info("aborting the transaction of %r: its time is over", metadata.transactional_id)
                self._end(metadata.fence(now), lambda _: None)
            elif metadata.state not in _UNFINISHED and now - metadata.updated_at >= self._expiration_ms:
                self._forget(metadata.transactional_id)

    def _forget(self, transactional_id: str) -> None:
        try:
            self._log.append(transactional_id, None)
        except RequestError as e:
            _LOG.warning("the transactional id %r cannot be forgotten for now: %s", transactional_id, e)
        else:
            del self._known[transactional_id]

    # Producers

    def init_producer(
        self,
        transactional_id: str,
        timeout_ms: int,
        expected: ProducerIdentity | None,
        reply: Callable[[ErrorCode, ProducerIdentity | None], None],
    ) -> None:
        """Hand the id to a new producer, or to `expected` anew; what is ongoing is aborted first."""

        def refuse(error: ErrorCode) -> None:
            reply(error, None)

        if not transactional_id:
            refuse(ErrorCode.INVALID_REQUEST)
        elif not 0 < timeout_ms <= self._max_timeout_ms:
            refuse(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
        elif not self._must_wait(
            transactional_id, partial(self.init_producer, transactional_id, timeout_ms, expected, reply), refuse
        ):
            try:
                self._init_producer(transactional_id, timeout_ms, expected, reply)
            except RequestError as e:
                refuse(e.code)

    def _init_producer(
        self,
        transactional_id: str,
        timeout_ms: int,
        expected: ProducerIdentity | None,
        reply: Callable[[ErrorCode, ProducerIdentity | None], None],
    ) -> None:
        now = self._clock.now()
        metadata = self._known.get(transactional_id)
        if metadata is None:
            self._log.check_readable()
        elif metadata.state is TransactionState.ONGOING:
            metadata.check_expected(expected)

            def ended(error: ErrorCode) -> None:
                if error:
                    reply(error, None)
                else:  # behind what waits already; the id is its producer's no more, whoever comes next
                    self.init_producer(transactional_id, timeout_ms, expected, reply)

            self._end(metadata.fence(now), ended)
            return
        if metadata is None:
            metadata = TransactionMetadata(
                transactional_id=transactional_id,
                producer_id=self._new_producer_id(),
                timeout_ms=timeout_ms,
                updated_at=now,
            )
        taken = metadata.next_producer(timeout_ms, expected, now, self._new_producer_id)

        def kept(safe: bool) -> None:
            if safe:
                self._known[transactional_id] = taken
                reply(ErrorCode.NONE, ProducerIdentity(taken.producer_id, taken.epoch))
            else:
                reply(ErrorCode.COORDINATOR_NOT_AVAILABLE, None)
            self._release(transactional_id)

        self._busy[transactional_id] = deque()
        self._log.append_synced(taken, kept)

    def _new_producer_id(self) -> int:
        try:
            return self._producer_ids.allocate()
        except OSError as e:
            # Retriable, and no disk stays full for ever.
            raise RequestError(ErrorCode.COORDINATOR_NOT_AVAILABLE, str(e)) from e

    # Transactions

    def add_partitions(
        self,
        transactional_id: str,
        producer: ProducerIdentity,
        partitions: frozenset[TopicPartition],
        reply: Callable[[ErrorCode], None],
    ) -> None:
        """Let the producer write to `partitions` in its transaction, which begins if none is ongoing."""
        if self._must_wait(
            transactional_id, partial(self.add_partitions, transactional_id, producer, partitions, reply), reply
        ):
            return
        try:
            metadata = self._find(transactional_id)
            changed = metadata.with_partitions(producer, partitions, self._clock.now())
            if changed is not metadata:
                self._log.append(transactional_id, changed)
                self._known[transactional_id] = changed
        except RequestError as e:
            reply(e.code)
        else:
            reply(ErrorCode.NONE)

    def check_partition(self, transactional_id: str, producer: ProducerIdentity, partition: TopicPartition) -> None:
        """Raises RequestError unless the producer's ongoing transaction has `partition` (KIP-890)."""
        if transactional_id in self._busy:
            raise RequestError(ErrorCode.CONCURRENT_TRANSACTIONS)
        self._find(transactional_id).check_partition(producer, partition)

    def end(
        self, transactional_id: str, producer: ProducerIdentity, *, commit: bool, reply: Callable[[ErrorCode], None]
    ) -> None:
        """Commit or abort; the reply comes when the markers are written."""
        again = partial(self.end, transactional_id, producer, commit=commit, reply=reply)
        if self._must_wait(transactional_id, again, reply):
            return
        try:
            metadata = self._find(transactional_id)
            decided = metadata.ended(producer, commit=commit, now=self._clock.now())
        except RequestError as e:
            reply(e.code)
            return
        if decided is metadata:
            reply(ErrorCode.NONE)
        else:
            self._end(decided, reply)

    def _find(self, transactional_id: str) -> TransactionMetadata:
        if not transactional_id:
            raise RequestError(ErrorCode.INVALID_REQUEST, "the transactional id is empty")
        metadata = self._known.get(transactional_id)
        if metadata is None:
            self._log.check_readable()
            raise RequestError(
                ErrorCode.INVALID_PRODUCER_ID_MAPPING, f"nothing is known of the transactional id {transactional_id!r}"
            )
        return metadata

    # Bringing a transaction to its end

    def _end(self, decided: TransactionMetadata, reply: Callable[[ErrorCode], None]) -> None:
        """Keep the decision, then write the markers. The id is busy until all that is safe."""
        transactional_id = decided.transactional_id

        def kept(safe: bool) -> None:
            if safe:
                self._known[transactional_id] = decided
                self._write_markers(decided, decided.partitions, reply)
            else:
                reply(ErrorCode.COORDINATOR_NOT_AVAILABLE)
                self._release(transactional_id)

        self._busy[transactional_id] = deque()
        self._log.append_synced(decided, kept)

    def _write_markers(
        self, prepared: TransactionMetadata, missing: frozenset[TopicPartition], reply: Callable[[ErrorCode], None]
    ) -> None:
        transactional_id = prepared.transactional_id
        left = frozenset(partition for partition in missing if not self._write_marker(prepared, partition))
        reply(ErrorCode.NONE)  # it is decided, whatever becomes of the rest
        if left:
            self._stuck.add(transactional_id)
            self._let_go_on(transactional_id)
            self._loop.call_later(_MARKER_PAUSE, lambda: self._write_markers(prepared, left, lambda _: None))
        else:
            self._stuck.discard(transactional_id)
            self._syncer.sync(lambda: self._complete(prepared))

    def _write_marker(self, prepared: TransactionMetadata, partition: TopicPartition) -> bool:
        """Whether there is no marker to be written to `partition` any more."""
        producer = ProducerIdentity(prepared.producer_id, prepared.epoch)
        try:
            epoch = self._log.coordinator_epoch(prepared.transactional_id)
            self._markers.write(partition, producer, commit=prepared.commits, coordinator_epoch=epoch)
        except RequestError as e:
            # A deleted topic needs none, nor does a partition that a later producer or coordinator has ended it in.
            return e.code is not ErrorCode.KAFKA_STORAGE_ERROR
        return True

    def _complete(self, prepared: TransactionMetadata) -> None:
        completed = prepared.completed(self._clock.now())
        try:
            self._log.append(prepared.transactional_id, completed)
        except RequestError:
            self._stuck.add(prepared.transactional_id)
            self._let_go_on(prepared.transactional_id)
            self._loop.call_later(_MARKER_PAUSE, lambda: self._complete(prepared))
            return
        self._stuck.discard(prepared.transactional_id)
        self._known[prepared.transactional_id] = completed
        self._release(prepared.transactional_id)

    # One after another

    def _must_wait(self, transactional_id: str, again: Callable[[], None], refuse: Callable[[ErrorCode], None]) -> bool:
        """Whether the id is busy: then `again` is called when it is not, or `refuse` if that may take long."""
        waiting = self._busy.get(transactional_id)
        if waiting is None:
            return False
        if transactional_id in self._stuck:
            refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
        else:
            waiting.append(again)
        return True

    def _release(self, transactional_id: str) -> None:
        waiting = self._busy.pop(transactional_id)
        for again in waiting:
            again()  # the first may make the id busy, then the others wait again, in their order

    def _let_go_on(self, transactional_id: str) -> None:
        """Let those who wait for an id that is stuck hear of it."""
        waiting = self._busy[transactional_id]
        while waiting:
            waiting.popleft()()
