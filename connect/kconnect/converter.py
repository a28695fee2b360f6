"""The converter contracts: between Connect data and the bytes on a topic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from kconnect.columnar import Columns
from kconnect.configured import Configured
from kconnect.record import SchemaAndValue, Value
from kconnect.schema import Schema

RawHeaders: TypeAlias = Sequence[tuple[str, bytes | None]]

Serializer: TypeAlias = Callable[[Value, RawHeaders | None], bytes | None]
Deserializer: TypeAlias = Callable[[bytes | None, RawHeaders | None], SchemaAndValue]
ColumnDeserializer: TypeAlias = Callable[[Sequence[bytes | None]], Columns | None]


class Converter(Configured, ABC):
    """Turns keys or values into bytes and back. Raises DataError for data that it cannot convert.

    Used by one thread. `serializer` and `deserializer` exist for speed: the framework asks for one per topic
    and schema and calls it for every record, so that what depends on the schema alone is worked out once.
    """

    def configure(self, props: Mapping[str, Any], *, is_key: bool = False) -> None:
        """`props` are this converter's own settings, without the `key.converter.` or `value.converter.` prefix."""

    @abstractmethod
    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        """The bytes to send; None sends a null (a tombstone)."""

    @abstractmethod
    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        """What the bytes say."""

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        """`from_connect_data` with the topic and the schema fixed."""
        return lambda value, headers: self.from_connect_data(topic, schema, value, headers)

    def deserializer(self, topic: str) -> Deserializer:
        """`to_connect_data` with the topic fixed."""
        return lambda data, headers: self.to_connect_data(topic, data, headers)

    def column_deserializer(self, topic: str) -> ColumnDeserializer | None:
        """What reads the data of many records at once, when they are structs of one schema: as `to_connect_data` reads
        each without headers, and None where it does not see that, or cannot read one of them (each is then read, and
        may fail, by itself). None: this converter has no such way."""
        return None

    def close(self) -> None:
        """Release connections. May be called twice."""


class HeaderConverter(Configured, ABC):
    """Turns header values into bytes and back."""

    def configure(self, props: Mapping[str, Any], *, is_key: bool = False) -> None:
        """`props` are this converter's own settings, without the `header.converter.` prefix."""

    @abstractmethod
    def from_connect_header(self, topic: str, key: str, schema: Schema | None, value: Value) -> bytes | None: ...

    @abstractmethod
    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue: ...

    def close(self) -> None:
        """Release what is held. May be called twice."""
