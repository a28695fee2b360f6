"""What transactional requests are answered, code by code: the same by the embedded log and by the real Apache Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.batch import Attribute
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of, produce_request

pytestmark = pytest.mark.interop

RETRIED = (
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
)


class Session:
    """One transactional producer, request by request."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        self.raw = RawClient(bootstrap)
        self.topic = topic
        self.group = group
        self.id = f"tx-{topic}"
        self.producer = (-1, -1)
        self.sequence = 0
        for name, key_type in ((self.id, 1), (group, 0)):  # by that Kafka makes the topics of its coordinators
            self.until_done(ApiKey.FIND_COORDINATOR, 3, requests.FindCoordinator(key=name, key_type=key_type))

    def until_done(self, key: ApiKey, version: int, message: Any) -> Any:
        """The answer, once it is none that asks for patience."""
        deadline = Deadline(30)
        while True:
            answer = self.raw.call(key, version, message)
            if answer.error_code not in RETRIED:
                return answer
            deadline.check(f"{key.name} is answered {ErrorCode(answer.error_code).name} all the time")

    def init(self, *, version: int = 4, expected: tuple[int, int] = (-1, -1), timeout_ms: int = 60_000) -> str:
        message = requests.InitProducerId(
            transactional_id=self.id,
            transaction_timeout_ms=timeout_ms,
            producer_id=expected[0],
            producer_epoch=expected[1],
        )
        answer = self.until_done(ApiKey.INIT_PRODUCER_ID, version, message)
        if answer.error_code == ErrorCode.NONE:
            self.producer = answer.producer_id, answer.producer_epoch
            self.sequence = 0
        return ErrorCode(answer.error_code).name

    def add(
        self,
        *,
        version: int = 3,
        topic: str | None = None,
        partition: int = 0,
        producer: tuple[int, int] | None = None,
        transactional_id: str | None = None,
    ) -> str:
        producer_id, epoch = producer or self.producer
        topics = [requests.AddPartitionsToTxn.Topic(name=topic or self.topic, partitions=[partition])]
        name = self.id if transactional_id is None else transactional_id
        if version < 4:
            message = requests.AddPartitionsToTxn(
                v3_and_below_transactional_id=name,
                v3_and_below_producer_id=producer_id,
                v3_and_below_producer_epoch=epoch,
                v3_and_below_topics=topics,
            )
        else:
            transaction = requests.AddPartitionsToTxn.Transaction(
                transactional_id=name, producer_id=producer_id, producer_epoch=epoch, verify_only=False, topics=topics
            )
            message = requests.AddPartitionsToTxn(transactions=[transaction])
        deadline = Deadline(30)
        while True:
            answer = self.raw.call(ApiKey.ADD_PARTITIONS_TO_TXN, version, message)
            results = answer.results_by_topic_v3_and_below or answer.results_by_transaction[0].topic_results
            code = results[0].results_by_partition[0].partition_error_code
            if code not in RETRIED:
                return ErrorCode(code).name
            deadline.check("the last transaction does not end")

    def produce(self, *, version: int = 9, partition: int = 0, producer: tuple[int, int] | None = None) -> str:
        producer_id, epoch = producer or self.producer
        batch = batch_of(
            b"x",
            attributes=Attribute.TRANSACTIONAL,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=self.sequence,
        )
        message = produce_request(batch, topic=self.topic, index=partition)
        message.transactional_id = self.id
        deadline = Deadline(30)
        while True:
            answer = self.raw.call(ApiKey.PRODUCE, version, message).responses[0].partition_responses[0]
            if answer.error_code not in RETRIED:
                break
            deadline.check("the last transaction does not end")
        if answer.error_code == ErrorCode.NONE:
            self.sequence += 1
        return ErrorCode(answer.error_code).name

    def add_offsets(self, *, version: int = 3) -> str:
        producer_id, epoch = self.producer
        message = requests.AddOffsetsToTxn(
            transactional_id=self.id, producer_id=producer_id, producer_epoch=epoch, group_id=self.group
        )
        return ErrorCode(self.until_done(ApiKey.ADD_OFFSETS_TO_TXN, version, message).error_code).name

    def commit_offset(
        self, offset: int, *, version: int = 3, member: tuple[str, int] = ("", -1), topic: str | None = None
    ) -> str:
        producer_id, epoch = self.producer
        partition = requests.TxnOffsetCommit.Partition(partition_index=0, committed_offset=offset)
        message = requests.TxnOffsetCommit(
            transactional_id=self.id,
            group_id=self.group,
            producer_id=producer_id,
            producer_epoch=epoch,
            member_id=member[0],
            generation_id=member[1],
            topics=[requests.TxnOffsetCommit.Topic(name=topic or self.topic, partitions=[partition])],
        )
        deadline = Deadline(30)
        while True:
            answer = self.raw.call(ApiKey.TXN_OFFSET_COMMIT, version, message)
            code = answer.topics[0].partitions[0].error_code
            if code not in RETRIED:
                return ErrorCode(code).name
            deadline.check("the group's coordinator does not come up")

    def end(
        self,
        *,
        commit: bool = True,
        version: int = 3,
        producer: tuple[int, int] | None = None,
        transactional_id: str | None = None,
    ) -> str:
        producer_id, epoch = producer or self.producer
        message = requests.EndTxn(
            transactional_id=self.id if transactional_id is None else transactional_id,
            producer_id=producer_id,
            producer_epoch=epoch,
            committed=commit,
        )
        return ErrorCode(self.until_done(ApiKey.END_TXN, version, message).error_code).name

    def offset(self, *, require_stable: bool = True) -> tuple[str, int]:
        """(code, committed offset) of the group for partition 0."""
        message = requests.OffsetFetch(
            group_id=self.group,
            topics=[requests.OffsetFetch.Topic(name=self.topic, partition_indexes=[0])],
            require_stable=require_stable,
        )
        answer = self.raw.call(ApiKey.OFFSET_FETCH, 7, message)
        partition = answer.topics[0].partitions[0]
        return ErrorCode(partition.error_code).name, partition.committed_offset


