"""What was read from the topics, for reports of single records: dead letters are the bytes of the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException

from kconnect.errors import ConnectError
from kconnect.record import TopicPartition
from kconnect_workers.tasks.consumed_message import ConsumedMessage

_TIMEOUT_S = 30.0
_POLL_S = 0.5
_NEAR = 500
"""So many messages are read to get from one to another; for one further away the position is set anew."""


class RawMessages:
    """The messages of one task, for its thread: the last batch is at hand, older ones are read from the log again.

    `make_consumer` makes what reads, once it is needed; it has to tell the ends of partitions."""

    def __init__(self, make_consumer: Callable[[], Consumer]) -> None:
        self._make_consumer = make_consumer
        self._consumer: Consumer | None = None
        self._batch: Sequence[ConsumedMessage] = ()
        self._partition: TopicPartition | None = None
        self._position = 0

    def reading(self, batch: Sequence[ConsumedMessage]) -> None:
        """Records of this batch are put from now on."""
        self._batch = batch

    def message(self, partition: TopicPartition, offset: int) -> ConsumedMessage:
        """ConnectError when the log does not have it any more, or does not answer in time."""
        for message in self._batch:
            if message.offset() == offset and (message.topic(), message.partition()) == partition:
                return message
        try:
            return self._read_again(partition, offset)
        except KafkaException as e:
            raise ConnectError(f"{partition}@{offset} cannot be read again: {e.args[0].str()}") from e

    def close(self) -> None:
        """May be called twice."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _read_again(self, partition: TopicPartition, offset: int) -> ConsumedMessage:
        if self._consumer is None:
            self._consumer = self._make_consumer()
        if self._partition != partition or not self._position <= offset < self._position + _NEAR:
            self._consumer.assign([confluent_kafka.TopicPartition(*partition, offset)])
            self._partition, self._position = partition, offset
        deadline = time.monotonic() + _TIMEOUT_S
        while self._position <= offset:
            if time.monotonic() > deadline:
                raise ConnectError(f"{partition}@{offset} could not be read again within {_TIMEOUT_S:g} s")
            found: list[Any] = self._consumer.consume(1, _POLL_S)
            for message in found:
                if self._take(message) == offset:
                    return cast("ConsumedMessage", message)
        raise ConnectError(f"{partition}@{offset} cannot be read again: the log does not have it any more")

    def _take(self, message: confluent_kafka.Message) -> int | None:
        """The offset of a message; None for an event."""
        error, offset = message.error(), message.offset()
        if error is None:
            assert offset is not None
            self._position = offset + 1
            return offset
        if error.code() == KafkaError._PARTITION_EOF:
            self._position = max(self._position, offset or 0)
        elif not error.retriable():
            raise KafkaException(error)
        return None
