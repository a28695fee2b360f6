"""Entries, written to a topic and waited for."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from kconnect.errors import ConfigError, ConnectError
from kconnect_workers.stores.entry_log import Entry
from kconnect_workers.stores.topic_reader import Place

_POLL_S = 0.5
_FULL_POLL_S = 0.05


def write_entries(producer: Producer, topic: str, entries: Sequence[Entry], timeout_s: float) -> dict[Place, int]:
    """Send `entries` and wait until every one is acknowledged; the offsets behind them, by partition.

    Others may use the producer too, and their callbacks may be called here. ConnectError when `timeout_s` seconds were
    not enough, ConfigError when an entry is larger than the topic takes; some may be stored even so.
    """
    sending = _Sending(producer, topic, time.monotonic() + timeout_s)
    refused = sending.send(entries)
    sending.wait()
    refused = refused or sending.refusal()
    if refused is not None:
        raise refused
    if sending.missing:
        raise ConnectError(f"topic {topic} has not acknowledged after {timeout_s:g} s; it may yet take what was sent")
    return sending.ends()


class _Sending:
    """Entries on their way. What the broker says of them may be heard in any thread that polls the producer."""

    def __init__(self, producer: Producer, topic: str, deadline: float) -> None:
        self._producer = producer
        self._topic = topic
        self._deadline = deadline
        self._sent = 0
        self._answers: list[tuple[KafkaError | None, Message]] = []

    @property
    def missing(self) -> int:
        return self._sent - len(self._answers)

    def send(self, entries: Sequence[Entry]) -> ConnectError | None:
        """Up to the first that the producer does not take; why not."""
        for key, value in entries:
            try:
                self._enqueue(key, value)
            except BufferError:
                return ConnectError(f"topic {self._topic} cannot be written: the producer's queue is full")
            except KafkaException as e:
                return self._refused(key, value, e.args[0])
        return None

    def wait(self) -> None:
        """For as long as there is time, until nothing is missing."""
        while self.missing and (left := self._deadline - time.monotonic()) > 0:
            self._producer.poll(min(_POLL_S, left))

    def refusal(self) -> ConnectError | None:
        """Why the broker did not take one of them."""
        error = next((error for error, _ in self._answers if error is not None), None)
        return None if error is None else ConnectError(f"topic {self._topic} cannot be written: {error.str()}")

    def ends(self) -> dict[Place, int]:
        ends: dict[Place, int] = {}
        for _, message in self._answers:
            partition, offset = message.partition(), message.offset()
            if partition is not None and offset is not None:
                ends[self._topic, partition] = max(offset + 1, ends.get((self._topic, partition), 0))
        return ends

    def _enqueue(self, key: bytes, value: bytes | None) -> None:
        """BufferError when there was no room in time."""
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._heard)
            except BufferError:
                if time.monotonic() > self._deadline:
                    raise
                self._producer.poll(_FULL_POLL_S)
            else:
                self._sent += 1
                return

    def _heard(self, error: KafkaError | None, message: Message) -> None:
        self._answers.append((error, message))

    def _refused(self, key: bytes, value: bytes | None, error: KafkaError) -> ConnectError:
        if error.code() != KafkaError.MSG_SIZE_TOO_LARGE:
            return ConnectError(f"topic {self._topic} cannot be written: {error.str()}")
        return ConfigError(
            f"{len(value or b'')} bytes are more than topic {self._topic} keeps of {key.decode(errors='replace')}",
            suggestion="shorten what is stored there",
        )