@pytest.fixture
def session(cluster) -> Iterator[Session]:
    topic = cluster.new_topic(partitions=2)
    session = Session(cluster.bootstrap, topic, f"group-{topic}")
    with session.raw:
        deadline = Deadline(30)
        message = requests.Metadata(topics=[requests.Metadata.Topic(name=topic)])
        while session.raw.call(ApiKey.METADATA, 9, message).topics[0].error_code != ErrorCode.NONE:
            deadline.check(f"{topic} does not appear")
        yield session


def test_a_transaction_may_be_ended_again_but_not_otherwise(session: Session) -> None:
    assert session.init() == "NONE"
    assert session.end() == "INVALID_TXN_STATE"
    assert session.add() == "NONE"
    assert session.add() == "NONE"
    assert session.produce() == "NONE"
    assert session.end() == "NONE"
    assert session.end() == "NONE"
    assert session.end(commit=False) == "INVALID_TXN_STATE"
    assert session.add(version=4) == "NONE"
    assert session.end(commit=False) == "NONE"
    assert session.end(commit=True) == "INVALID_TXN_STATE"


@pytest.mark.parametrize("version", [0, 3])
def test_strangers_are_told_that_the_id_is_not_theirs(session: Session, version: int) -> None:
    fenced = "PRODUCER_FENCED" if version == 3 else "INVALID_PRODUCER_EPOCH"
    session.init()
    session.init()
    producer_id, epoch = session.producer
    assert epoch == 1

    assert session.add(version=version, producer=(producer_id, 0)) == fenced
    assert session.add(version=version, producer=(producer_id, 2)) == fenced
    assert session.add(version=version, producer=(producer_id + 10_000, 1)) == "INVALID_PRODUCER_ID_MAPPING"
    assert session.add(version=version, transactional_id="nobody") == "INVALID_PRODUCER_ID_MAPPING"
    assert session.add(version=version, transactional_id="") == "INVALID_REQUEST"
    assert session.end(version=version, producer=(producer_id, 0)) == fenced
    assert session.end(version=version, producer=(producer_id + 10_000, 1)) == "INVALID_PRODUCER_ID_MAPPING"
    assert session.end(version=version, transactional_id="nobody") == "INVALID_PRODUCER_ID_MAPPING"


def test_partitions_that_cannot_be_written_to_are_not_added(session: Session) -> None:
    session.init()

    assert session.add(topic="not-there") == "UNKNOWN_TOPIC_OR_PARTITION"
    assert session.add(partition=7) == "UNKNOWN_TOPIC_OR_PARTITION"
    assert session.end() == "INVALID_TXN_STATE"


@pytest.mark.parametrize(("version", "refusal"), [(9, "INVALID_TXN_STATE"), (11, "TRANSACTION_ABORTABLE")])
def test_batches_for_partitions_outside_of_the_transaction_are_refused(
    session: Session, version: int, refusal: str
) -> None:
    session.init()

    assert session.produce(version=version) == refusal
    session.add()
    assert session.produce(version=version, partition=1) == refusal
    assert session.produce(version=version) == "NONE"
    session.end()
    session.add(partition=1)  # which waits for the markers: until then Apache Kafka takes late batches
    assert session.produce(version=version) == refusal


