"""The dead letter queue: a topic for the records that a sink's task tolerated, with what went wrong (KIP-298)."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from kconnect.errors import ConnectError
from kconnect.redaction import process_redactor
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.consumed_message import ConsumedMessage
from kconnect_workers.tasks.error_handling import Failure

_PREFIX = "__connect.errors."
_STORE_TIMEOUT_S = 10.0
_ROOM_S = 0.1


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
        self._send(failure, message, headers, on_delivery)
        return report

    def _send(
        self,
        failure: Failure,
        message: ConsumedMessage,
        headers: list[tuple[str, str | bytes | None]],
        on_delivery: Callable[[KafkaError | None, Message], None],
    ) -> None:
        """Hand it to the producer, once that has room for it."""
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
                return

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

    def _context(self, failure: Failure, message: ConsumedMessage) -> Sequence[tuple[str, str | bytes | None]]:
        place = {
            "topic": message.topic(),
            "partition": str(message.partition()),
            "offset": str(message.offset()),
        }
        return context_headers(self._task, failure, place)


def context_headers(task: TaskId, failure: Failure, place: Mapping[str, str | None]) -> list[tuple[str, bytes | None]]:
    """What went wrong, in the headers of KIP-298; `place` is where the record was."""
    error = failure.error
    values = {
        **place,
        "connector.name": task.connector,
        "task.id": str(task.task),
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
