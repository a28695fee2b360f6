"""The dead letter queue: a topic for the records that a sink's task tolerated, with what went wrong (KIP-298)."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect.errors import ConnectError
from kconnect.redaction import process_redactor
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.consumed_message import ConsumedMessage
from kconnect_workers.tasks.error_handling import Failure

log = logging.getLogger(__name__)

_PREFIX = "__connect.errors."
_STORE_TIMEOUT_S = 10.0
_ROOM_S = 0.1
_CREATE_TIMEOUT_S = 30.0


class DeadLetterQueue:
    """An ErrorReporter over `topic`. Belongs to the task's thread."""

    def __init__(
        self, topic: str, producer: Producer, task: TaskId, *, headers: bool, stopping: threading.Event
    ) -> None:
        self._topic = topic
        self._producer = producer
        self._task = task
        self._headers = headers
        self._stopping = stopping
        self._refused: ConnectError | None = None
        self.stored = 0

    def report(self, failure: Failure) -> Future[None]:
        message = failure.message
        if message is None:
            raise ConnectError(
                f"Task {self._task}: there is no dead letter of {failure.where}: what was read of it is not known"
            )
        report: Future[None] = Future()

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self.stored += 1
                report.set_result(None)
            else:
                self._refused = ConnectError(
                    f"Task {self._task}: the dead letter of {failure.where} was refused by {self._topic}: {error.str()}"
                )
                report.set_exception(self._refused)

        headers: list[tuple[str, str | bytes | None]] = [*(message.headers() or [])]
        if self._headers:
            headers += self._context(failure, message)
        while True:
            try:
                self._producer.produce(
                    self._topic, message.value(), message.key(), headers=headers, on_delivery=on_delivery
                )
            except BufferError:
                if self._stopping.is_set():
                    raise ConnectError(
                        f"Task {self._task}: the dead letter of {failure.where} found no room before the task was to "
                        "stop: the record is read again"
                    ) from None
                self._producer.poll(_ROOM_S)
            except KafkaException as e:
                raise ConnectError(
                    f"Task {self._task}: the dead letter of {failure.where} cannot be sent to {self._topic}: "
                    f"{e.args[0].str()}"
                ) from e
            else:
                self._producer.poll(0)
                return report

    def await_stored(self) -> bool:
        """Whether every report is stored, after waiting for a while. ConnectError when one was refused."""
        deadline = time.monotonic() + _STORE_TIMEOUT_S
        while len(self._producer) and time.monotonic() < deadline:
            self._producer.poll(_ROOM_S)
        if self._refused is not None:
            raise self._refused
        return len(self._producer) == 0

    def close(self) -> None:
        self._producer.flush(_STORE_TIMEOUT_S)

    def _context(self, failure: Failure, message: ConsumedMessage) -> list[tuple[str, str | bytes | None]]:
        error = failure.error
        values = {
            "topic": message.topic(),
            "partition": str(message.partition()),
            "offset": str(message.offset()),
            "connector.name": self._task.connector,
            "task.id": str(self._task.task),
            "stage": failure.stage.value,
            "class.name": failure.executing_class,
            "exception.class.name": f"{type(error).__module__}.{type(error).__qualname__}",
            "exception.message": process_redactor.redact(str(error)),
            "exception.stacktrace": process_redactor.redact("".join(traceback.format_exception(error))),
        }
        return [
            (_PREFIX + name, None if value is None else value.encode(errors="backslashreplace"))
            for name, value in values.items()
        ]


def create_dead_letter_topic(admin: AdminClient, topic: str, replication_factor: int) -> None:
    """Create `topic` if it is not there. On a single broker it has one replica, whatever was asked for."""
    metadata = admin.list_topics(timeout=_CREATE_TIMEOUT_S)
    if topic in metadata.topics:
        return
    if len(metadata.brokers) == 1 < replication_factor:
        log.info("%s gets one replica instead of %d, since there is one broker.", topic, replication_factor)
        replication_factor = 1
    try:
        admin.create_topics([NewTopic(topic, 1, replication_factor)])[topic].result(_CREATE_TIMEOUT_S)
    except KafkaException as e:
        if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise ConnectError(f"the dead letter queue {topic} could not be created: {e.args[0].str()}") from e