def test_a_fenced_producer_writes_nothing_any_more(session: Session) -> None:
    session.init()
    session.add()
    session.produce()
    zombie = session.producer

    session.init()

    assert session.producer[0] == zombie[0]
    assert session.producer[1] > zombie[1]
    assert session.produce(producer=zombie) == "INVALID_PRODUCER_EPOCH"
    assert session.add(producer=zombie) == "PRODUCER_FENCED"
    assert session.end(producer=zombie) == "PRODUCER_FENCED"
    assert session.end(version=1, producer=zombie) == "INVALID_PRODUCER_EPOCH"


def test_a_producer_that_says_who_it_is_gets_its_next_epoch(session: Session) -> None:
    session.init()
    first = session.producer

    assert session.init(expected=first) == "NONE"
    bumped = session.producer
    assert session.init(expected=first) == "NONE"  # its answer was lost, say
    assert session.producer == bumped == (first[0], 1)
    session.init()
    assert session.producer == (first[0], 2)
    assert session.init(expected=bumped) == "PRODUCER_FENCED"
    assert session.init(expected=bumped, version=3) == "INVALID_PRODUCER_EPOCH"
    assert session.init(expected=(first[0] + 10_000, 0)) == "PRODUCER_FENCED"


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001])
def test_times_out_of_bounds_are_refused(session: Session, timeout_ms: int) -> None:
    assert session.init(timeout_ms=timeout_ms) == "INVALID_TRANSACTION_TIMEOUT"


def test_an_empty_id_is_refused(session: Session) -> None:
    session.id = ""
    assert session.init() == "INVALID_REQUEST"


def test_offsets_count_when_their_transaction_is_committed(session: Session) -> None:
    session.init()

    assert session.add_offsets() == "NONE"
    assert session.commit_offset(5) == "NONE"
    assert session.offset() == ("UNSTABLE_OFFSET_COMMIT", -1)
    assert session.offset(require_stable=False) == ("NONE", -1)
    assert session.end() == "NONE"
    deadline = Deadline(30)
    while session.offset()[0] != "NONE":
        deadline.check("the marker does not come")
    assert session.offset() == ("NONE", 5)


@pytest.mark.parametrize(("version", "refusal"), [(3, "INVALID_TXN_STATE"), (4, "TRANSACTION_ABORTABLE")])
def test_offsets_outside_of_the_transaction_are_refused(session: Session, version: int, refusal: str) -> None:
    session.init()
    session.add()

    assert session.commit_offset(5, version=version) == refusal


def test_offsets_of_members_that_are_none_are_refused(session: Session) -> None:
    session.init()
    session.add_offsets()

    assert session.commit_offset(5, member=("m", 3)) == "ILLEGAL_GENERATION"  # there is no group yet
    assert session.commit_offset(5) == "NONE"
    assert session.commit_offset(5, member=("m", 3)) == "UNKNOWN_MEMBER_ID"
    assert session.commit_offset(5, member=("m", -1)) == "NONE"  # the group is empty
    assert session.commit_offset(5, topic="not-there") == "UNKNOWN_TOPIC_OR_PARTITION"
    assert session.end() == "NONE"


def test_a_batch_of_a_transaction_without_its_id_is_refused(session: Session) -> None:
    session.init()
    session.add()
    producer_id, epoch = session.producer
    batch = batch_of(
        b"x", attributes=Attribute.TRANSACTIONAL, producer_id=producer_id, producer_epoch=epoch, base_sequence=0
    )

    answer = session.raw.produce(batch, topic=session.topic)

    assert ErrorCode(answer.error_code) is ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_a_marker_is_written_only_by_the_latest_coordinator(session: Session) -> None:
    session.init()
    session.add()
    session.produce()
    producer_id, epoch = session.producer

    def mark(coordinator_epoch: int, producer_epoch: int = epoch, partition: int = 0) -> str:
        topic = requests.WriteTxnMarkers.WritableTxnMarkerTopic(name=session.topic, partition_indexes=[partition])
        marker = requests.WriteTxnMarkers.WritableTxnMarker(
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            transaction_result=False,
            topics=[topic],
            coordinator_epoch=coordinator_epoch,
        )
        answer = session.raw.call(ApiKey.WRITE_TXN_MARKERS, 1, requests.WriteTxnMarkers(markers=[marker]))
        return ErrorCode(answer.markers[0].topics[0].partitions[0].error_code).name

    assert mark(10) == "NONE"
    assert mark(9) == "TRANSACTION_COORDINATOR_FENCED"
    assert mark(10, partition=9) == "UNKNOWN_TOPIC_OR_PARTITION"
    assert mark(10, producer_epoch=epoch + 1) == "NONE"
    assert mark(10, producer_epoch=epoch) == "INVALID_PRODUCER_EPOCH"
