"""Entries are acknowledged, or there is an error that says so."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect.errors import ConfigError, ConnectError
from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.stores.entry_log import Entry
from kconnect_workers.stores.topic_writer import write_entries

AWAY = {"bootstrap.servers": "127.0.0.1:9", "log_level": 0}


def test_the_ends_of_what_was_written_are_told_by_partition() -> None:
    with EmbeddedLog() as log:
        admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
        admin.create_topics([NewTopic("t", 3, 1)])["t"].result(30)
        producer = Producer({"bootstrap.servers": log.bootstrap_servers})
        entries: list[Entry] = [(b"%d" % number, None) for number in range(100)]
        ends = write_entries(producer, "t", entries, 30)
        assert (sum(ends.values()), {topic for topic, _ in ends}) == (100, {"t"})
        (place, end), *others = write_entries(producer, "t", [(b"7", b"v")], 30).items()
        assert (end, others) == (ends[place] + 1, [])
        with pytest.raises(ConfigError, match="2000000 bytes are more than topic t keeps of large"):
            write_entries(producer, "t", [(b"small", b"v"), (b"large", b"v" * 2_000_000)], 30)


def test_a_broker_that_is_away_costs_no_more_than_the_time_allowed() -> None:
    with pytest.raises(ConnectError, match=r"topic t has not acknowledged after 0\.2 s"):
        write_entries(Producer(AWAY), "t", [(b"k", b"v")], 0.2)


def test_a_queue_that_stays_full_is_an_error() -> None:
    producer = Producer({**AWAY, "queue.buffering.max.messages": 1})
    with pytest.raises(ConnectError, match="topic t cannot be written: the producer's queue is full"):
        write_entries(producer, "t", [(b"k", b"v"), (b"k", b"w")], 0.2)
