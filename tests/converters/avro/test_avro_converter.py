"""AvroConverter against a real registry, with Confluent's Python serializers on the other side."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema as PeerSchema
from confluent_kafka.schema_registry import SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kconnect.errors import DataError, RetriableError
from kconnect.record import SchemaAndValue
from kconnect.schema import (
    BYTES_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect_converters.avro import AvroConverter
from services.processes import free_ports

pytestmark = pytest.mark.integration

ORDER = Schema(
    Type.STRUCT,
    name="shop.Order",
    fields={
        "id": INT64_SCHEMA,
        "note": OPTIONAL_STRING_SCHEMA,
        "price": decimal_schema(2),
        "at": TIMESTAMP_SCHEMA,
        "tags": Schema(Type.ARRAY, value_schema=STRING_SCHEMA),
    },
)
VALUE: dict[str, Any] = {
    "id": 7,
    "note": None,
    "price": Decimal("-1.50"),
    "at": datetime(2026, 5, 1, 12, 30, tzinfo=UTC),
    "tags": ["a", "ü"],
}
WITH_COUNTRY = Schema(
    Type.STRUCT,
    name="shop.Order",
    fields={**{field.name: field.schema for field in ORDER.fields}, "country": OPTIONAL_STRING_SCHEMA},
)
ID_ONLY = Schema(Type.STRUCT, name="shop.Order", fields={"id": INT64_SCHEMA})
ID_AND_COUNTRY = {"id": INT64_SCHEMA, "country": OPTIONAL_STRING_SCHEMA}

Make = Callable[..., AvroConverter]


@pytest.fixture
def topic() -> str:
    """A topic whose subjects nobody else has used."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def peer(schema_registry_url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": schema_registry_url}) as client:
        yield client


@pytest.fixture
def converter(schema_registry_url: str) -> Iterator[Make]:
    made: list[AvroConverter] = []

    def make(*, is_key: bool = False, **settings: str) -> AvroConverter:
        props = {"schema.registry.url": schema_registry_url, "retries.wait.ms": "1"}
        made.append(AvroConverter())
        made[-1].configure(props | {name.replace("_", "."): value for name, value in settings.items()}, is_key=is_key)
        return made[-1]

    yield make
    for each in made:
        each.close()


def of(topic: str, field: Any = MessageField.VALUE) -> SerializationContext:
    return SerializationContext(topic, field)


