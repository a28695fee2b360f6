"""Dead letters when nobody takes them."""

from __future__ import annotations

import threading
from typing import NamedTuple

import pytest
from confluent_kafka import Producer

from kconnect.errors import ConnectError
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.dead_letter_queue import DeadLetterQueue
from kconnect_workers.tasks.error_handling import Failure, Stage


class Read(NamedTuple):
    """A message as it was read from the topic."""

    def topic(self) -> str:
        return "orders"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return b"{broken"

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 0, -1


def failure(error: Exception) -> Failure:
    return Failure(
        stage=Stage.VALUE_CONVERTER,
        executing_class="some.Converter",
        error=error,
        where="orders-0@7",
        message=Read(),
    )


def test_a_task_that_is_to_stop_does_not_wait_for_room() -> None:
    nowhere = Producer({"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": 1, "log_level": 0})
    stopping = threading.Event()
    queue = DeadLetterQueue("dead", nowhere, TaskId("sink", 0), headers=False, stopping=stopping)
    assert not queue.report(failure(ValueError("first"))).done()
    stopping.set()
    with pytest.raises(ConnectError, match=r"orders-0@7 found no room"):
        queue.report(failure(ValueError("second")))
    nowhere.purge()


def test_an_error_that_is_no_valid_text_is_told_all_the_same() -> None:
    nowhere = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    queue = DeadLetterQueue("dead", nowhere, TaskId("sink", 0), headers=True, stopping=threading.Event())
    assert not queue.report(failure(ValueError("\ud800"))).done()
    nowhere.purge()
