"""A commit ends, whatever the broker does."""

from __future__ import annotations

import os
import signal

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect import kafka
from kconnect.record import TopicPartition
from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.tasks.offset_committer import OffsetCommitter
from services.processes import poll_until

PLACE = TopicPartition("t", 0)


def test_a_broker_that_does_not_answer_costs_no_more_than_the_time_allowed_and_the_next_commit_succeeds() -> None:
    with EmbeddedLog() as log:
        admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
        admin.create_topics([NewTopic("t", 1, 1)])["t"].result(30)
        consumer = kafka.consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "g"})
        OffsetCommitter(consumer, 30).commit({PLACE: 1})
        committer = OffsetCommitter(consumer, 0.2)
        os.kill(log.pid, signal.SIGSTOP)
        try:
            for offset in (2, 3):
                with pytest.raises(KafkaException, match=r"no answer within 0\.2 s") as raised:
                    committer.commit({PLACE: offset})
                assert raised.value.args[0].code() == KafkaError._TIMED_OUT
            assert committer.is_under_way
        finally:
            os.kill(log.pid, signal.SIGCONT)
        assert poll_until(lambda: not committer.is_under_way, timeout=30)
        OffsetCommitter(consumer, 30).commit({PLACE: 4})
        (committed,) = consumer.committed([confluent_kafka.TopicPartition("t", 0)], timeout=30)
        assert committed.offset == 4
        consumer.close()


def test_a_commit_that_cannot_be_tried_is_no_commit() -> None:
    consumer = kafka.consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g"})
    consumer.close()
    with pytest.raises(RuntimeError, match="closed"):
        OffsetCommitter(consumer, 30).commit({PLACE: 1})


def test_an_offset_that_the_broker_refuses_is_an_error() -> None:
    with EmbeddedLog() as log:
        consumer = kafka.consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "g"})
        with pytest.raises(KafkaException) as refused:
            OffsetCommitter(consumer, 30).commit({TopicPartition("t", -5): 1})
        assert refused.value.args[0].code() != KafkaError._TIMED_OUT
        consumer.close()