def test_what_is_written_is_read_by_the_peer(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    data = converter().from_connect_data(topic, ORDER, VALUE)
    assert AvroDeserializer(peer)(data, of(topic)) == VALUE
    registered = json.loads(peer.get_latest_version(f"{topic}-value").schema.schema_str or "")
    assert (registered["namespace"], registered["name"]) == ("shop", "Order")


def test_what_the_peer_writes_is_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    schema = """{"type": "record", "name": "User", "namespace": "crm", "fields": [
        {"name": "name", "type": "string"},
        {"name": "age", "type": ["null", "int"], "default": null},
        {"name": "born", "type": {"type": "int", "logicalType": "date"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "either", "type": ["string", "long"]},
        {"name": "scores", "type": {"type": "map", "values": "double"}}]}"""
    user = {"name": "Ada", "age": None, "born": datetime(1815, 12, 10, tzinfo=UTC).date(), "kind": "B", "either": 5}
    data = AvroSerializer(peer, schema)(user | {"scores": {"x": 0.5}}, of(topic))
    read = converter().to_connect_data(topic, data)
    assert read.value == user | {"either": {"string": None, "long": 5}, "scores": {"x": 0.5}}
    assert read.schema is not None
    assert (read.schema.name, read.schema.version) == ("crm.User", 1)


def test_a_round_trip_keeps_schema_and_value(converter: Make, topic: str) -> None:
    written = converter().from_connect_data(topic, ORDER, VALUE)
    assert converter().to_connect_data(topic, written) == SchemaAndValue(ORDER.replace(version=1), VALUE)


def test_keys_have_a_subject_of_their_own(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    data = converter(is_key=True).from_connect_data(topic, INT32_SCHEMA, 5)
    assert peer.get_latest_version(f"{topic}-key").schema.schema_str == '"int"'
    assert AvroDeserializer(peer)(data, of(topic, MessageField.KEY)) == 5


@pytest.mark.parametrize(
    ("strategy", "subject"),
    [
        ("TopicNameStrategy", "{topic}-value"),
        ("io.confluent.kafka.serializers.subject.TopicRecordNameStrategy", "{topic}-{name}"),
        ("io.confluent.kafka.serializers.subject.RecordNameStrategy", "{name}"),
    ],
)
def test_subjects_are_named_as_the_strategy_says(
    converter: Make, peer: SchemaRegistryClient, topic: str, strategy: str, subject: str
) -> None:
    schema = ORDER.replace(name=f"shop.O{topic}")
    converter(value_subject_name_strategy=strategy).from_connect_data(topic, schema, VALUE)
    assert peer.get_versions(subject.format(topic=topic, name=schema.name)) == [1]


def test_what_is_no_record_has_no_record_name(converter: Make, topic: str) -> None:
    with pytest.raises(DataError, match="TopicNameStrategy"):
        converter(value_subject_name_strategy="RecordNameStrategy").from_connect_data(topic, INT32_SCHEMA, 5)


def test_a_tombstone_stays_one(converter: Make, topic: str) -> None:
    assert converter().from_connect_data(topic, None, None) is None
    assert converter().from_connect_data(topic, ORDER.replace(optional=True), None) is None
    assert converter().to_connect_data(topic, None) == SchemaAndValue(None, None)


def test_bytes_alone_go_without_their_length(converter: Make, topic: str) -> None:
    data = converter().from_connect_data(topic, BYTES_SCHEMA, b"abc")
    assert data is not None
    assert data[5:] == b"abc"
    assert converter().to_connect_data(topic, data).value == b"abc"


def test_values_without_a_schema_come_back(converter: Make, topic: str) -> None:
    value = {"a": [1, None, True, 0.5, {"b": "c"}]}
    written = converter().from_connect_data(topic, None, value)
    assert converter().to_connect_data(topic, written) == SchemaAndValue(None, value)


def test_a_schema_that_grows_is_registered_and_both_are_read(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    ours = converter()
    old = ours.from_connect_data(topic, ORDER, VALUE)
    new = ours.from_connect_data(topic, WITH_COUNTRY, VALUE | {"country": "AT"})
    assert peer.get_versions(f"{topic}-value") == [1, 2]
    reader = converter().deserializer(topic)
    read = [reader(data, None) for data in (old, new, old)]
    assert [each.schema.version for each in read if each.schema] == [1, 2, 1]
    assert [each.value.get("country") for each in read] == [None, "AT", None]


def test_an_incompatible_schema_is_refused_with_what_changed(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    ours = converter()
    ours.from_connect_data(topic, ID_ONLY, {"id": 1})
    peer.set_compatibility(f"{topic}-value", level="BACKWARD")
    changed = Schema(Type.STRUCT, name="shop.Order", fields={"id": STRING_SCHEMA})
    with pytest.raises(DataError, match=rf"not compatible with those of subject {topic}-value: .*(?s:.*)id|fields/0"):
        ours.from_connect_data(topic, changed, {"id": "1"})
    assert peer.get_versions(f"{topic}-value") == [1]


def test_a_schema_that_is_not_registered_is_refused_where_none_may_be(converter: Make, topic: str) -> None:
    strict = converter(auto_register_schemas="false")
    with pytest.raises(DataError, match=f"{topic}-value"):
        strict.from_connect_data(topic, ORDER, VALUE)
    written = converter().from_connect_data(topic, ORDER, VALUE)
    assert strict.from_connect_data(topic, ORDER, VALUE) == written


def test_records_are_written_by_the_latest_schema(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    converter().from_connect_data(topic, WITH_COUNTRY, VALUE | {"country": "AT"})
    latest = converter(auto_register_schemas="false", use_latest_version="true")
    assert AvroDeserializer(peer)(latest.from_connect_data(topic, ORDER, VALUE), of(topic)) == VALUE | {"country": None}
    assert peer.get_versions(f"{topic}-value") == [1]


def test_fields_that_the_latest_schema_lacks_are_dropped_only_where_that_is_not_strict(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    converter().from_connect_data(topic, ID_ONLY, {"id": 1})
    settings = {"auto_register_schemas": "false", "use_latest_version": "true"}
    with pytest.raises(DataError, match="has no field note, price"):
        converter(**settings).from_connect_data(topic, ORDER, VALUE)
    data = converter(**settings, latest_compatibility_strict="false").from_connect_data(topic, ORDER, VALUE)
    assert AvroDeserializer(peer)(data, of(topic)) == {"id": 7}


def test_records_are_written_by_the_schema_of_an_id(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    schema_id = peer.register_schema(f"{topic}-other", PeerSchema('{"type": "string", "doc": "of that id"}', "AVRO"))
    chosen = converter(auto_register_schemas="false", use_schema_id=str(schema_id))
    data = chosen.from_connect_data(topic, STRING_SCHEMA, "x")
    assert data is not None
    assert struct.unpack(">bi", data[:5]) == (0, schema_id)


def test_a_schema_that_becomes_the_latest_is_written_with_from_then_on(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    converter().from_connect_data(topic, ID_ONLY, {"id": 1})
    settings = {"auto_register_schemas": "false", "use_latest_version": "true", "latest_cache_ttl_sec": "0"}
    serialize = converter(**settings).serializer(topic, ID_ONLY)
    first = serialize({"id": 1}, None)
    converter().from_connect_data(topic, WITH_COUNTRY.replace(fields=ID_AND_COUNTRY), {"id": 1, "country": None})
    second = serialize({"id": 1}, None)
    read = [AvroDeserializer(peer)(data, of(topic)) for data in (first, second)]
    assert read == [{"id": 1}, {"id": 1, "country": None}]


def test_schemas_that_refer_to_others_are_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    inner = '{"type": "record", "name": "Address", "namespace": "crm", "fields": [{"name": "city", "type": "string"}]}'
    outer = (
        '{"type": "record", "name": "User", "namespace": "crm", "fields": [{"name": "home", "type": "crm.Address"}]}'
    )
    peer.register_schema(f"{topic}-address", PeerSchema(inner, "AVRO"))
    schema = PeerSchema(outer, "AVRO", [SchemaReference("crm.Address", f"{topic}-address", 1)])
    schema_id = peer.register_schema(f"{topic}-value", schema)
    data = struct.pack(">bi", 0, schema_id) + b"\x08Wien"
    assert converter().to_connect_data(topic, data).value == {"home": {"city": "Wien"}}


def test_an_id_in_a_header_is_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema('"string"', "AVRO"))
    headers = [("__value_schema_id", struct.pack(">bi", 0, schema_id))]
    assert converter().to_connect_data(topic, b"\x02x", headers).value == "x"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"id": 1}', "JsonConverter"),
        (b"hello", "StringConverter"),
        (b"", "0 bytes"),
        (b"\x00\x00\x00", "3 bytes"),
        (struct.pack(">bi", 0, 987_654_321) + b"\x02", "987654321"),
    ],
)
def test_data_of_another_format_or_an_unknown_schema_is_a_bad_record(
    converter: Make, topic: str, data: bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        converter().to_connect_data(topic, data)


def test_another_kind_of_schema_is_named(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    described = '{"type": "object", "properties": {"a": {"type": "integer"}}}'
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema(described, "JSON"))
    with pytest.raises(DataError, match=r"JSON, not Avro: JsonSchemaConverter reads it \(value.converter\)"):
        converter().to_connect_data(topic, struct.pack(">bi", 0, schema_id) + b"{}")


def test_the_next_url_is_asked_where_one_does_not_answer(converter: Make, schema_registry_url: str, topic: str) -> None:
    [nobody] = free_ports(1)
    ours = converter(schema_registry_url=f"http://127.0.0.1:{nobody},{schema_registry_url}")
    written = ours.from_connect_data(topic, STRING_SCHEMA, "x")
    assert ours.to_connect_data(topic, written).value == "x"


def test_a_registry_that_is_away_is_tried_again_by_the_framework(converter: Make, topic: str) -> None:
    [nobody] = free_ports(1)
    away = converter(schema_registry_url=f"http://127.0.0.1:{nobody}", max_retries="1")
    with pytest.raises(RetriableError, match=f"127.0.0.1:{nobody}"):
        away.from_connect_data(topic, STRING_SCHEMA, "x")
    with pytest.raises(RetriableError, match="no schema registry answers"):
        away.to_connect_data(topic, struct.pack(">bi", 0, 1) + b"\x02x")
