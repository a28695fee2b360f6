"""What becomes of records that fail."""

from __future__ import annotations

import threading

import pytest

from kconnect.errors import ConnectError, DataError, RetriableError
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.error_handling import ErrorHandler, ErrorPolicy, Failure, Stage, StoppedError

FAILURE = Failure(
    stage=Stage.VALUE_CONVERTER, executing_class="some.Converter", error=DataError("no number"), where="orders-3@17"
)


class Clock:
    """Time passes while the task waits for it to stop."""

    def __init__(self, stop_after: float = 1e9) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._stop_after = stop_after

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self.now += timeout
        return self.now >= self._stop_after


def handler(clock: Clock | None = None, **policy: object) -> ErrorHandler:
    clock = clock or Clock()
    stopping = threading.Event()
    stopping.wait = clock.wait  # type: ignore[method-assign, assignment]
    return ErrorHandler(TaskId("orders", 0), ErrorPolicy(**policy), stopping, clock=clock)  # type: ignore[arg-type]


def test_what_is_not_tolerated_ends_the_task_and_names_everything() -> None:
    errors = handler()
    with pytest.raises(ConnectError) as raised:
        errors.failed(FAILURE)
    for words in ("orders-0", "VALUE_CONVERTER", "some.Converter", "orders-3@17", "no number", "errors.tolerance"):
        assert words in str(raised.value)
    assert (errors.failures, errors.skipped) == (1, 0)


def test_what_is_tolerated_is_counted_and_logged_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    errors = handler(tolerate_all=True, log_enabled=True)
    assert errors.failed(FAILURE) is None
    assert (errors.failures, errors.skipped) == (1, 1)
    assert "orders-3@17" in caplog.text


def failing(times: int) -> tuple[list[int], object]:
    calls: list[int] = []

    def operation() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise RetriableError(f"try {len(calls)}")
        return "done"

    return calls, operation


def test_a_retry_waits_longer_each_time_up_to_the_limit() -> None:
    clock = Clock()
    calls, operation = failing(4)
    errors = handler(clock, retry_timeout_s=60.0, retry_delay_max_s=1.0)
    assert errors.retry(operation, RetriableError("try 0")) == "done"  # type: ignore[arg-type]
    assert clock.waits == [0.3, 0.6, 1.0, 1.0, 1.0]
    assert errors.retries == len(calls) == 5


def test_a_retry_ends_with_its_time() -> None:
    clock = Clock()
    _, operation = failing(1000)
    with pytest.raises(RetriableError, match="try 3"):
        handler(clock, retry_timeout_s=1.5).retry(operation, RetriableError("try 0"))  # type: ignore[arg-type]
    assert clock.now == 1.5


def test_nothing_is_retried_by_default() -> None:
    calls, operation = failing(1)
    with pytest.raises(RetriableError, match="try 0"):
        handler().retry(operation, RetriableError("try 0"))  # type: ignore[arg-type]
    assert calls == []


def test_a_retry_without_end_ends_when_the_task_is_to_stop() -> None:
    clock = Clock(stop_after=100)
    _, operation = failing(10**6)
    with pytest.raises(StoppedError):
        handler(clock, retry_timeout_s=None).retry(operation, RetriableError("try 0"))  # type: ignore[arg-type]
    assert clock.now >= 100
