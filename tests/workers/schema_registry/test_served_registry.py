"""`kconnect registry` on an embedded log, called by Confluent's own client and by the converters."""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import Schema as PeerSchema
from confluent_kafka.schema_registry import SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kconnect.converter import Converter
from kconnect.record import SchemaAndValue
from kconnect.schema import INT64_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA, Schema, Type, decimal_schema
from kconnect_converters.avro import AvroConverter
from kconnect_converters.json_schema import JsonSchemaConverter
from kconnect_converters.protobuf import ProtobufConverter
from kconnect_converters.protobuf.files import message_class, parse_file
from services.processes import ServiceProcess

pytestmark = pytest.mark.e2e

READY = re.compile(r"ready: schema\.registry\.url=(http://\S+),")
ORDER = Schema(
    Type.STRUCT,
    name="shop.Order",
    fields={"id": INT64_SCHEMA, "note": OPTIONAL_STRING_SCHEMA, "tags": Schema(Type.ARRAY, value_schema=STRING_SCHEMA)},
)
VALUE: dict[str, Any] = {"id": 7, "note": "x", "tags": ["a"]}
INT, LONG, STRING = (json.dumps({"type": kind}) for kind in ("int", "long", "string"))


@contextmanager
def serving(log_address: str, topic: str, output: Path) -> Iterator[str]:
    command = [sys.executable, "-c", "from kconnect_workers.cli import main; main()", "registry"]
    command += ["--listener", "http://127.0.0.1:0", "--topic", topic, "-b", log_address]
    with ServiceProcess("registry", command, log=output) as service:
        service.wait_until(lambda: READY.search(service.output()) is not None)
        found = READY.search(service.output())
        assert found
        yield found[1]


