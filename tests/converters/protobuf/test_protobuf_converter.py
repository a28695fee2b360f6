"""ProtobufConverter against a real registry, with Confluent's Python serializers on the other side."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema as PeerSchema
from confluent_kafka.schema_registry import SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
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
from kconnect_converters.protobuf import ProtobufConverter
from kconnect_converters.protobuf.files import message_class, parse_file
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
    "note": "x",
    "price": Decimal("-1.50"),
    "at": datetime(2026, 5, 1, 12, 30, tzinfo=UTC),
    "tags": ["a", "ü"],
}
ID_ONLY = Schema(Type.STRUCT, name="shop.Order", fields={"id": INT64_SCHEMA})
USERS = """syntax = "proto3";
package crm;
import "google/protobuf/timestamp.proto";
message Team { string name = 1; }
message User {
  string name = 1;
  optional int32 age = 2;
  Kind kind = 3;
  map<string, double> scores = 4;
  oneof which { string mail = 5; Address home = 6; }
  google.protobuf.Timestamp born = 7;
  enum Kind { A = 0; B = 1; }
  message Address { string city = 1; }
}
"""
USER: dict[str, Any] = {"name": "Ada", "kind": 1, "scores": {"x": 0.5}, "home": {"city": "London"}}
LATEST = {"auto_register_schemas": "false", "use_latest_version": "true"}

Make = Callable[..., ProtobufConverter]


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
    made: list[ProtobufConverter] = []

    def make(*, is_key: bool = False, **settings: str) -> ProtobufConverter:
        props = {"schema.registry.url": schema_registry_url, "retries.wait.ms": "1"}
        made.append(ProtobufConverter())
        made[-1].configure(props | {name.replace("_", "."): value for name, value in settings.items()}, is_key=is_key)
        return made[-1]

    yield make
    for each in made:
        each.close()


def of(topic: str, field: Any = MessageField.VALUE) -> SerializationContext:
    return SerializationContext(topic, field)


def messages(text: str, *indexes: int) -> Any:
    """The class of a message, as protoc makes it."""
    return message_class(parse_file(text, []).message(indexes))


def test_what_is_written_is_read_by_the_peer(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    """It reads by its own class: it would have the registry make a descriptor, which that of the tests does not."""
    data = converter().from_connect_data(topic, ORDER, VALUE)
    registered = peer.get_latest_version(f"{topic}-value").schema
    assert registered.schema_type == "PROTOBUF"
    kind = messages(registered.schema_str or "", 0)
    read = ProtobufDeserializer(kind, {"use.deprecated.format": False})(data, of(topic))
    assert read is not None
    assert (read.id, read.note, read.price.value, list(read.tags)) == (7, "x", b"\xff\x6a", ["a", "ü"])
    assert read.at.ToDatetime(UTC) == VALUE["at"]


def test_what_the_peer_writes_is_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    kind = messages(USERS, 1)
    write = ProtobufSerializer(kind, peer, {"use.deprecated.format": False})
    data = write(kind(**USER), of(topic))
    read = converter().to_connect_data(topic, data)
    assert read.value == {
        "name": "Ada",
        "age": None,
        "kind": "B",
        "scores": {"x": 0.5},
        "which_0": {"mail": None, "home": {"city": "London"}},
        "born": None,
    }
    assert read.schema is not None
    assert (read.schema.name, read.schema.version) == ("User", 1)
    enhanced = converter(enhanced_protobuf_schema_support="true").to_connect_data(topic, data).schema
    assert enhanced is not None
    assert enhanced.name == "crm.User"


def test_a_schema_that_is_kept_as_text_is_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema(USERS, "PROTOBUF"))
    data = struct.pack(">bi", 0, schema_id) + b"\x02\x02" + messages(USERS, 1)(**USER).SerializeToString()
    assert converter().to_connect_data(topic, data).value["which_0"] == {"mail": None, "home": {"city": "London"}}
    nested = struct.pack(">bi", 0, schema_id) + b"\x04\x02\x00" + b"\x0a\x04Wien"
    assert converter().to_connect_data(topic, nested).value == {"city": "Wien"}
    reader = converter().deserializer(topic)
    read = [reader(each, None).value for each in (data, nested, data)]
    assert [each.get("city") for each in read] == [None, "Wien", None]


def test_a_round_trip_keeps_values_and_types(converter: Make, topic: str) -> None:
    written = converter().from_connect_data(topic, ORDER, VALUE)
    read = converter(enhanced_protobuf_schema_support="true").to_connect_data(topic, written)
    assert read.value == VALUE
    assert read.schema is not None
    assert (read.schema.name, read.schema.version) == ("shop.Order", 1)
    assert [(f.name, f.schema.type, f.schema.name) for f in read.schema.fields] == [
        (f.name, f.schema.type, f.schema.name) for f in ORDER.fields
    ]
    again = converter().from_connect_data(topic, read.schema, read.value)
    assert again == written


@pytest.mark.parametrize(
    ("schema", "value", "index"), [(INT32_SCHEMA, 5, 4), (STRING_SCHEMA, "x", 7), (BYTES_SCHEMA, b"x", 8)]
)
def test_keys_that_are_no_structs_are_wrappers(
    converter: Make, peer: SchemaRegistryClient, topic: str, schema: Schema, value: Any, index: int
) -> None:
    ours = converter(is_key=True)
    data = ours.from_connect_data(topic, schema, value)
    assert data is not None
    assert data[5:7] == bytes((2, index * 2))
    assert peer.get_versions(f"{topic}-key") == [1]
    assert ours.to_connect_data(topic, data) == SchemaAndValue(schema.replace(version=1), value)


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


def test_a_tombstone_stays_one(converter: Make, topic: str) -> None:
    assert converter().from_connect_data(topic, None, None) is None
    assert converter().from_connect_data(topic, ORDER.replace(optional=True), None) is None
    assert converter().to_connect_data(topic, None) == SchemaAndValue(None, None)


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (None, {"a": 1}, "without a schema"),
        (Schema(Type.ARRAY, value_schema=INT32_SCHEMA), [1], "takes structs"),
        (decimal_schema(2), Decimal("1.00"), "takes structs"),
        (Schema(Type.STRUCT, name="a-b", fields={}), {}, "scrub.invalid.names"),
    ],
)
def test_what_cannot_be_a_record_of_protobuf_is_refused(
    converter: Make, topic: str, schema: Schema | None, value: Any, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        converter().from_connect_data(topic, schema, value)


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


def test_records_are_written_by_the_latest_schema(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    text = 'syntax = "proto3"; package shop; message Other {} message Order { int64 id = 7; string more = 8; }'
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema(text, "PROTOBUF"))
    latest = converter(**LATEST)
    expected = struct.pack(">bi", 0, schema_id) + b"\x02\x02\x38\x05"
    assert latest.from_connect_data(topic, ID_ONLY, {"id": 5}) == expected
    with pytest.raises(DataError, match="no field note"):
        latest.from_connect_data(topic, ORDER, VALUE)
    lenient = converter(**LATEST, latest_compatibility_strict="false")
    assert lenient.from_connect_data(topic, ORDER, VALUE | {"id": 5}) == expected


def test_schemas_that_import_others_are_read(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    inner = 'syntax = "proto3"; package crm; message Address { string city = 1; }'
    outer = 'syntax = "proto3"; package crm; import "crm/address.proto"; message User { Address home = 1; }'
    peer.register_schema(f"{topic}-address", PeerSchema(inner, "PROTOBUF"))
    schema = PeerSchema(outer, "PROTOBUF", [SchemaReference("crm/address.proto", f"{topic}-address", 1)])
    schema_id = peer.register_schema(f"{topic}-value", schema)
    data = struct.pack(">bi", 0, schema_id) + b"\x00\x0a\x06\x0a\x04Wien"
    assert converter().to_connect_data(topic, data).value == {"home": {"city": "Wien"}}


def test_an_id_in_a_header_is_read_with_the_message_that_it_names(
    converter: Make, peer: SchemaRegistryClient, topic: str
) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema(USERS, "PROTOBUF"))
    headers = [("__value_schema_id", struct.pack(">bi", 0, schema_id) + b"\x02\x00")]
    assert converter().to_connect_data(topic, b"\x0a\x01x", headers).value == {"name": "x"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"id": 1}', "JsonConverter"),
        (b"hello", "StringConverter"),
        (b"", "0 bytes"),
        (b"\x00\x00\x00", "3 bytes"),
        (struct.pack(">bi", 0, 987_654_321) + b"\x00", "987654321"),
        (struct.pack(">bi", 0, 1), "which message"),
        (struct.pack(">bi", 0, 1) + b"\x7e", "deep"),
    ],
)
def test_data_of_another_format_or_an_unknown_schema_is_a_bad_record(
    converter: Make, topic: str, data: bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        converter().to_connect_data(topic, data)


@pytest.mark.parametrize(("rest", "said"), [(b"\x02\x08", "no message at 4"), (b"\x00\x0a\x09x", "crm.Team")])
def test_what_is_no_message_of_the_schema_is_a_bad_record(
    converter: Make, peer: SchemaRegistryClient, topic: str, rest: bytes, said: str
) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema(USERS, "PROTOBUF"))
    with pytest.raises(DataError, match=said):
        converter().to_connect_data(topic, struct.pack(">bi", 0, schema_id) + rest)


def test_another_kind_of_schema_is_named(converter: Make, peer: SchemaRegistryClient, topic: str) -> None:
    schema_id = peer.register_schema(f"{topic}-value", PeerSchema('"string"', "AVRO"))
    with pytest.raises(DataError, match="AVRO, not Protobuf"):
        converter().to_connect_data(topic, struct.pack(">bi", 0, schema_id) + b"\x00x")


def test_a_registry_that_is_away_is_tried_again_by_the_framework(converter: Make, topic: str) -> None:
    [nobody] = free_ports(1)
    away = converter(schema_registry_url=f"http://127.0.0.1:{nobody}", max_retries="1")
    with pytest.raises(RetriableError, match=f"127.0.0.1:{nobody}"):
        away.from_connect_data(topic, STRING_SCHEMA, "x")
