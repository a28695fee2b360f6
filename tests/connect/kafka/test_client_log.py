"""What clients say while brokers are away: events as librdkafka sends them, and brokers that answer or do not."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError

from kconnect.errors import ConnectError, RetriableError
from kconnect.kafka.client_log import ClientLog
from services.processes import poll_until

REFUSED = "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused"


class Brokers:
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog
        self.failure: ConnectError | None = None
        self.now = 1000.0
        self.remarks: list[str | None] = []
        self.log = ClientLog(
            logging.getLogger("clients"),
            self.probe,
            remark=self.remarks.append,
            interval_s=0.001,
            clock=lambda: self.now,
        )

    def probe(self) -> None:
        if self.failure is not None:
            raise self.failure

    def go(self) -> None:
        """As librdkafka tells of it."""
        self.failure = RetriableError("nobody there")
        self.log.log(logging.ERROR, "%s [%s] %s", "FAIL", "sink#consumer-1", REFUSED)
        self.log.error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
        for ms in range(100):
            more = f", {ms} identical error(s) suppressed" if ms else ""
            self.log.error(KafkaError(KafkaError._TRANSPORT, f"{REFUSED} (after {ms}ms in state CONNECT{more})"))
            self.log.error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))

    def come_back(self, failure: ConnectError | None = None) -> None:
        told = len(self.remarks)
        self.failure = failure
        assert poll_until(lambda: len(self.remarks) > told and "answer again" in self.messages[-1], timeout=10)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.caplog.records if record.levelno >= logging.INFO]


@pytest.fixture
def brokers(caplog: pytest.LogCaptureFixture) -> Iterator[Brokers]:
    caplog.set_level(logging.INFO)
    brokers = Brokers(caplog)
    yield brokers
    brokers.failure = None


def test_an_absence_is_told_once_with_its_reason_and_so_is_its_end(brokers: Brokers) -> None:
    brokers.go()
    away, reason = brokers.messages
    assert away.startswith("no broker answers since 20")
    assert reason == REFUSED.replace("/bootstrap", "")
    assert brokers.remarks == [away]
    brokers.now += 30
    brokers.come_back()
    assert brokers.messages[2:] == ["brokers answer again, after 30 s"]
    assert brokers.remarks == [away, None]


def test_another_absence_is_told_again_and_its_reason_after_a_while(brokers: Brokers) -> None:
    brokers.go()
    brokers.come_back()
    brokers.go()
    brokers.come_back()
    assert len(brokers.messages) == 5
    brokers.now += 300
    brokers.go()
    assert len(brokers.messages) == 7
    brokers.come_back()


def test_a_broker_that_refuses_is_there(brokers: Brokers) -> None:
    brokers.go()
    brokers.come_back(ConnectError("not for you"))


def test_of_several_brokers_one_may_be_away(brokers: Brokers) -> None:
    for broker in (1, 2, 1, 2):
        brokers.log.error(KafkaError(KafkaError._TRANSPORT, f"broker-{broker}:9092/{broker}: Connection refused"))
    assert brokers.messages == ["broker-1:9092: Connection refused", "broker-2:9092: Connection refused"]
    assert brokers.remarks == []


def test_what_is_not_of_connections_is_said_as_it_is(brokers: Brokers) -> None:
    brokers.log.log(logging.WARNING, "%s [%s] %s", "MAXPOLL", "sink#consumer-1", "leaving the group")
    assert brokers.messages == ["MAXPOLL [sink#consumer-1] leaving the group"]