@pytest.fixture(scope="module")
def url(log_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(log_address, "_schemas", tmp_path_factory.mktemp("registry") / "output") as found:
        yield found


@pytest.fixture
def peer(url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": url}) as client:
        yield client


@pytest.fixture
def subject() -> str:
    """One that nobody else has used."""
    return f"s/{uuid.uuid4().hex[:12]}-value"


def avro(text: str, *references: SchemaReference) -> PeerSchema:
    return PeerSchema(text, "AVRO", list(references))


def refused(call: Any) -> tuple[int, int]:
    """HTTP's status and the registry's own number."""
    with pytest.raises(SchemaRegistryError) as caught:
        call()
    return caught.value.http_status_code, caught.value.error_code


def test_schemas_are_registered_once_and_found_again(peer: SchemaRegistryClient, subject: str) -> None:
    first = peer.register_schema(subject, avro(STRING))
    peer.clear_caches()
    assert peer.register_schema(subject, avro('"string"')) == first  # the same, said otherwise
    assert peer.register_schema(f"{subject}2", avro(STRING)) == first
    assert peer.get_versions(subject) == [1]
    found = peer.lookup_schema(subject, avro(STRING))
    assert (found.schema_id, found.version, found.subject) == (first, 1, subject)
    assert peer.get_schema(first).schema_str == '"string"'
    assert {subject, f"{subject}2"} <= set(peer.get_subjects())


def test_a_schema_has_to_fit_those_before_it(peer: SchemaRegistryClient, subject: str) -> None:
    peer.register_schema(subject, avro(INT))
    assert refused(lambda: peer.register_schema(subject, avro(STRING))) == (409, 409)
    assert not peer.test_compatibility(subject, avro(STRING))
    peer.register_schema(subject, avro(LONG))
    peer.set_compatibility(subject, level="FORWARD")
    assert peer.get_compatibility(subject) == "FORWARD"
    assert peer.test_compatibility(subject, avro(INT))
    peer.set_compatibility(subject, level="NONE")
    peer.register_schema(subject, avro(STRING))
    assert peer.get_versions(subject) == [1, 2, 3]


def test_versions_and_subjects_are_deleted_first_softly_and_then_for_good(
    peer: SchemaRegistryClient, subject: str
) -> None:
    schema_id = peer.register_schema(subject, avro(INT))
    peer.register_schema(subject, avro(LONG))
    assert peer.delete_version(subject, 1) == 1
    assert peer.get_versions(subject) == [2]
    assert refused(lambda: peer.delete_subject(subject, permanent=True)) == (404, 40405)
    assert peer.delete_subject(subject) == [2]
    assert refused(lambda: peer.get_versions(subject)) == (404, 40401)
    assert refused(lambda: peer.delete_subject(subject)) == (404, 40404)
    assert peer.delete_subject(subject, permanent=True) == [1, 2]
    assert peer.get_schema(schema_id).schema_str == '"int"'  # what was written with it can still be read


def test_a_schema_that_others_refer_to_is_not_deleted(peer: SchemaRegistryClient, subject: str) -> None:
    inner = '{"type": "record", "name": "Address", "namespace": "crm", "fields": [{"name": "city", "type": "string"}]}'
    outer = '{"type": "record", "name": "User", "fields": [{"name": "home", "type": "crm.Address"}]}'
    peer.register_schema(f"{subject}-inner", avro(inner))
    referring = avro(outer, SchemaReference("crm.Address", f"{subject}-inner", 1))
    assert peer.register_schema(subject, referring) > 0
    assert refused(lambda: peer.delete_subject(f"{subject}-inner")) == (422, 42206)
    unknown = avro(outer, SchemaReference("crm.Address", f"{subject}-none", 1))
    assert refused(lambda: peer.register_schema(subject, unknown)) == (422, 42201)


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/subjects/none/versions/1", None, 40401),
        ("GET", "/subjects/none/versions/0", None, 42202),
        ("GET", "/schemas/ids/987654321", None, 40403),
        ("POST", "/subjects/none", {"schema": '"int"'}, 40401),
        ("POST", "/subjects/none/versions", {"schema": "int}"}, 42201),
        ("POST", "/subjects/none/versions", {"schema": '"int"', "schemaType": "XML"}, 42201),
        ("POST", "/subjects/none/versions", {"schema": 'syntax = "x"', "schemaType": "PROTOBUF"}, 42201),
        ("POST", "/subjects/none/versions", {}, 422),
        ("GET", "/config/none", None, 40408),
        ("PUT", "/config", {"compatibility": "SOME"}, 42203),
        ("GET", "/mode/none", None, 40409),
        ("PUT", "/mode/none", {"mode": "SOME"}, 42204),
        ("GET", "/none", None, 404),
    ],
)
def test_what_is_refused_has_confluents_number(url: str, method: str, path: str, body: Any, code: int) -> None:
    answer = httpx.request(method, f"{url}{path}", json=body)
    assert (answer.json()["error_code"], answer.status_code) == (code, code // 100 if code > 1000 else code)
    assert answer.json()["message"]


def test_a_subject_can_be_read_only(url: str, peer: SchemaRegistryClient, subject: str) -> None:
    encoded = subject.replace("/", "%2F")
    assert httpx.get(f"{url}/mode").json() == {"mode": "READWRITE"}
    assert httpx.put(f"{url}/mode/{encoded}", json={"mode": "READONLY"}).json() == {"mode": "READONLY"}
    assert refused(lambda: peer.register_schema(subject, avro(INT))) == (422, 42205)
    assert httpx.delete(f"{url}/mode/{encoded}").json() == {"mode": "READONLY"}
    assert peer.register_schema(subject, avro(INT)) > 0


def test_web_pages_of_others_may_not_call(url: str) -> None:
    assert httpx.get(f"{url}/subjects", headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.get(f"{url}/subjects", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("kind", [AvroConverter, JsonSchemaConverter, ProtobufConverter])
@pytest.mark.parametrize(("schema", "value"), [(ORDER, VALUE), (STRING_SCHEMA, "x"), (INT64_SCHEMA, 5)])
def test_converters_write_and_read_by_it(
    url: str, subject: str, kind: type[Converter], schema: Schema, value: Any
) -> None:
    converter = kind()
    converter.configure({"schema.registry.url": url})
    written = converter.from_connect_data(subject, schema, value)
    read = converter.to_connect_data(subject, written)
    assert (read.value, read.schema and read.schema.type) == (value, schema.type)
    converter.close()


def test_a_field_can_be_added_in_every_format(url: str, subject: str) -> None:
    fields = {field.name: field.schema for field in ORDER.fields}
    more = ORDER.replace(fields=fields | {"added": OPTIONAL_STRING_SCHEMA})
    less = ORDER.replace(fields=fields | {"id": STRING_SCHEMA})
    for kind in (AvroConverter, JsonSchemaConverter, ProtobufConverter):
        converter = kind()
        converter.configure({"schema.registry.url": url})
        topic = f"{subject}-{kind.__name__}"
        converter.from_connect_data(topic, ORDER, VALUE)
        converter.from_connect_data(topic, more, VALUE | {"added": "x"})
        with pytest.raises(Exception, match=rf"not compatible with those of subject {topic}-value: data of version 2"):
            converter.from_connect_data(topic, less, VALUE | {"id": "x"})
        converter.close()


def test_confluents_deserializer_of_protobuf_gets_the_descriptor_that_it_asks_for(
    url: str, peer: SchemaRegistryClient, subject: str
) -> None:
    schema = ORDER.replace(fields={"id": INT64_SCHEMA, "price": decimal_schema(2)})
    converter = ProtobufConverter()
    converter.configure({"schema.registry.url": url})
    data = converter.from_connect_data(subject, schema, {"id": 7, "price": Decimal("1.50")})
    text = httpx.get(f"{url}/subjects/{subject.replace('/', '%2F')}-value/versions/1").json()["schema"]
    kind = message_class(parse_file(text, []).message([0]))
    deserialize = ProtobufDeserializer(kind, {"use.deprecated.format": False}, peer)
    read = deserialize(data, SerializationContext(subject, MessageField.VALUE))
    assert read is not None
    assert (read.id, read.price.value) == (7, b"\x00\x96")


def test_what_it_holds_outlives_it_in_confluents_records(log_address: str, tmp_path: Path) -> None:
    topic = f"_schemas-{uuid.uuid4().hex[:8]}"
    with serving(log_address, topic, tmp_path / "first") as url, SchemaRegistryClient({"url": url}) as peer:
        schema_id = peer.register_schema("s", avro(INT))
        peer.register_schema("s", avro(LONG))
        peer.set_compatibility("s", level="FULL")
        peer.register_schema("gone", avro(STRING))
        peer.delete_subject("gone")
    assert records(log_address, topic)[:3] == [
        (
            {"keytype": "SCHEMA", "subject": "s", "version": 1, "magic": 1},
            {"subject": "s", "version": 1, "id": schema_id, "schema": '"int"', "deleted": False},
        ),
        (
            {"keytype": "SCHEMA", "subject": "s", "version": 2, "magic": 1},
            {"subject": "s", "version": 2, "id": schema_id + 1, "schema": '"long"', "deleted": False},
        ),
        ({"keytype": "CONFIG", "subject": "s", "magic": 0}, {"compatibilityLevel": "FULL"}),
    ]
    with serving(log_address, topic, tmp_path / "second") as url, SchemaRegistryClient({"url": url}) as peer:
        assert peer.get_subjects() == ["s"]
        assert peer.get_versions("s") == [1, 2]
        assert peer.get_compatibility("s") == "FULL"
        assert peer.register_schema("other", avro('"boolean"')) == schema_id + 3


def records(log_address: str, topic: str) -> list[tuple[Any, Any]]:
    settings = {"bootstrap.servers": log_address, "group.id": "reader", "enable.partition.eof": True}
    consumer = Consumer(settings | {"auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found = []
    try:
        while (message := consumer.poll(30)) is not None and not message.error():
            found.append((json.loads(message.key() or b""), json.loads(message.value() or b"null")))
    finally:
        consumer.close()
    return found


def test_a_null_that_is_all_there_is_stays_one(url: str, subject: str) -> None:
    converter = JsonSchemaConverter()
    converter.configure({"schema.registry.url": url})
    written = converter.from_connect_data(subject, OPTIONAL_STRING_SCHEMA, None)
    assert converter.to_connect_data(subject, written) == SchemaAndValue(None, None)
    converter.close()
