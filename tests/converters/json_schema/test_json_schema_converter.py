"""JsonSchemaConverter against a real registry, with Confluent's Python serializers on the other side."""

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
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kconnect.errors import DataError, RetriableError
from kconnect.record import SchemaAndValue
from kconnect.schema import (
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect_converters.json_schema import JsonSchemaConverter
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
        "sizes": Schema(Type.MAP, key_schema=INT32_SCHEMA, value_schema=STRING_SCHEMA),
    },
)
VALUE: dict[str, Any] = {
    "id": 7,
    "note": None,
    "price": Decimal("-1.50"),
    "at": datetime(2026, 5, 1, 12, 30, tzinfo=UTC),
    "tags": ["a", "ü"],
    "sizes": {38: "S"},
}
IN_JSON: dict[str, Any] = {
    "id": 7,
    "note": None,
    "price": "/2o=",
    "at": 1_777_638_600_000,
    "tags": ["a", "ü"],
    "sizes": [{"key": 38, "value": "S"}],
}
ID_ONLY = Schema(Type.STRUCT, name="shop.Order", fields={"id": INT64_SCHEMA})
CLOSED = json.dumps(
    {
        "title": "shop.Order",
        "type": "object",
        "properties": {"id": {"type": "integer", "minimum": 1}},
        "additionalProperties": False,
    }
)
LATEST = {"auto_register_schemas": "false", "use_latest_version": "true"}

Make = Callable[..., JsonSchemaConverter]


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
    made: list[JsonSchemaConverter] = []

    def make(*, is_key: bool = False, **settings: str) -> JsonSchemaConverter:
        props = {"schema.registry.url": schema_registry_url, "retries.wait.ms": "1"}
        made.append(JsonSchemaConverter())
        made[-1].configure(props | {name.replace("_", "."): value for name, value in settings.items()}, is_key=is_key)
        return made[-1]

    yield make
    for each in made:
        each.close()


def of(topic: str, field: Any = MessageField.VALUE) -> SerializationContext:
    return SerializationContext(topic, field)


def anything(kind: str | None = None) -> PeerSchema:
    """The registry of the tests takes JSON Schemas that have properties or name their draft, and no others."""
    described = {"$schema": "http://json-schema.org/draft-07/schema#"} | ({} if kind is None else {"type": kind})
    return PeerSchema(json.dumps(described), "JSON")


def read_by_peer(peer: SchemaRegistryClient, topic: str, data: bytes | None) -> Any:
    """It validates what it reads against the schema."""
    return JSONDeserializer(None, schema_registry_client=peer)(data, of(topic))


