"""The same tests against the embedded log and against the real Apache Kafka."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect.testing.broker import EmbeddedLog
from services.processes import poll_until


@dataclass(frozen=True, slots=True)
class Cluster:
    """One broker, and names on it that no other test uses."""

    bootstrap: str
    admin: AdminClient

    def new_topic(self, partitions: int = 1, **config: str) -> str:
        name = unique("topic")
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        self.admin.create_topics([topic])[name].result(30)
        # A broker's metadata follows a moment behind its answer.
        assert poll_until(lambda: name in self.admin.list_topics(timeout=30).topics, timeout=30)
        return name


def cluster_at(bootstrap: str) -> Cluster:
    return Cluster(bootstrap, AdminClient({"bootstrap.servers": bootstrap}))


def unique(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session", params=["embedded", pytest.param("kafka", marks=pytest.mark.needs("kafka"))])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    if request.param == "kafka":
        yield cluster_at(request.getfixturevalue("kafka_bootstrap"))
    else:
        with EmbeddedLog() as log:
            yield cluster_at(log.bootstrap_servers)
