"""From a consumer's messages to the records that a sink is given: convert, transform. A hot path."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from operator import methodcaller
from typing import NamedTuple, Protocol, TypeVar

from kconnect.columnar import ColumnarRecords
from kconnect.converter import Converter, Deserializer, HeaderConverter
from kconnect.errors import RetriableError
from kconnect.record import Header, SinkRecord, TimestampType, TopicPartition
from kconnect_workers.tasks.columnar_decoder import ColumnarDecoder
from kconnect_workers.tasks.consumed_message import TIMESTAMP_TYPES, ConsumedMessage
from kconnect_workers.tasks.error_handling import ErrorHandler, Failure, Stage, StoppedError
from kconnect_workers.tasks.plugin_call import name_of

T = TypeVar("T")

TOPICS_MAX = 10_000
_TOPIC_OF: Callable[[ConsumedMessage], str] = methodcaller("topic")


class SinkChain(Protocol):
    """A sink connector's transforms; `failing` is the class in which the last `apply` failed."""

    failing: type | None

    def apply(self, record: SinkRecord) -> SinkRecord | None: ...

    def apply_batch(self, records: Sequence[SinkRecord]) -> Sequence[SinkRecord | None]: ...


class SinkBatch(NamedTuple):
    """Records to put, and up to where their partitions are done once they are put."""

    records: Sequence[SinkRecord]
    offsets: dict[TopicPartition, int]

    def without(self, partitions: Collection[TopicPartition]) -> SinkBatch:
        """What is left when these partitions are given up."""
        return SinkBatch(
            [r for r in self.records if (r.original_topic, r.original_partition) not in partitions],
            {p: offset for p, offset in self.offsets.items() if p not in partitions},
        )


