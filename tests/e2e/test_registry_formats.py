"""Whole pipelines with a real schema registry: a database, the log in Avro, JSON Schema or Protobuf, a database."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from services.processes import free_ports, poll_until
from services.worker import running_worker

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

SECONDS = 60.0
ROWS: list[tuple[Any, ...]] = [(1, "Ada", 1.5, None), (2, "Grace", 2.25, b"\x00\xff"), (3, "Ünal", -0.0, b"")]


LONG_KEYS = {"key.converter": "org.apache.kafka.connect.converters.LongConverter"}
JAVA = "io.confluent.connect"


def converted(name: str, registry: str, *sides: str, **settings: str) -> dict[str, str]:
    """The worker's settings for a converter of Confluent's name."""
    settings = {"schema.registry.url": registry} | {key.replace("_", "."): value for key, value in settings.items()}
    return {
        f"{side}.converter{key}": value
        for side in sides
        for key, value in {"": f"{JAVA}.{name}", **{f".{key}": value for key, value in settings.items()}}.items()
    }


def connectors(folder: Path, topic: str) -> list[dict[str, Any]]:
    source = {
        "connector.class": "SqlSource",
        "connection.url": f"jdbc:sqlite:{folder / 'shop.db'}",
        "table.whitelist": topic,
        "mode": "incrementing",
        "incrementing.column.name": "id",
        "topic.prefix": "",
        "poll.interval.ms": "100",
        "transforms": "key,id",
        "transforms.key.type": "org.apache.kafka.connect.transforms.ValueToKey",
        "transforms.key.fields": "id",
        "transforms.id.type": "org.apache.kafka.connect.transforms.ExtractField$Key",
        "transforms.id.field": "id",
    }
    sink = {
        "connector.class": "SqlSink",
        "topics": topic,
        "connection.url": f"jdbc:sqlite:{folder / 'warehouse.db'}",
        "insert.mode": "upsert",
        "pk.mode": "record_key",
        "pk.fields": "id",
        "auto.create": "true",
    }
    return [{"name": "source", "config": source}, {"name": "sink", "config": sink}]


def rows(file: Path, table: str) -> list[tuple[Any, ...]]:
    if not file.exists():
        return []
    with closing(sqlite3.connect(file, timeout=30)) as database:
        try:
            return database.execute(f'SELECT id, name, price, photo FROM "{table}" ORDER BY id').fetchall()
        except sqlite3.OperationalError:  # no such table yet
            return []


def shop_of(folder: Path) -> str:
    """A database with the rows, in a table whose name, the topic's, nobody else uses."""
    topic = f"orders_{uuid.uuid4().hex[:8]}"
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        shop.execute(f"CREATE TABLE {topic} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, photo BLOB)")
        shop.executemany(f"INSERT INTO {topic} VALUES (?, ?, ?, ?)", ROWS)
        shop.commit()
    return topic


def test_rows_go_through_avro_from_one_database_to_another(tmp_path: Path, schema_registry_url: str) -> None:
    topic = shop_of(tmp_path)
    [port] = free_ports(1)
    log = {"embedded.log.listeners": f"PLAINTEXT://127.0.0.1:{port}"}
    props = log | converted("avro.AvroConverter", schema_registry_url, "key", "value")
    with running_worker(tmp_path, props, connectors(tmp_path, topic)) as worker:
        arrived = poll_until(lambda: len(rows(tmp_path / "warehouse.db", topic)) == len(ROWS), timeout=SECONDS)
        assert arrived, worker.get("/connectors?expand=status")
        assert rows(tmp_path / "warehouse.db", topic) == ROWS
        assert read_by_the_peer(topic, port, schema_registry_url) == [
            (id_, {"id": id_, "name": name, "price": price, "photo": photo}) for id_, name, price, photo in ROWS
        ]


def test_rows_go_through_json_schema(tmp_path: Path, schema_registry_url: str) -> None:
    """The registry of the tests takes no JSON Schema of a number, so the keys are written otherwise."""
    arrives(tmp_path, LONG_KEYS | converted("json.JsonSchemaConverter", schema_registry_url, "value"))


def test_rows_go_through_protobuf(tmp_path: Path, schema_registry_url: str) -> None:
    settings = {"wrapper_for_nullables": "true"}  # tells null from nothing
    arrives(tmp_path, converted("protobuf.ProtobufConverter", schema_registry_url, "key", "value", **settings))


def test_a_workers_own_registry_is_enough(tmp_path: Path) -> None:
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    props = converted("json.JsonSchemaConverter", url, "key", "value")
    arrives(tmp_path, props | {"embedded.schema.registry.listener": url})


def arrives(folder: Path, props: dict[str, str]) -> None:
    topic = shop_of(folder)
    with running_worker(folder, props, connectors(folder, topic)) as worker:
        arrived = poll_until(lambda: len(rows(folder / "warehouse.db", topic)) == len(ROWS), timeout=SECONDS)
        assert arrived, worker.get("/connectors?expand=status")
        assert rows(folder / "warehouse.db", topic) == ROWS


def read_by_the_peer(topic: str, port: int, registry: str) -> list[tuple[Any, Any]]:
    """Keys and values as Confluent's deserializer has them."""
    settings = {"bootstrap.servers": f"127.0.0.1:{port}", "group.id": "peer", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    messages: list[Any] = []

    def has_all() -> bool:
        messages.extend(consumer.consume(10, 0.2))
        return len(messages) >= len(ROWS)

    try:
        assert poll_until(has_all, timeout=SECONDS)
    finally:
        consumer.close()
    with SchemaRegistryClient({"url": registry}) as client:
        deserialize = AvroDeserializer(client)
        return [
            (
                deserialize(message.key(), SerializationContext(topic, MessageField.KEY)),
                deserialize(message.value(), SerializationContext(topic, MessageField.VALUE)),
            )
            for message in messages
        ]
