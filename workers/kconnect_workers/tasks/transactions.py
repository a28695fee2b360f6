"""The transactions of one source task, by its producer."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer

from kconnect.errors import ConnectError
from kconnect_workers.states import TaskId
from kconnect_workers.stores.entry_log import Entry
from kconnect_workers.tasks.error_handling import StoppedError

_WAIT_S = 1.0
_ROOM_S = 0.05
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}


class Transactions:
    """Begun by the first `begin` after an end. Belongs to the task's thread.

    `producer` is set to `transactional_id`, and what is produced by it between `begin` and an end is in the
    transaction; `offsets_topic` is where entries go. `check_lease` is called before anything that others can see. A
    broker that is away is waited for, when the task is to stop no longer than `timeout_s` seconds. ConnectError for
    everything that no retry can mend; nothing is open then."""

    def __init__(
        self,
        id: TaskId,
        producer: Producer,
        *,
        transactional_id: str,
        offsets_topic: str,
        check_lease: Callable[[], None],
        stopping: threading.Event,
        timeout_s: float,
    ) -> None:
        self._id = id
        self._producer = producer
        self._transactional_id = transactional_id
        self._offsets_topic = offsets_topic
        self._check_lease = check_lease
        self._stopping = stopping
        self._timeout_s = timeout_s
        self.is_open = False

    def prepare(self) -> None:
        """Fence earlier producers of the transactional id; what they left open is aborted when this returns.
        StoppedError when the task is to stop before."""
        self._check_lease()
        while not self._stopping.is_set():
            try:
                self._producer.init_transactions(_WAIT_S)
            except KafkaException as e:
                if not e.args[0].retriable():
                    raise self._failure("its transactions cannot be begun", e.args[0]) from e
            else:
                self._check_lease()
                return
        raise StoppedError

    def begin(self) -> None:
        if self.is_open:
            return
        try:
            self._producer.begin_transaction()
        except KafkaException as e:
            raise self._failure("a transaction cannot be begun", e.args[0]) from e
        self.is_open = True

    def commit(self, entries: Sequence[Entry]) -> None:
        """Write `entries` to the offsets topic, and commit. When it returns all of the transaction is visible."""
        self.begin()
        self._check_lease()
        deadline = time.monotonic() + self._timeout_s
        try:
            for key, value in entries:
                self._produce(key, value)
            while not self._committed():
                self._check_lease()
                if not self._stopping.is_set():
                    deadline = time.monotonic() + self._timeout_s
                elif time.monotonic() > deadline:
                    raise ConnectError(
                        f"{self._id}: the transaction was not committed within {self._timeout_s:g} s of stopping, and "
                        "the broker will abort it"
                    )
        except KafkaException as e:
            with contextlib.suppress(ConnectError):  # who is fenced has nothing to abort
                self.abort()
            raise self._failure("the transaction is lost", e.args[0]) from e
        finally:
            self.is_open = False

    def abort(self) -> None:
        """Drop what was sent since `begin`, if anything. What cannot be aborted now will be by the next `prepare`, or
        by the broker."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            self._producer.abort_transaction(self._timeout_s)
        except KafkaException as e:
            raise self._failure("the transaction was not aborted", e.args[0]) from e

    def _produce(self, key: bytes, value: bytes | None) -> None:
        while True:
            try:
                self._producer.produce(self._offsets_topic, value, key)
            except BufferError:
                self._check_lease()
                self._producer.poll(_ROOM_S)
            else:
                return

    def _committed(self) -> bool:
        """False when it was not to be had yet."""
        try:
            self._producer.commit_transaction(_WAIT_S)
        except KafkaException as e:
            if e.args[0].retriable():
                return False
            raise
        return True

    def _failure(self, what: str, error: KafkaError) -> ConnectError:
        if error.code() in _FENCED:
            return ConnectError(
                f"{self._id}: {what}: another task has taken over transactional.id={self._transactional_id}, or the "
                "transaction was open for longer than transaction.timeout.ms (shorten transaction.boundary, or raise "
                f"producer.override.transaction.timeout.ms): {error.str()}"
            )
        return ConnectError(f"{self._id}: {what} (transactional.id={self._transactional_id}): {error.str()}")
