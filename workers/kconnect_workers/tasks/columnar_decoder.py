"""From a consumer's messages to columns, for sinks that take them: no dict, record or call per message. A hot path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat

from kconnect.columnar import ColumnarRecords
from kconnect.converter import ColumnDeserializer, Converter, Deserializer
from kconnect.record import SinkRecord, Value
from kconnect.schema import Schema
from kconnect_workers.tasks.consumed_message import TIMESTAMP_TYPES, ConsumedMessage


class ColumnarDecoder:
    """Decodes one batch after another. Belongs to the task's thread."""

    def __init__(self, key_converter: Converter, value_converter: Converter) -> None:
        self._key_converter = key_converter
        self._value_converter = value_converter
        self._deserializers: dict[str, tuple[Deserializer, ColumnDeserializer | None]] = {}

    def decode(self, messages: Sequence[ConsumedMessage]) -> ColumnarRecords | None:
        """`messages` are one at least. None where they are not alike (of one topic, one schema of keys and one of
        values, without headers), and where one cannot be read: which one and why is found when each is decoded by
        itself."""
        topic = messages[0].topic()
        from_key, from_values = self._deserializers_for(topic)
        if from_values is None:
            return None
        for message in messages:
            if message.topic() != topic or message.headers():
                return None
        try:
            columns = from_values([message.value() for message in messages])
            found = None if columns is None else _keys(from_key, [message.key() for message in messages])
        except Exception:
            return None
        if columns is None or found is None:
            return None
        key_schema, keys = found
        return ColumnarRecords(
            topic=topic,
            partitions=[message.partition() for message in messages],
            offsets=[message.offset() for message in messages],
            key_schema=key_schema,
            keys=keys,
            columns=columns,
            build=partial(_build, messages),
        )

    def _deserializers_for(self, topic: str) -> tuple[Deserializer, ColumnDeserializer | None]:
        found = self._deserializers.get(topic)
        if found is None:
            found = self._deserializers[topic] = (
                self._key_converter.deserializer(topic),
                self._value_converter.column_deserializer(topic),
            )
        return found


def _keys(
    deserialize: Callable[[bytes | None, None], tuple[Schema | None, Value]], data: Sequence[bytes | None]
) -> tuple[Schema | None, list[Value] | None] | None:
    """Their schema and the keys, without these if all are null; None if they are not alike."""
    key_schema, key = deserialize(data[0], None)
    if data.count(None) == len(data):
        return (key_schema, None) if key is None else None
    keys: list[Value] = []
    for each in data:
        schema, key = deserialize(each, None)
        if schema is not key_schema or key is None:
            return None
        keys.append(key)
    return key_schema, keys


def _build(messages: Sequence[ConsumedMessage], records: ColumnarRecords) -> list[SinkRecord]:
    names = [field.name for field in records.value_schema.fields]
    keys = repeat(None, len(records)) if records.keys is None else records.keys
    built = []
    for message, key, row in zip(messages, keys, zip(*records.columns, strict=True), strict=True):
        kind, timestamp = message.timestamp()
        built.append(
            SinkRecord(
                topic=records.topic,
                partition=message.partition(),
                key_schema=records.key_schema,
                key=key,
                value_schema=records.value_schema,
                value=dict(zip(names, row, strict=True)),
                offset=message.offset(),
                timestamp=timestamp if kind else None,
                timestamp_type=TIMESTAMP_TYPES[kind],
            )
        )
    return built
