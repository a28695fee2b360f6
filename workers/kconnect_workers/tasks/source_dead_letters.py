"""Dead letters of a source: the records that were tolerated, as far as they got, with what went wrong.

Kafka Connect has dead letters for sinks alone. A source's have the same headers, and two that say where the record was
in the source instead of in a topic."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from kconnect.converter import Converter, HeaderConverter
from kconnect.record import SourceRecord
from kconnect.schema import Schema
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.dead_letter_queue import context_headers
from kconnect_workers.tasks.error_handling import Failure

RawHeaderList: TypeAlias = list[tuple[str, bytes | None]]


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a record got: as transforms made it, and what of it was converted."""

    record: SourceRecord
    headers: RawHeaderList | None = None
    key: bytes | None = None
    value: bytes | None = None
    has_key: bool = False
    has_value: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is sent to the queue's topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: RawHeaderList


class SourceDeadLetters:
    """Makes dead letters for `topic`. Belongs to the task's thread.

    What of a record was not converted yet is converted now, by the connector's own converters; where one refuses it,
    the letter has it as JSON, and what JSON has no word for as Python shows it."""

    def __init__(
        self,
        topic: str,
        task: TaskId,
        *,
        key_converter: Converter,
        value_converter: Converter,
        header_converter: HeaderConverter,
        context: bool,
    ) -> None:
        """`context`: whether headers tell what failed."""
        self._topic = topic
        self._task = task
        self._key_converter = key_converter
        self._value_converter = value_converter
        self._header_converter = header_converter
        self._context = context

    def letter(self, failure: Failure, original: SourceRecord, got: Progress) -> DeadLetter:
        record = got.record
        headers = list(got.headers) if got.headers is not None else self._headers(record)
        key, value = got.key, got.value
        if not got.has_key:
            key = _converted(self._key_converter, record.topic, record.key_schema, record.key)
        if not got.has_value:
            value = _converted(self._value_converter, record.topic, record.value_schema, record.value)
        if self._context:
            headers += self._told(
                failure, record.topic, _json(original.source_partition), _json(original.source_offset)
            )
        return DeadLetter(self._topic, key, value, headers)

    def refused(
        self, failure: Failure, topic: str, key: bytes | None, value: bytes | None, headers: RawHeaderList
    ) -> DeadLetter:
        """For what the log refused, of which nobody knows any more where it was in the source."""
        told = self._told(failure, topic, None, None) if self._context else []
        return DeadLetter(self._topic, key, value, [*headers, *told])

    def _told(
        self, failure: Failure, topic: str, source_partition: bytes | None, source_offset: bytes | None
    ) -> RawHeaderList:
        place = {"topic": topic, "partition": None, "offset": None}
        where = {"source.partition": source_partition, "source.offset": source_offset}
        texts = {name: None if each is None else each.decode() for name, each in where.items()}
        return context_headers(self._task, failure, place | texts)

    def _headers(self, record: SourceRecord) -> RawHeaderList:
        found: RawHeaderList = []
        for header in record.headers or ():
            try:
                data = self._header_converter.from_connect_header(record.topic, header.key, header.schema, header.value)
            except Exception:
                data = _json(header.value)
            found.append((header.key, data))
        return found


def _converted(converter: Converter, topic: str, schema: Schema | None, value: Any) -> bytes | None:
    try:
        return converter.from_connect_data(topic, schema, value)
    except Exception:
        return _json(value)


def _json(value: Any) -> bytes | None:
    """For people; None for nothing."""
    if value is None:
        return None
    try:
        text = json.dumps(value, ensure_ascii=False, default=_shown)
    except (TypeError, ValueError, RecursionError):  # keys that are no texts, values that contain themselves
        text = repr(value)
    return text.encode(errors="backslashreplace")


def _shown(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    return str(value)
