"""RegistryConverter: what converters have in common whose data says which schema of a registry it was written with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from kconnect.converter import Converter, Deserializer, RawHeaders, Serializer
from kconnect.errors import DataError
from kconnect.record import SchemaAndValue, Value
from kconnect.schema import Schema
from kconnect_converters.schema_registry.client import RegisteredSchema, SchemaRegistryClient
from kconnect_converters.schema_registry.config import SchemaRegistryConfig
from kconnect_converters.schema_registry.subjects import STRATEGIES, strategy_of
from kconnect_converters.schema_registry.wire import PREFIX_SIZE, header_id, id_prefix, schema_id_of

_READERS: Final = {"AVRO": "AvroConverter", "JSON": "JsonSchemaConverter", "PROTOBUF": "ProtobufConverter"}

ParsedT = TypeVar("ParsedT")
Encode: TypeAlias = Callable[[Any], bytes]
Decode: TypeAlias = Callable[[bytes, int], Any]
"""Reads the value that begins at a place of the data."""


@dataclass(frozen=True, slots=True)
class OwnSchema(Generic[ParsedT]):
    """The schema of records in the terms of a format: as the format sees it, as the registry is told, and the record's
    full name (None: it is no record)."""

    parsed: ParsedT
    text: str
    record: str | None


class RegistryConverter(Converter, Generic[ParsedT]):
    """Data whose first five bytes, or a header, say which schema of the registry it was written with.

    The registry is asked when a topic's first record of a schema comes; RetriableError while it does not answer. A
    format says, by the abstract methods, what its schemas are (`ParsedT`) and how values are written with them.
    """

    schema_type: ClassVar[str]
    """What the registry calls the format."""
    format_name: ClassVar[str]
    """What people call it."""

    def configure(self, props: Mapping[str, Any], *, is_key: bool = False) -> None:
        config = self.config_class.parse(props)
        assert isinstance(config, SchemaRegistryConfig)
        self._registry_config = config
        self._is_key = is_key
        self._registry = SchemaRegistryClient(config)
        named = config.key_subject_name_strategy if is_key else config.value_subject_name_strategy
        self._subject_name = strategy_of(named) or STRATEGIES["TopicNameStrategy"]
        remember = lru_cache(max(self.configure_format(props), 1))
        self._own = remember(self.own_schema)
        self._parsed = remember(self._parse)
        self._encoder = remember(self._compile_encoder)
        self._reader = remember(self._compile_reader)

    @abstractmethod
    def configure_format(self, props: Mapping[str, Any]) -> int:
        """Take the format's own settings from `props`; how many schemas to remember in each direction."""

    @abstractmethod
    def own_schema(self, schema: Schema | None) -> OwnSchema[ParsedT]:
        """`schema` in the format's terms. DataError for what the format cannot say."""

    @abstractmethod
    def parse(self, registered: RegisteredSchema, references: list[tuple[str, RegisteredSchema]]) -> ParsedT:
        """The schema as the format sees it. `references` are those it refers to by name, each after what it refers to
        itself. DataError for what is none."""

    @abstractmethod
    def compile_encoder(self, schema: Schema | None, target: ParsedT, prefix: bytes, *, lossy: bool) -> Encode:
        """What makes the whole of the data, which begins with `prefix`, from values of `schema`: as `target` says,
        which may be another schema than its own. DataError where the two do not go together, a field that `target`
        lacks among that unless `lossy`."""

    @abstractmethod
    def compile_decoder(
        self, parsed: ParsedT, inner_prefix: bytes, version: Callable[[str | None], int | None]
    ) -> tuple[Schema | None, Decode]:
        """What reads data that was written with `parsed`. `inner_prefix` are the format's own bytes after the schema's
        id; `version` gives the number that the registry has for the schema, told the record's full name."""

    def writes_null(self, schema: Schema | None) -> bool:
        """Whether null is written as a null of the format where `schema` allows it, instead of a tombstone."""
        return False

    def inner_prefix_end(self, data: bytes, place: int) -> int:
        """Where the format's own bytes end that begin at `place`, after the schema's id. DataError if they do not."""
        return place

    def from_connect_data(
        self, topic: str, schema: Schema | None, value: Value, headers: RawHeaders | None = None
    ) -> bytes | None:
        return self.serializer(topic, schema)(value, headers)

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        expires = self._registry_config.use_latest_version and self._registry_config.latest_cache_ttl_sec >= 0
        writer: Encode | None = None
        tombstones = (schema is None or schema.optional) and not self.writes_null(schema)

        def serialize(value: Value, headers: RawHeaders | None) -> bytes | None:
            nonlocal writer
            if value is None and tombstones:
                return None
            if writer is None or expires:
                writer = self._writer(topic, schema)
            return writer(value)

        return serialize

    def _writer(self, topic: str, schema: Schema | None) -> Encode:
        own = self._own(schema)
        subject = self._subject_name(topic, self._is_key, own.record)
        schema_id, target, lossy = self._target(subject, own)
        return self._encoder(schema, schema_id, target, lossy)

    def _target(self, subject: str, own: OwnSchema[ParsedT]) -> tuple[int, ParsedT, bool]:
        """The id and schema to write with, and whether fields that it lacks are dropped."""
        config = self._registry_config
        if config.auto_register_schemas:
            return self._registry.register(subject, own.text, self.schema_type), own.parsed, False
        if config.use_schema_id >= 0:
            chosen = self._registry.by_id(config.use_schema_id)
            return config.use_schema_id, self._parsed(chosen), not config.id_compatibility_strict
        if config.use_latest_version:
            latest = self._registry.latest(subject)
            return latest.id, self._parsed(latest), not config.latest_compatibility_strict
        return self._registry.lookup(subject, own.text, self.schema_type).id, own.parsed, False

    def _compile_encoder(self, schema: Schema | None, schema_id: int, target: ParsedT, lossy: bool) -> Encode:
        return self.compile_encoder(schema, target, id_prefix(schema_id), lossy=lossy)

    def to_connect_data(self, topic: str, data: bytes | None, headers: RawHeaders | None = None) -> SchemaAndValue:
        return self.deserializer(topic)(data, headers)

    def deserializer(self, topic: str) -> Deserializer:
        """Remembers the last record's prefix: as long as records begin with it, they are read alike."""
        is_key, reader, inner_prefix_end = self._is_key, self._reader, self.inner_prefix_end
        prefix, size = b"", 0
        schema: Schema | None = None
        decode: Decode | None = None

        def deserialize(data: bytes | None, headers: RawHeaders | None) -> SchemaAndValue:
            nonlocal prefix, size, schema, decode
            if data is None:
                return SchemaAndValue(None, None)
            named = header_id(headers, is_key=is_key)
            if named is not None:
                header_schema, header_decode = reader(topic, *named)
                return _read(header_schema, header_decode(data, 0))
            if decode is None or not data.startswith(prefix):
                schema_id = schema_id_of(data)
                end = inner_prefix_end(data, PREFIX_SIZE)
                schema, decode = reader(topic, schema_id, data[PREFIX_SIZE:end])
                prefix, size = data[:end], end
            return _read(schema, decode(data, size))

        return deserialize

    def _compile_reader(self, topic: str, schema_id: int | str, inner_prefix: bytes) -> tuple[Schema | None, Decode]:
        found = self._registry.by_guid(schema_id) if isinstance(schema_id, str) else self._registry.by_id(schema_id)
        if found.type != self.schema_type:
            other = _READERS.get(found.type, "another converter")
            raise DataError(
                f"schema {schema_id} of the registry is {found.type}, not {self.format_name}: {other} reads it "
                f"({'key' if self._is_key else 'value'}.converter)"
            )

        def version(record: str | None) -> int | None:
            """The number that the schema has in the subject of what is read; None where it is not in it."""
            try:
                subject = self._subject_name(topic, self._is_key, record)
                return self._registry.lookup(subject, found.text, found.type, found.references).version or None
            except DataError:
                return None

        return self.compile_decoder(self._parsed(found), inner_prefix, version)

    def _parse(self, registered: RegisteredSchema) -> ParsedT:
        references = self._registry.referenced(registered)
        try:
            return self.parse(registered, references)
        except DataError as error:
            raise DataError(f"schema {registered.id} of the registry: {error}") from None

    def close(self) -> None:
        registry = getattr(self, "_registry", None)
        if registry is not None:
            registry.close()


def _read(schema: Schema | None, value: Value) -> SchemaAndValue:
    """A null that is all there is has no schema, as in Confluent's converters."""
    return SchemaAndValue(schema if value is not None else None, value)
