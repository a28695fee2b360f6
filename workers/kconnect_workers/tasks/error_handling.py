"""What becomes of records that fail: retried, tolerated and reported, or the end of the task (KIP-298, KIP-610)."""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from kconnect.errors import ConnectError, RetriableError
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.consumed_message import ConsumedMessage

T = TypeVar("T")

log = logging.getLogger(__name__)

_FIRST_DELAY_S = 0.3


class Stage(enum.Enum):
    """Where a record was when it failed; names and order are Kafka Connect's."""

    TASK_POLL = "TASK_POLL"
    TASK_PUT = "TASK_PUT"
    TRANSFORMATION = "TRANSFORMATION"
    KEY_CONVERTER = "KEY_CONVERTER"
    VALUE_CONVERTER = "VALUE_CONVERTER"
    HEADER_CONVERTER = "HEADER_CONVERTER"
    KAFKA_PRODUCE = "KAFKA_PRODUCE"
    KAFKA_CONSUME = "KAFKA_CONSUME"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPolicy:
    """The `errors.*` settings of a connector, times in seconds. `retry_timeout_s` None retries for ever."""

    tolerate_all: bool = False
    retry_timeout_s: float | None = 0.0
    retry_delay_max_s: float = 60.0
    log_enabled: bool = False
    log_messages: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One record's failure. `where` tells a person which record; `shown` is its text for the log, if that is asked
    for; `message` is what was read from the topic, for sinks."""

    stage: Stage
    executing_class: str
    error: Exception
    where: str
    shown: str = ""
    message: ConsumedMessage | None = None


class ErrorReporter(Protocol):
    """Somewhere that failures of tolerated records are kept."""

    def report(self, failure: Failure) -> Future[None]:
        """The future is done when the report is stored. ConnectError when it cannot be."""
        ...


class StoppedError(Exception):
    """The task is to stop before what it is at can be settled: the record, and all behind it, is left for the next run,
    whatever is tolerated."""


class ErrorHandler:
    """Decides about failures of one task, and counts them. Belongs to the task's thread."""

    def __init__(
        self,
        task: TaskId,
        policy: ErrorPolicy,
        stopping: threading.Event,
        reporter: ErrorReporter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task = task
        self._policy = policy
        self._stopping = stopping
        self._reporter = reporter
        self._clock = clock
        self.failures = 0
        self.skipped = 0
        self.retries = 0

    def failed(self, failure: Failure) -> Future[None] | None:
        """Tolerate the failure, and return when its report will be stored (None: nothing to wait for); or raise the
        ConnectError that ends the task."""
        if not self._policy.tolerate_all:
            raise ConnectError(
                f"{self.fatal(failure)} (errors.tolerance=all would pass over such records, and keep them where "
                "errors.deadletterqueue.topic.name says)"
            ) from failure.error
        self.failures += 1
        self.skipped += 1
        if self._policy.log_enabled:
            shown = f" {failure.shown}" if self._policy.log_messages and failure.shown else ""
            log.error("%s%s", self._describe(failure), shown, exc_info=failure.error)
        return None if self._reporter is None else self._reporter.report(failure)

    def fatal(self, failure: Failure) -> ConnectError:
        """The error that ends the task because of `failure`, whatever is tolerated."""
        self.failures += 1
        return ConnectError(self._describe(failure))

    def retry(self, operation: Callable[[], T], error: RetriableError) -> T:
        """`operation` has just raised `error`: call it again, with growing pauses, until it succeeds or raises
        something else, or `errors.retry.timeout` is over (the last error is raised then). StoppedError when the task is
        to stop before: nothing is decided about the record."""
        timeout = self._policy.retry_timeout_s
        deadline = None if timeout is None else self._clock() + timeout
        delay = _FIRST_DELAY_S
        while deadline is None or self._clock() < deadline:
            left = delay if deadline is None else min(delay, deadline - self._clock())
            if self._stopping.wait(max(0.0, left)):
                raise StoppedError from error
            self.retries += 1
            try:
                return operation()
            except RetriableError as e:
                error = e
            delay = min(delay * 2, self._policy.retry_delay_max_s)
        raise error

    def _describe(self, failure: Failure) -> str:
        return (
            f"Task {self._task}: {failure.stage.value} failed in {failure.executing_class} on {failure.where}: "
            f"{type(failure.error).__name__}: {failure.error}"
        )
