"""From what a source's `poll` returned to the producer's queue: transform, convert, produce. A hot path."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from kconnect.compiled_rows import CompiledRows
from kconnect.converter import Converter, HeaderConverter, Serializer
from kconnect.errors import ConnectError, DataError, RetriableError
from kconnect.record import RowBatch, SourcePartition, SourceRecord
from kconnect.schema import Schema
from kconnect_workers.stores.source_offsets import partition_key
from kconnect_workers.tasks.delivery import Delivery, DeliveryTracker
from kconnect_workers.tasks.error_handling import ErrorHandler, Failure, Stage, StoppedError
from kconnect_workers.tasks.plugin_call import name_of
from kconnect_workers.tasks.source_dead_letters import DeadLetter, Progress, SourceDeadLetters

T = TypeVar("T")

OnDelivery: TypeAlias = Callable[[KafkaError | None, Message], None]
OnRecord: TypeAlias = Callable[[SourceRecord, Message | None], None]
RawHeaderList: TypeAlias = list[tuple[str, bytes | None]]

_ROOM_S = 0.1
_ANY_PARTITION = -1
_NOW = 0
_MAX_SERIALIZERS = 1000
_FAULTS_OF_RECORDS = frozenset(
    {
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError._INVALID_ARG,
        KafkaError._UNKNOWN_PARTITION,
    }
)
"""What the log refuses about single records. Everything else would befall the next record, too."""
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})


class SourceChain(Protocol):
    """A source connector's transforms; `failing` is the class in which the last `apply` failed."""

    failing: type | None

    @property
    def is_compiled(self) -> bool:
        """Whether every record keeps its source partition and offset, and none is dropped."""
        ...

    def apply(self, record: SourceRecord) -> SourceRecord | None: ...

    def apply_batch(self, records: Sequence[SourceRecord]) -> Sequence[SourceRecord | None]: ...

    def apply_rows(self, batch: RowBatch) -> Sequence[SourceRecord | None]: ...