def test_what_is_written_is_read_by_the_peer(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    data = converter().from_connect_data(topic, ORDER, VALUE)
    assert read_by_peer(peer, topic, data) == IN_JSON
    registered = peer.get_latest_version(f"{topic}-value").schema
    assert (registered.schema_type, json.loads(registered.schema_str or "")["title"]) == ("JSON", "shop.Order")


def test_what_the_peer_writes_is_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    described = {
        "title": "User",
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": ["null", "integer"]},
            "kind": {"enum": ["A", "B"]},
            "either": {"oneOf": [{"type": "string"}, {"type": "number"}]},
            "home": {"$ref": "#/definitions/Address"},
            "absent": {"type": "boolean"},
        },
        "definitions": {"Address": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
    user = {"name": "Ada", "age": None, "kind": "B", "home": {"city": "London"}}
    data = JSONSerializer(json.dumps(described), peer)(user | {"either": 0.5, "other": 1}, of(topic))
    read = converter().to_connect_data(topic, data)
    union = {"io.confluent.connect.json.OneOf.field.0": None, "io.confluent.connect.json.OneOf.field.1": 0.5}
    assert read.value == user | {"either": union, "absent": None}
    assert read.schema is not None
    assert (read.schema.name, read.schema.version) == ("User", 1)


def test_a_round_trip_keeps_schema_and_value(converter: Make, topic: str) -> None:
    written = converter().from_connect_data(topic, ORDER, VALUE)
    assert converter().to_connect_data(topic, written) == SchemaAndValue(ORDER.replace(version=1), VALUE)


def test_keys_have_a_subject_of_their_own(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    data = converter(is_key=True).from_connect_data(topic, ID_ONLY, {"id": 5})
    assert data is not None
    assert data[5:] == b'{"id":5}'
    assert peer.get_versions(f"{topic}-key") == [1]


def test_values_that_are_no_structs_are_written_and_read(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    schema_id = peer.register_schema(f"{topic}-value", anything("integer"))
    latest = converter(**LATEST)
    data = latest.from_connect_data(topic, INT32_SCHEMA, 5)
    assert data == struct.pack(">bi", 0, schema_id) + b"5"
    assert latest.to_connect_data(topic, data) == SchemaAndValue(INT64_SCHEMA.replace(version=1), 5)


def test_subjects_can_be_named_by_the_title(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    schema = ORDER.replace(name=f"shop.O{topic}")
    converter(value_subject_name_strategy="TopicRecordNameStrategy").from_connect_data(topic, schema, VALUE)
    assert peer.get_versions(f"{topic}-shop.O{topic}") == [1]
    with pytest.raises(DataError, match="TopicNameStrategy"):
        converter(value_subject_name_strategy="RecordNameStrategy").from_connect_data(topic, INT32_SCHEMA, 5)


def test_a_tombstone_stays_one_and_a_null_of_a_schema_is_a_null_of_json(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    peer.register_schema(f"{topic}-value", anything())
    ours = converter(**LATEST)
    assert ours.from_connect_data(topic, None, None) is None
    assert ours.to_connect_data(topic, None) == SchemaAndValue(None, None)
    written = ours.from_connect_data(topic, OPTIONAL_STRING_SCHEMA, None)
    assert written is not None
    assert written[5:] == b"null"
    assert ours.to_connect_data(topic, written) == SchemaAndValue(None, None)


def test_values_without_a_schema_come_back(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    peer.register_schema(f"{topic}-value", anything())
    value = {"a": [1, None, True, 0.5, {"b": "c"}]}
    written = converter(**LATEST).from_connect_data(topic, None, value)
    assert converter().to_connect_data(topic, written) == SchemaAndValue(None, value)


def test_an_incompatible_schema_is_refused_with_the_subject_and_what_to_change(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    ours = converter()
    ours.from_connect_data(topic, ID_ONLY, {"id": 1})
    peer.set_compatibility(f"{topic}-value", level="BACKWARD")
    changed = Schema(Type.STRUCT, name="shop.Order", fields={"id": STRING_SCHEMA})
    with pytest.raises(DataError, match=rf"not compatible with those of subject {topic}-value: (?s:.+)PUT "):
        ours.from_connect_data(topic, changed, {"id": "1"})
    assert peer.get_versions(f"{topic}-value") == [1]


def test_a_schema_that_is_not_registered_is_refused_where_none_may_be(converter: Make, topic: str) -> None:
    strict = converter(auto_register_schemas="false")
    with pytest.raises(DataError, match=f"{topic}-value"):
        strict.from_connect_data(topic, ORDER, VALUE)
    written = converter().from_connect_data(topic, ORDER, VALUE)
    assert strict.from_connect_data(topic, ORDER, VALUE) == written


def test_records_are_written_with_the_latest_schema_if_they_fit_it(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema(CLOSED, "JSON"))
    latest = converter(**LATEST)
    assert latest.from_connect_data(topic, ID_ONLY, {"id": 1}) == struct.pack(">bi", 0, schema_id) + b'{"id":1}'
    with pytest.raises(DataError, match="no property note"):
        latest.from_connect_data(topic, ORDER, VALUE)
    changed = Schema(Type.STRUCT, name="shop.Order", fields={"id": STRING_SCHEMA})
    with pytest.raises(DataError, match=r"id: .* is string, the JSON Schema has integer"):
        latest.from_connect_data(topic, changed, {"id": "1"})
    lenient = converter(**LATEST, latest_compatibility_strict="false")
    data = lenient.from_connect_data(topic, ORDER, VALUE)
    assert data is not None
    assert json.loads(data[5:]) == IN_JSON


def test_data_that_its_schema_does_not_allow_is_refused_where_that_is_asked_for(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema(CLOSED, "JSON"))
    data = struct.pack(">bi", 0, schema_id) + b'{"id": 0}'
    assert converter().to_connect_data(topic, data).value == {"id": 0}
    strict = converter(**LATEST, json_fail_invalid_schema="true")
    with pytest.raises(DataError, match=r"\$.id: 0 is less than"):
        strict.to_connect_data(topic, data)
    with pytest.raises(DataError, match=r"\$.id: 0 is less than"):
        strict.from_connect_data(topic, ID_ONLY, {"id": 0})
    assert strict.to_connect_data(topic, strict.from_connect_data(topic, ID_ONLY, {"id": 1})).value == {"id": 1}


def test_schemas_that_refer_to_others_are_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    inner = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
    outer = '{"type": "object", "properties": {"home": {"$ref": "address.json"}}}'
    peer.register_schema(f"{topic}-address", PeerSchema(inner, "JSON"))
    schema = PeerSchema(outer, "JSON", [SchemaReference("address.json", f"{topic}-address", 1)])
    schema_id = peer.register_schema(f"{topic}-value", schema)
    data = struct.pack(">bi", 0, schema_id) + b'{"home": {"city": "Wien"}}'
    assert converter().to_connect_data(topic, data).value == {"home": {"city": "Wien"}}
    with pytest.raises(DataError, match=r"\$.home: 'city' is a required property"):
        converter(json_fail_invalid_schema="true").to_connect_data(topic, data.replace(b"city", b"town"))


def test_an_id_in_a_header_is_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    schema_id = peer.register_schema(f"{topic}-value", anything("string"))
    headers = [("__value_schema_id", struct.pack(">bi", 0, schema_id))]
    assert converter().to_connect_data(topic, b'"x"', headers).value == "x"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"id": 1}', "JsonConverter"),
        (b"hello", "StringConverter"),
        (b"", "0 bytes"),
        (b"\x00\x00\x00", "3 bytes"),
        (struct.pack(">bi", 0, 987_654_321) + b"{}", "987654321"),
    ],
)
def test_data_of_another_format_or_an_unknown_schema_is_a_bad_record(
    converter: Make, topic: str, data: bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        converter().to_connect_data(topic, data)


@pytest.mark.parametrize("payload", [b"", b'{"id":', b"[]", b'{"id": {}, "id', b"\xff"])
def test_what_is_no_json_of_the_schema_is_a_bad_record(
    converter: Make, peer: SchemaRegistryClient, topic: str, payload: bytes
) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema(CLOSED, "JSON"))
    with pytest.raises(DataError):
        converter().to_connect_data(topic, struct.pack(">bi", 0, schema_id) + payload)


def test_another_kind_of_schema_is_named(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema('"string"', "AVRO"))
    with pytest.raises(DataError, match="AVRO, not JSON Schema"):
        converter().to_connect_data(topic, struct.pack(">bi", 0, schema_id) + b"\x02x")


def test_a_registry_that_is_away_is_tried_again_by_the_framework(converter: Make, topic: str) -> None:
    [nobody] = free_ports(1)
    away = converter(schema_registry_url=f"http://127.0.0.1:{nobody}", max_retries="1")
    with pytest.raises(RetriableError, match=f"127.0.0.1:{nobody}"):
        away.from_connect_data(topic, STRING_SCHEMA, "x")
