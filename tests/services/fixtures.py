"""Fixtures over the real services; each service starts once a session, when the first test asks for it."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from services.kafka.broker import running_kafka
from services.kafka.tools import JavaTools
from services.mongodb import mongo_client, running_mongodb
from services.postgres import running_postgres
from services.redis import redis_client, running_redis
from services.schema_registry import running_schema_registry

__all__ = [
    "kafka_bootstrap",
    "kafka_tools",
    "kcat",
    "mongodb_url",
    "postgres_database",
    "postgres_url",
    "redis_url",
    "schema_registry_url",
]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server (`wal_level=logical`) as a superuser: $KCONNECT_TEST_POSTGRES_URL or our own."""
    given = os.environ.get("KCONNECT_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """URL of an empty database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def redis_server_url() -> Iterator[str]:
    given = os.environ.get("KCONNECT_TEST_REDIS_URL")
    if given:
        yield given
        return
    with running_redis() as server:
        yield server.url


@pytest.fixture
def redis_url(redis_server_url: str) -> str:
    """URL of an empty database of a Redis that publishes changes of keys: $KCONNECT_TEST_REDIS_URL or our own."""
    with redis_client(redis_server_url) as client:
        client.flushdb()
    return redis_server_url


@pytest.fixture(scope="session")
def mongodb_server_url() -> Iterator[str]:
    given = os.environ.get("KCONNECT_TEST_MONGODB_URL")
    if given:
        yield given
        return
    with running_mongodb() as server:
        yield server.url


@pytest.fixture
def mongodb_url(mongodb_server_url: str) -> str:
    """URL of a MongoDB, or FerretDB, whose database `shop` is empty: $KCONNECT_TEST_MONGODB_URL or our own."""
    with mongo_client(mongodb_server_url) as client:
        client.drop_database("shop")
    return mongodb_server_url


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Apache Kafka: $KCONNECT_TEST_KAFKA_BOOTSTRAP or our own on one node."""
    given = os.environ.get("KCONNECT_TEST_KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    with running_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka.bootstrap


@pytest.fixture(scope="session")
def schema_registry_url() -> Iterator[str]:
    """URL of a schema registry of Confluent's protocol: $KCONNECT_TEST_SCHEMA_REGISTRY_URL or our own."""
    given = os.environ.get("KCONNECT_TEST_SCHEMA_REGISTRY_URL")
    if given:
        yield given
        return
    with running_schema_registry() as url:
        yield url


@pytest.fixture(scope="session")
def kafka_tools() -> JavaTools:
    """Apache Kafka's command line tools."""
    return JavaTools()


@pytest.fixture(scope="session")
def kcat() -> str:
    """The path of the kcat program."""
    path = shutil.which("kcat")
    assert path, "selected only where kcat is installed"
    return path