class RecordSender:
    """Sends one batch after another. Belongs to the task's thread.

    `on_record` is told of each record that was acknowledged or dropped, where the task wants to know. Records that
    fail go to `errors`, which raises to end the task; what came before them is on its way then, and their offsets
    will become eligible. Of those that are tolerated `dead_letters`, if given, makes what is sent instead, by the same
    producer: no offset passes a dead letter that is not acknowledged, and one that is refused ends the task.
    """

    def __init__(
        self,
        producer: Producer,
        *,
        key_converter: Converter,
        value_converter: Converter,
        header_converter: HeaderConverter,
        chain: SourceChain | None,
        errors: ErrorHandler,
        stopping: threading.Event,
        on_record: OnRecord | None = None,
        before_topic: Callable[[str], None] | None = None,
        on_topic: Callable[[str], None] | None = None,
        dead_letters: SourceDeadLetters | None = None,
        transactional: bool = False,
    ) -> None:
        """`before_topic` is called before the first record for a topic is sent, and may be called again; `on_topic` for
        each run of records of one topic in a batch. `transactional`: the producer is in a transaction, which a record
        that the log refuses ends for all of them, whatever is tolerated."""
        self._producer = producer
        self._key_converter = key_converter
        self._value_converter = value_converter
        self._header_converter = header_converter
        self._chain = chain
        self._errors = errors
        self._stopping = stopping
        self._on_record = on_record
        self._before_topic = before_topic
        self._on_topic = on_topic
        self._dead_letters = dead_letters
        self._transactional = transactional
        self._letters: dict[int, DeadLetter] = {}
        self._late_letters: list[tuple[DeadLetter, Callable[[], None]]] = []
        self.letters_stored = 0
        self._serializers: dict[tuple[str, Schema | None, Schema | None], tuple[Serializer, Serializer]] = {}
        self._undeliverable: ConnectError | None = None
        self.tracker = DeliveryTracker(self._undelivered)
        self._rows = CompiledRows()
        self._unsent = 0
        self._tolerated_unsent = 0

    def send(self, batch: Sequence[SourceRecord] | RowBatch) -> None:
        """Queue a batch. ConnectError when a record fails (of this batch, or an earlier one at delivery) and that is
        not tolerated, StoppedError when the task is to stop before there is room, or a retry was of use."""
        if isinstance(batch, RowBatch):
            originals, records, failed = self._transformed_rows(batch)
        else:
            originals, (records, failed) = batch, self._transformed(batch)
        deliveries: dict[bytes, Delivery] = {}
        try:
            self._send_all(originals, records, deliveries)
        finally:
            self._letters.clear()
            unstorable = _seal_all(deliveries.values())
        failed = failed or unstorable
        if failed is not None:
            raise failed
        self.serve()

    def serve(self, timeout_s: float = 0) -> None:
        """Take acknowledgements. ConnectError for a record that could not be delivered."""
        self._producer.poll(timeout_s)
        if self._undeliverable is not None:
            raise self._undeliverable
        if self._late_letters:
            letters, self._late_letters = self._late_letters, []
            for letter, settle in letters:
                self._send_letter(letter, settle)

    def flush(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` seconds for what was sent to be acknowledged."""
        self._producer.flush(timeout_s)

    @property
    def filtered(self) -> int:
        """Records that transforms dropped."""
        return max(0, self._unsent - self._tolerated_unsent)

    @property
    def pending(self) -> int:
        """Records that are not acknowledged yet."""
        return len(self._producer)

    def _transformed_rows(
        self, batch: RowBatch
    ) -> tuple[Sequence[SourceRecord], Sequence[SourceRecord | None], ConnectError | StoppedError | None]:
        """As `_transformed`, with the originals before it. Where only their source partitions and offsets are looked at
        and the results surely keep these, they are not made: the results stand in for them."""
        if self._chain is not None:
            try:
                results = self._chain.apply_rows(batch)
            except Exception:  # found one by one, from the originals
                results = None
            if results is not None:
                if self._on_record is None and self._chain.is_compiled:
                    return [record for record in results if record is not None], results, None
                return self._rows.apply(batch), results, None
        originals = self._rows.apply(batch)
        return originals, *self._transformed(originals)

    def _transformed(
        self, originals: Sequence[SourceRecord]
    ) -> tuple[Sequence[SourceRecord | None], ConnectError | StoppedError | None]:
        """One result per record, None for dropped ones; up to the first that fails and is not tolerated, or cannot be
        settled before the task stops, and why."""
        chain = self._chain
        if chain is None:
            return originals, None
        try:
            return chain.apply_batch(originals), None
        except Exception:  # which record it was is found one by one, from the untouched originals
            records: list[SourceRecord | None] = []
        for original in originals:
            try:
                records.append(self._transform(chain, original))
            except (ConnectError, StoppedError) as e:
                return records, e
        return records, None

    def _transform(self, chain: SourceChain, original: SourceRecord) -> SourceRecord | None:
        try:
            return self._retrying(lambda: chain.apply(original))
        except StoppedError:
            raise
        except Exception as e:
            self._failed(Stage.TRANSFORMATION, chain.failing or type(chain), e, original, Progress(record=original))
            return None

    def _send_all(
        self,
        originals: Sequence[SourceRecord],
        records: Sequence[SourceRecord | None],
        deliveries: dict[bytes, Delivery],
    ) -> None:
        produce = self._producer.produce
        on_record, on_topic = self._on_record, self._on_topic
        delivery: Delivery | None = None
        on_delivery: OnDelivery
        to_key: Serializer
        to_value: Serializer
        topic = partition = key_schema = value_schema = None
        for original, record in zip(originals, records, strict=False):  # records end before one that failed
            source_partition = original.source_partition
            if delivery is None or (source_partition is not partition and source_partition != partition):
                partition = source_partition
                delivery = self._delivery(source_partition, deliveries)
                on_delivery = delivery.on_delivery
            if record is None:
                self._set_aside(original, delivery)
                delivery.offset = original.source_offset
                continue
            if record.topic != topic or record.key_schema is not key_schema or record.value_schema is not value_schema:
                topic, key_schema, value_schema = record.topic, record.key_schema, record.value_schema
                to_key, to_value = self._serializers_for(topic, key_schema, value_schema)
                if on_topic is not None:
                    on_topic(topic)
            if on_record is not None:
                on_delivery = delivery.for_record(original, on_record)
            try:
                if record.headers or record.timestamp is not None or record.partition is not None:
                    self._produce_in_full(record, to_key, to_value, on_delivery)
                else:
                    produce(topic, to_value(record.value, None), to_key(record.key, None), _ANY_PARTITION, on_delivery)
                delivery.pending += 1
            except Exception:  # slowly, to find out what failed, and to wait for room
                if self._send_slowly(original, record, on_delivery):
                    delivery.pending += 1
                else:
                    self._set_aside(original, delivery)
            delivery.offset = original.source_offset

    def _delivery(self, partition: SourcePartition | None, deliveries: dict[bytes, Delivery]) -> Delivery:
        """This batch's delivery of a source partition."""
        key = b"" if partition is None else partition_key(partition)
        delivery = deliveries.get(key)
        if delivery is None:
            delivery = deliveries[key] = self.tracker.begin(partition)
        return delivery

    def _serializers_for(
        self, topic: str, key_schema: Schema | None, value_schema: Schema | None
    ) -> tuple[Serializer, Serializer]:
        wanted = (topic, key_schema, value_schema)
        found = self._serializers.get(wanted)
        if found is None:
            if len(self._serializers) >= _MAX_SERIALIZERS:
                self._serializers.clear()
            if self._before_topic is not None:
                self._before_topic(topic)
            found = self._serializers[wanted] = (
                self._key_converter.serializer(topic, key_schema),
                self._value_converter.serializer(topic, value_schema),
            )
        return found

    def _produce_in_full(
        self, record: SourceRecord, to_key: Serializer, to_value: Serializer, on_delivery: OnDelivery
    ) -> None:
        """With headers, a timestamp, a partition."""
        headers = self._raw_headers(record) if record.headers else None
        value = to_value(record.value, headers)
        key = to_key(record.key, headers)
        self._produce(record, key, value, headers, on_delivery)

    def _produce(
        self,
        record: SourceRecord,
        key: bytes | None,
        value: bytes | None,
        headers: RawHeaderList | None,
        on_delivery: OnDelivery,
    ) -> None:
        self._producer.produce(
            record.topic,
            value,
            key,
            _ANY_PARTITION if record.partition is None else record.partition,
            on_delivery,
            timestamp=_NOW if record.timestamp is None else record.timestamp,
            headers=[*headers] if headers else [],
        )

    def _raw_headers(self, record: SourceRecord) -> RawHeaderList:
        convert = self._header_converter.from_connect_header
        topic = record.topic
        return [(header.key, convert(topic, header.key, header.schema, header.value)) for header in record.headers]

    def _send_slowly(self, original: SourceRecord, record: SourceRecord, on_delivery: OnDelivery) -> bool:
        """Stage by stage, with retries. Whether the record was sent: not when its failure is tolerated."""
        topic = record.topic
        got = Progress(record=record)
        stage = Stage.HEADER_CONVERTER
        plugin: type = type(self._header_converter)
        try:
            headers = got.headers = self._retrying(lambda: self._raw_headers(record))
            stage, plugin = Stage.KEY_CONVERTER, type(self._key_converter)
            got.key = self._retrying(
                lambda: self._key_converter.from_connect_data(topic, record.key_schema, record.key, headers)
            )
            got.has_key = True
            stage, plugin = Stage.VALUE_CONVERTER, type(self._value_converter)
            got.value = self._retrying(
                lambda: self._value_converter.from_connect_data(topic, record.value_schema, record.value, headers)
            )
            got.has_value = True
            stage, plugin = Stage.KAFKA_PRODUCE, type(self._producer)
            self._produce_when_there_is_room(record, got.key, got.value, headers, on_delivery)
        except (StoppedError, ConnectError) as e:
            if isinstance(e, StoppedError) or e is self._undeliverable:
                raise
            self._failed(stage, plugin, e, original, got)
            return False
        except Exception as e:
            self._failed(stage, plugin, e, original, got)
            return False
        return True

    def _produce_when_there_is_room(
        self,
        record: SourceRecord,
        key: bytes | None,
        value: bytes | None,
        headers: RawHeaderList | None,
        on_delivery: OnDelivery,
    ) -> None:
        while True:
            try:
                self._produce(record, key, value, headers, on_delivery)
            except BufferError:
                if self._stopping.is_set():
                    raise StoppedError from None
                self.serve(_ROOM_S)
            else:
                return

    def _retrying(self, operation: Callable[[], T]) -> T:
        try:
            return operation()
        except RetriableError as e:
            return self._errors.retry(operation, e)

    def _pass_over(self, original: SourceRecord) -> None:
        """The record is not sent: it was dropped, or its failure tolerated."""
        self._unsent += 1
        if self._on_record is not None:
            self._on_record(original, None)

    def _set_aside(self, original: SourceRecord, delivery: Delivery) -> None:
        """The record is passed over, or a dead letter sent for it."""
        letter = self._letters.pop(id(original), None) if self._letters else None
        if letter is None:
            self._pass_over(original)
            return

        def settle() -> None:
            delivery.settle()
            if self._on_record is not None:
                self._on_record(original, None)

        self._unsent += 1
        delivery.pending += 1
        self._send_letter(letter, settle)

    def _send_letter(self, letter: DeadLetter, settle: Callable[[], None]) -> None:
        """`settle` is called when it is stored. StoppedError when the task is to stop before there is room."""

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self.letters_stored += 1
            elif error.code() not in _PURGED:
                self._undeliverable = self._undeliverable or ConnectError(
                    f"a dead letter was refused by {letter.topic}: {error.str()}"
                )
                return
            settle()

        while True:
            try:
                self._producer.produce(
                    letter.topic, letter.value, letter.key, headers=[*letter.headers], on_delivery=on_delivery
                )
            except BufferError:
                if self._stopping.is_set():
                    raise StoppedError from None
                self._producer.poll(_ROOM_S)
            except KafkaException as e:
                raise ConnectError(f"a dead letter cannot be sent to {letter.topic}: {e.args[0].str()}") from e
            else:
                return

    def _failed(self, stage: Stage, plugin: type, error: Exception, original: SourceRecord, got: Progress) -> None:
        """Tolerate, or raise what ends the task."""
        failure = Failure(
            stage=stage,
            executing_class=name_of(plugin),
            error=error,
            where=f"a record for topic {original.topic} from {dict(original.source_partition or {})} "
            f"at {dict(original.source_offset or {})}",
            shown=repr(original),
        )
        self._settle(failure, error.args[0] if isinstance(error, KafkaException) else None)
        self._tolerated_unsent += 1
        if self._dead_letters is not None:
            self._letters[id(original)] = self._dead_letters.letter(failure, original, got)

    def _settle(self, failure: Failure, error: KafkaError | None) -> None:
        """Tolerate, or raise what ends the task: always, when it is not the record's fault."""
        if error is not None and error.code() not in _FAULTS_OF_RECORDS:
            raise self._errors.fatal(failure) from failure.error
        self._errors.failed(failure)

    def _undelivered(self, error: KafkaError, message: Message, settle: Callable[[], None]) -> bool:
        """Called back by the producer: a record was refused by the log. What is not tolerated is kept for `serve`, and
        so is a dead letter, which a callback may not wait to send. With an aborted transaction go those that were still
        to be sent."""
        if error.code() in _PURGED:
            return True
        failure = Failure(
            stage=Stage.KAFKA_PRODUCE,
            executing_class="confluent_kafka.Producer",
            error=KafkaException(error),
            where=f"a record for topic {message.topic()}",
        )
        try:
            if self._transactional:
                raise self._errors.fatal(failure) from failure.error
            self._settle(failure, error)
        except ConnectError as e:
            self._undeliverable = self._undeliverable or e
            return False
        if self._dead_letters is None:
            return True
        headers: list[tuple[str, bytes | None]] = list(message.headers() or ())  # type: ignore[arg-type]
        letter = self._dead_letters.refused(failure, str(message.topic()), message.key(), message.value(), headers)
        self._late_letters.append((letter, settle))
        return False


def _seal_all(deliveries: Iterable[Delivery]) -> DataError | None:
    """Seal them; what the last one that cannot be stored has wrong."""
    unstorable = None
    for delivery in deliveries:
        try:
            delivery.seal()
        except DataError as e:
            unstorable = e
    return unstorable