class RecordDecoder:
    """Decodes one batch after another. Belongs to the task's thread.

    Records that fail go to `errors`, which raises to end the task.
    """

    def __init__(
        self,
        *,
        key_converter: Converter,
        value_converter: Converter,
        header_converter: HeaderConverter,
        chain: SinkChain | None,
        errors: ErrorHandler,
        on_topic: Callable[[str], None] | None = None,
        columnar: bool = False,
    ) -> None:
        """`on_topic` is called for each run of messages of one topic in a batch. `columnar` gives ColumnarRecords
        where messages come as such; with a chain none do."""
        self._key_converter = key_converter
        self._value_converter = value_converter
        self._header_converter = header_converter
        self._chain = chain
        self._errors = errors
        self._on_topic = on_topic
        self._columnar = ColumnarDecoder(key_converter, value_converter) if columnar and chain is None else None
        self._deserializers: dict[str, tuple[Deserializer, Deserializer]] = {}
        self.filtered = 0

    def decode(self, messages: Sequence[ConsumedMessage]) -> SinkBatch:
        """The records to put, in the order of `messages`, without those that are dropped or tolerated. ConnectError
        when one fails and that is not tolerated."""
        columnar = None if self._columnar is None else self._columnar.decode(messages)
        if columnar is not None:
            return self._columnar_batch(columnar)
        last: dict[tuple[str, int], int] = {}
        converted = self._convert_all(messages, last)
        offsets = {TopicPartition(*partition): offset + 1 for partition, offset in last.items()}
        return SinkBatch(self._transformed(messages, converted), offsets)

    def _columnar_batch(self, records: ColumnarRecords) -> SinkBatch:
        topic = records.topic
        if self._on_topic is not None:
            self._on_topic(topic)
        last = dict(zip(records.partitions, records.offsets, strict=True))
        return SinkBatch(records, {TopicPartition(topic, partition): last[partition] + 1 for partition in last})

    def _transformed(self, messages: Sequence[ConsumedMessage], converted: list[SinkRecord | None]) -> list[SinkRecord]:
        chain = self._chain
        if chain is None:
            return [record for record in converted if record is not None]
        whole = [record for record in converted if record is not None]
        try:
            transformed = chain.apply_batch(whole)
        except Exception:  # which record it was is found one by one, from the untouched records
            sources = [message for message, record in zip(messages, converted, strict=True) if record is not None]
            transformed = [
                self._transform(chain, record, message) for record, message in zip(whole, sources, strict=True)
            ]
        records = [record for record in transformed if record is not None]
        self.filtered += len(whole) - len(records)
        return records

    def _convert_all(
        self, messages: Sequence[ConsumedMessage], last: dict[tuple[str, int], int]
    ) -> list[SinkRecord | None]:
        """One record per message; `last` gets the last offset of each partition."""
        records: list[SinkRecord | None] = []
        for topic, run in groupby(messages, _TOPIC_OF):
            if self._on_topic is not None:
                self._on_topic(topic)
            self._convert_run(topic, run, records.append, last)
        return records

    def _convert_run(
        self,
        topic: str,
        messages: Iterable[ConsumedMessage],
        append: Callable[[SinkRecord | None], None],
        last: dict[tuple[str, int], int],
    ) -> None:
        """Messages of one topic."""
        from_key, from_value = self._deserializers_for(topic)
        types = TIMESTAMP_TYPES
        no_timestamp = TimestampType.NO_TIMESTAMP_TYPE
        for message in messages:
            partition, offset = message.partition(), message.offset()
            last[topic, partition] = offset
            try:
                if message.headers():
                    append(self._convert(message))
                    continue
                key_schema, key = from_key(message.key(), None)
                value_schema, value = from_value(message.value(), None)
                kind, timestamp = message.timestamp()
                append(
                    SinkRecord(
                        topic,
                        partition,
                        key_schema,
                        key,
                        value_schema,
                        value,
                        offset,
                        timestamp if kind else None,
                        types.get(kind, no_timestamp),
                        (),
                        topic,
                        partition,
                        offset,
                    )
                )
            except Exception:
                append(self._convert_slowly(message))

    def _deserializers_for(self, topic: str) -> tuple[Deserializer, Deserializer]:
        found = self._deserializers.get(topic)
        if found is None:
            if len(self._deserializers) >= TOPICS_MAX:  # topics.regex may see topics come and go
                self._deserializers.clear()
            found = self._deserializers[topic] = (
                self._key_converter.deserializer(topic),
                self._value_converter.deserializer(topic),
            )
        return found

    def _convert(self, message: ConsumedMessage) -> SinkRecord:
        return self._record(message, lambda _stage, _plugin, convert: convert())

    def _convert_slowly(self, message: ConsumedMessage) -> SinkRecord | None:
        """Stage by stage, with retries; None when the failure is tolerated."""
        at: tuple[Stage, type] = (Stage.VALUE_CONVERTER, type(self._value_converter))

        def guarded(stage: Stage, plugin: type, convert: Callable[[], T]) -> T:
            nonlocal at
            at = stage, plugin
            return self._retrying(convert)

        try:
            return self._record(message, guarded)
        except StoppedError:
            raise
        except Exception as e:
            self._failed(*at, e, message)
            return None

    def _record(self, message: ConsumedMessage, step: _Step) -> SinkRecord:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        raw = message.headers() or None
        key_schema, key = step(
            Stage.KEY_CONVERTER,
            type(self._key_converter),
            lambda: self._key_converter.to_connect_data(topic, message.key(), raw),
        )
        value_schema, value = step(
            Stage.VALUE_CONVERTER,
            type(self._value_converter),
            lambda: self._value_converter.to_connect_data(topic, message.value(), raw),
        )
        headers = step(
            Stage.HEADER_CONVERTER,
            type(self._header_converter),
            lambda: tuple(
                Header(name, *self._header_converter.to_connect_header(topic, name, data)) for name, data in raw or ()
            ),
        )
        kind, timestamp = message.timestamp()
        return SinkRecord(
            topic=topic,
            partition=partition,
            key_schema=key_schema,
            key=key,
            value_schema=value_schema,
            value=value,
            offset=offset,
            timestamp=timestamp if kind else None,
            timestamp_type=TIMESTAMP_TYPES.get(kind, TimestampType.NO_TIMESTAMP_TYPE),
            headers=headers,
        )

    def _transform(self, chain: SinkChain, record: SinkRecord, message: ConsumedMessage) -> SinkRecord | None:
        try:
            return self._retrying(lambda: chain.apply(record))
        except StoppedError:
            raise
        except Exception as e:
            self._failed(Stage.TRANSFORMATION, chain.failing or type(chain), e, message)
            return None

    def _retrying(self, operation: Callable[[], T]) -> T:
        try:
            return operation()
        except RetriableError as e:
            return self._errors.retry(operation, e)

    def _failed(self, stage: Stage, plugin: type, error: Exception, message: ConsumedMessage) -> None:
        """Tolerate, or raise what ends the task."""
        self._errors.failed(
            Failure(
                stage=stage,
                executing_class=name_of(plugin),
                error=error,
                where=f"{message.topic()}-{message.partition()}@{message.offset()}",
                shown=f"key {message.key()!r}, timestamp {message.timestamp()[1]}",
                message=message,
            )
        )


class _Step(Protocol):
    """Does one stage of a conversion."""

    def __call__(self, stage: Stage, plugin: type, convert: Callable[[], T]) -> T: ...
