"""The short way of Produce answers as the general one does, byte for byte, or stands aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kconnect.log.api.produce import ProduceApi
from kconnect.log.api.produce_shortcut import ProduceShortcut
from kconnect.log.clock import SteadyClock
from kconnect.log.coordinators.coordinator import GroupCoordinator
from kconnect.log.coordinators.end_markers import EndMarkers
from kconnect.log.coordinators.offsets_log import OffsetsLog
from kconnect.log.coordinators.transaction_coordinator import TransactionCoordinator
from kconnect.log.coordinators.transaction_log import TransactionLog
from kconnect.log.loop import Loop
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.frame import RequestHeader, request_frame, response_frame
from kconnect.log.settings import BrokerSettings
from kconnect.log.storage.data_dir import DataDir
from kconnect.log.storage.producer_ids import ProducerIds
from kconnect.log.storage.syncer import Syncer
from kconnect.log.storage.topic_store import TopicStore
from kconnect.log.topic_admin import TopicAdmin
from kconnect.testing.raw_client import batch_of, produce_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Fixture:
    """A topic store, and both ways to append to it."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = DataDir.open(folder)
        self.loop = Loop()
        self.syncer = Syncer(self.loop.call_soon)
        self.topics = TopicStore(self.data_dir, self.syncer.mark_dirty)
        self.topics.open()
        self.general = ProduceApi(self.topics, self._transactions(folder), self.syncer, self.loop)
        self.shortcut = ProduceShortcut(self.topics, self.general)

    def _transactions(self, folder: Path) -> TransactionCoordinator:
        settings = BrokerSettings()
        admin = TopicAdmin(self.topics, self.syncer, settings, on_delete=lambda _: None)
        groups = GroupCoordinator(self.loop, OffsetsLog(self.topics, admin, self.syncer), initial_rebalance_delay=0)
        return TransactionCoordinator(
            self.loop,
            TransactionLog(self.topics, admin, self.syncer),
            EndMarkers(self.topics, groups),
            self.syncer,
            ProducerIds(folder / "producer-ids"),
            SteadyClock(),
            settings,
        )

    def close(self) -> None:
        self.syncer.close(list(self.topics.partitions()))
        self.topics.close()
        self.data_dir.close()
        self.loop.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Fixture]:
    log = Fixture(tmp_path / "data")
    yield log
    log.close()


def frame_of(request: requests.Produce, version: int, client_id: str | None = "client") -> memoryview:
    header = RequestHeader(ApiKey.PRODUCE, version, 4711, client_id)
    return memoryview(bytearray(b"".join(bytes(part) for part in request_frame(header, request)))[4:])


@pytest.mark.parametrize("version", range(7, 13))
@pytest.mark.parametrize("size", [0, 50, 127, 128, 20_000])
@pytest.mark.parametrize("client_id", ["rdkafka", "", None])
def test_the_answer_is_that_of_the_codec(log: Fixture, version: int, size: int, client_id: str | None) -> None:
    name = "a.topic-with_a.name"
    topic = log.topics.create(name, 3, {})
    frame = frame_of(produce_request(batch_of(b"x" * size), topic=name, index=2), version, client_id)
    for offset in range(3):
        answer = log.shortcut(frame)
        partition = responses.Produce.PartitionProduceResponse(index=2, base_offset=offset, log_start_offset=0)
        partition.log_append_time_ms = -1
        in_topic = responses.Produce.TopicProduceResponse(name=name, partition_responses=[partition])
        expected = responses.Produce(responses=[in_topic])
        whole = b"".join(bytes(part) for part in response_frame(ApiKey.PRODUCE, version, 4711, expected))
        assert answer == whole
    assert topic.partitions[2].log_end_offset == 3


def two_partitions() -> requests.Produce:
    request = produce_request(batch_of(b"x"))
    data = requests.Produce.PartitionProduceData(index=1, records=batch_of(b"y"))
    request.topic_data[0].partition_data = [*request.topic_data[0].partition_data, data]
    return request


def in_a_transaction() -> requests.Produce:
    request = produce_request(batch_of(b"x"))
    request.transactional_id = "t"
    return request


@pytest.mark.parametrize("version", [3, 6, 7, 8, 9, 12])
@pytest.mark.parametrize(
    "request_",
    [
        two_partitions(),
        in_a_transaction(),
        produce_request(batch_of(b"x"), acks=0),
        produce_request(batch_of(b"x"), acks=5),
        produce_request(batch_of(b"x"), topic="none"),
        produce_request(batch_of(b"x"), topic="__consumer_offsets"),
        produce_request(batch_of(b"x"), topic="synced"),
        produce_request(batch_of(b"x"), topic="stamped"),
        produce_request(batch_of(b"x"), topic="n" * 200),
        produce_request(batch_of(b"x"), index=9),
        produce_request(batch_of(b"x"), index=-1),
        produce_request(batch_of(b"x")[:-1]),
        produce_request(b""),
    ],
)
def test_what_is_unusual_is_left_alone(log: Fixture, version: int, request_: requests.Produce) -> None:
    log.topics.create("t", 2, {})
    log.topics.create("__consumer_offsets", 1, {})
    log.topics.create("synced", 1, {"flush.messages": "1"})
    log.topics.create("stamped", 1, {"message.timestamp.type": "LogAppendTime"})
    assert log.shortcut(frame_of(request_, version)) is None
    assert {partition.log_end_offset for partition in log.topics.partitions()} == {0}


@pytest.mark.parametrize("version", range(7, 13))
def test_a_frame_that_is_cut_anywhere_is_left_alone(log: Fixture, version: int) -> None:
    topic = log.topics.create("t", 1, {})
    frame = frame_of(produce_request(batch_of(b"x" * 100)), version)
    for size in range(4, len(frame)):
        assert log.shortcut(frame[:size]) is None
    assert topic.partitions[0].log_end_offset == 0
