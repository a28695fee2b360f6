"""Rows of a PostgreSQL table into a topic, and a topic's rows into PostgreSQL; 8 columns, one task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import TupleRow

from benchmarks.case import Case, Round, Size
from benchmarks.peers import JVM_SINK, System, both_systems, our_system
from benchmarks.pipeline import fill_topic, run_connector, unique
from benchmarks.sample import Sample
from services.postgres import running_postgres

__all__ = ["CASES"]

_ROWS = 1_000_000
_TABLE = """
    CREATE TABLE orders (
        id bigint PRIMARY KEY, customer_id integer NOT NULL, sku varchar(32) NOT NULL, qty integer NOT NULL,
        price double precision NOT NULL, paid boolean NOT NULL, created_at timestamp NOT NULL, note text
    )"""
_FILL = """
    INSERT INTO orders
    SELECT n, (n * 7919) %% 100000, 'SKU-' || lpad((n %% 50000)::text, 8, '0'), n %% 20 + 1, (n %% 10000) / 100.0,
           n %% 3 = 0, timestamp '2026-01-01' + n * interval '1 second',
           CASE WHEN n %% 5 = 0 THEN NULL ELSE 'note for order ' || n END
    FROM generate_series(1, %s::bigint) AS n"""
_FIELDS = (
    ("id", "int64", False, None),
    ("customer_id", "int32", False, None),
    ("sku", "string", False, None),
    ("qty", "int32", False, None),
    ("price", "double", False, None),
    ("paid", "boolean", False, None),
    ("created_at", "int64", False, "org.apache.kafka.connect.data.Timestamp"),
    ("note", "string", True, None),
)
_CHAIN = {
    "transforms": "i,r,c",
    "transforms.i.type": "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms.i.static.field": "src",
    "transforms.i.static.value": "bench",
    "transforms.r.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
    "transforms.r.exclude": "note",
    "transforms.r.renames": "sku:item_sku",
    "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value",
    "transforms.c.spec": "qty:int64,price:float32",
}
# Aiven's JDBC source 6.10 with tuned producer and batches, 200,000 rows, three runs on two cores: it is on no
# package registry, so it cannot be run in turn.
_RECORDED = {
    "json": {"rate": 69_474.0, "worker_cpu": 12.70, "broker_cpu": 2.0},
    "schemas": {"rate": 56_715.0, "worker_cpu": 16.50, "broker_cpu": 4.0},
    "schemas-transforms": {"rate": 51_090.0, "worker_cpu": 19.80, "broker_cpu": 4.0},
}


def _json(*, schemas: bool) -> dict[str, str]:
    return {
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": str(schemas).lower(),
    }


_SOURCES = {
    "json": _json(schemas=False),
    "schemas": _json(schemas=True),
    "schemas-transforms": {**_json(schemas=True), **_CHAIN},
}


@contextmanager
def source_sides(kind: str, size: Size, folder: Path) -> Iterator[dict[str, Round]]:
    rows = size.records(_ROWS)
    with running_postgres() as postgres_url, our_system(folder) as system:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(_TABLE)
            connection.execute(_FILL, (rows,))
            connection.execute("VACUUM ANALYZE orders")
        yield {
            "ours": partial(source_round, system, postgres_url, kind, rows),
            "recorded": partial(dict, _RECORDED[kind]),
        }


def source_round(system: System, postgres_url: str, kind: str, rows: int) -> Sample:
    prefix = unique("rows") + "-"
    config = {
        "connector.class": "io.aiven.connect.jdbc.JdbcSourceConnector",
        "connection.url": jdbc_url(postgres_url),
        "connection.user": "postgres",
        "mode": "incrementing",
        "incrementing.column.name": "id",
        "table.whitelist": "orders",
        "topic.prefix": prefix,
        "poll.interval.ms": "1000",
        **_SOURCES[kind],
    }
    topic = system.broker.new_topic(f"{prefix}orders")
    return run_connector(system, config, records=rows, moved=lambda: system.broker.records_in(topic))


@contextmanager
def sink_sides(mode: str, size: Size, folder: Path) -> Iterator[dict[str, Round]]:
    rows = size.records(_ROWS)
    tuning = {**JVM_SINK, "batch.size": "5000"}
    with (
        running_postgres() as postgres_url,
        both_systems(folder, plugins=("jdbc-sink",), tuning=tuning) as systems,
        psycopg.connect(postgres_url, autocommit=True) as connection,
    ):
        for system in systems.values():
            fill_topic(system, "orders", envelopes(rows))
        configs = {"ours": our_sink, "jvm": debezium_sink}
        yield {
            name: partial(sink_round, system, connection, configs[name](postgres_url, mode), rows)
            for name, system in systems.items()
        }


def envelopes(rows: int) -> Iterator[str]:
    """The same rows as JSON with their schema."""
    fields = [
        {"field": name, "type": kind, "optional": optional} | ({"name": logical, "version": 1} if logical else {})
        for name, kind, optional, logical in _FIELDS
    ]
    schema = json.dumps({"type": "struct", "fields": fields, "optional": False, "name": "orders"})
    for number in range(1, rows + 1):
        row = {
            "id": number,
            "customer_id": number * 7919 % 100_000,
            "sku": f"SKU-{number % 50_000:08}",
            "qty": number % 20 + 1,
            "price": number % 10_000 / 100,
            "paid": number % 3 == 0,
            "created_at": 1_767_225_600_000 + number * 1000,
            "note": None if number % 5 == 0 else f"note for order {number}",
        }
        yield f'{{"schema":{schema},"payload":{json.dumps(row)}}}'


def our_sink(postgres_url: str, mode: str) -> dict[str, str]:
    return {
        "connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector",
        "connection.url": jdbc_url(postgres_url),
        "connection.user": "postgres",
        "table.name.format": "{table}",
        "auto.create": "true",
        "insert.mode": mode,
        "pk.mode": "record_value",
        "pk.fields": "id",
    }


def debezium_sink(postgres_url: str, mode: str) -> dict[str, str]:
    return {
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "connection.url": f"{jdbc_url(postgres_url)}?reWriteBatchedInserts=true",
        "connection.username": "postgres",
        "connection.password": "",
        "collection.name.format": "{table}",
        "schema.evolution": "basic",
        "insert.mode": mode,
        "primary.key.mode": "record_value",
        "primary.key.fields": "id",
    }


def sink_round(
    system: System, connection: psycopg.Connection[TupleRow], template: Mapping[str, str], rows: int
) -> Sample:
    table = unique("orders").replace("-", "_")
    config = {key: value.replace("{table}", table) for key, value in template.items()}

    def arrived() -> int:
        """By the primary key, which grows: counting a table would cost the database as much as filling it."""
        [exists] = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone() or [False]
        if not exists:
            return 0
        [highest] = connection.execute(f"SELECT max(id) FROM {table}").fetchone() or [None]
        return highest or 0

    sample = run_connector(system, {**config, "topics": "orders", **_json(schemas=True)}, records=rows, moved=arrived)
    [count] = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or [0]
    if count != rows:
        raise RuntimeError(f"{count} of {rows} rows in {table}")
    connection.execute(f"DROP TABLE {table}")
    return sample


def jdbc_url(postgres_url: str) -> str:
    parts = urlsplit(postgres_url)
    return f"jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}"


CASES = (
    *(
        Case(
            f"rows-to-topic-{kind}", f"PostgreSQL source, {kind}; against recorded figures", partial(source_sides, kind)
        )
        for kind in _SOURCES
    ),
    *(
        Case(f"topic-to-postgres-{mode}", f"PostgreSQL sink, {mode}, against Debezium's", partial(sink_sides, mode))
        for mode in ("insert", "upsert")
    ),
)
