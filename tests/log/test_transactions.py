"""Transactions through kills of the broker and damage to its files, with real clients."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.batch import Attribute
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of, produce_request

if TYPE_CHECKING:
    from collections.abc import Callable

PARTITIONS = 3
SECONDS = 60.0
_TRY_SECONDS = 2.0


class TransactionalLoad:
    """Transactions one after another, in a thread: each its number, once to every partition; each third is aborted.

    `committed` and `aborted` hold the numbers of which the broker has said so.
    """

    def __init__(self, log: EmbeddedLog) -> None:
        self.committed: list[int] = []
        self.aborted: list[int] = []
        self.faults: list[BaseException] = []
        self._settings = {
            "bootstrap.servers": log.bootstrap_servers,
            "transactional.id": "load",
            "log_level": 0,
            "transaction.timeout.ms": 60_000,
        }
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            producer = self._new_producer()
            number = 0
            while not self._ended.is_set():
                producer = self._run_transaction(producer, number)
                number += 1
        except BaseException as e:
            self.faults.append(e)

    def _new_producer(self) -> Producer:
        producer = Producer(self._settings)
        _insist(producer.init_transactions)
        return producer

    def _run_transaction(self, producer: Producer, number: int) -> Producer:
        """Returns the producer to go on with: a new one where the old one has had enough."""
        try:
            producer.begin_transaction()
            for partition in range(PARTITIONS):
                producer.produce("t", b"%d" % number, partition=partition)
            if number % 3 == 2:
                producer.flush(SECONDS)
                _insist(producer.abort_transaction)
                self.aborted.append(number)
            else:
                _insist(producer.commit_transaction)
                self.committed.append(number)
        except KafkaException as e:
            if e.args[0].fatal():
                return self._new_producer()
            if not e.args[0].txn_requires_abort():
                raise
            _insist(producer.abort_transaction)
            self.aborted.append(number)
        return producer

    def __enter__(self) -> TransactionalLoad:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for_more(self, count: int) -> None:
        """Until `count` further transactions are committed."""
        target = len(self.committed) + count
        deadline = Deadline(SECONDS)
        while len(self.committed) < target:
            assert not self.faults, self.faults
            deadline.check("the load stands still")


def _insist(call: Callable[[float], None]) -> None:
    """Call until it succeeds or fails for good: what a client has to do while its broker is away.

    Each try has its own time: librdkafka may miss that a coordinator is back.
    """
    deadline = Deadline(SECONDS)
    while True:
        try:
            call(_TRY_SECONDS)
        except KafkaException as e:
            if not e.args[0].retriable():
                raise
            deadline.check(f"the broker does not come back: {e}")
        else:
            return


def committed_numbers(log: EmbeddedLog, partition: int) -> list[int]:
    """What a reader of committed data finds in a partition, from its beginning to its end."""
    consumer = Consumer(
        {
            "bootstrap.servers": log.bootstrap_servers,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition("t", partition, 0)])
    deadline = Deadline(SECONDS)
    numbers: list[int] = []
    while True:
        deadline.check("the end does not come")
        for message in consumer.consume(1000, 0.2):
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                consumer.close()
                return numbers
            assert error is None, error
            numbers.append(int(message.value() or b""))


def test_transactions_are_seen_whole_and_once_through_kills_under_load(broker: EmbeddedLog) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        client.create_topic("t", partitions=PARTITIONS)
    with TransactionalLoad(broker) as load:
        for _ in range(4):
            load.wait_for_more(20)
            broker.kill()
            broker.restart()
        load.wait_for_more(20)

    seen = [committed_numbers(broker, partition) for partition in range(PARTITIONS)]
    assert load.faults == []
    assert seen[0] == seen[1] == seen[2]
    assert seen[0] == sorted(seen[0])
    assert Counter(seen[0]).most_common(1)[0][1] == 1
    assert set(load.committed) <= set(seen[0])
    assert not set(load.aborted) & set(seen[0])


class RawProducer:
    """A transactional producer, request by request."""

    def __init__(self, client: RawClient, transactional_id: str = "tx", timeout_ms: int = 60_000) -> None:
        self.client = client
        self._id = transactional_id
        message = requests.InitProducerId(
            transactional_id=transactional_id, transaction_timeout_ms=timeout_ms, producer_id=-1, producer_epoch=-1
        )
        answer = client.call(ApiKey.INIT_PRODUCER_ID, 4, message)
        assert answer.error_code == ErrorCode.NONE
        self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
        self._sequence = 0

    def write(self, value: bytes) -> None:
        topic = requests.AddPartitionsToTxn.Topic(name="t", partitions=[0])
        message = requests.AddPartitionsToTxn(
            v3_and_below_transactional_id=self._id,
            v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=[topic],
        )
        answer = self.client.call(ApiKey.ADD_PARTITIONS_TO_TXN, 3, message)
        assert answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code == ErrorCode.NONE
        batch = batch_of(
            value,
            attributes=Attribute.TRANSACTIONAL,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=self._sequence,
        )
        produced = produce_request(batch)
        produced.transactional_id = self._id
        answer = self.client.call(ApiKey.PRODUCE, 9, produced)
        assert answer.responses[0].partition_responses[0].error_code == ErrorCode.NONE
        self._sequence += 1

    def commit_offset(self, group_id: str, offset: int) -> None:
        begun = requests.AddOffsetsToTxn(
            transactional_id=self._id, producer_id=self.producer_id, producer_epoch=self.epoch, group_id=group_id
        )
        assert self.client.call(ApiKey.ADD_OFFSETS_TO_TXN, 3, begun).error_code == ErrorCode.NONE
        partition = requests.TxnOffsetCommit.Partition(partition_index=0, committed_offset=offset)
        message = requests.TxnOffsetCommit(
            transactional_id=self._id,
            group_id=group_id,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            generation_id=-1,
            topics=[requests.TxnOffsetCommit.Topic(name="t", partitions=[partition])],
        )
        answer = self.client.call(ApiKey.TXN_OFFSET_COMMIT, 3, message)
        assert answer.topics[0].partitions[0].error_code == ErrorCode.NONE

    def end(self, *, commit: bool) -> ErrorCode:
        message = requests.EndTxn(
            transactional_id=self._id, producer_id=self.producer_id, producer_epoch=self.epoch, committed=commit
        )
        return ErrorCode(self.client.call(ApiKey.END_TXN, 3, message).error_code)


def test_offsets_of_an_open_transaction_are_pending_after_a_kill(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    producer = RawProducer(client)
    producer.commit_offset("g", 7)
    broker.kill()
    broker.start()

    with RawClient(broker.bootstrap_servers) as again:
        before = committed_offset(again, "g")
        producer.client = again
        assert producer.end(commit=True) is ErrorCode.NONE
        after = committed_offset(again, "g")

    assert before == (ErrorCode.UNSTABLE_OFFSET_COMMIT, -1)
    assert after == (ErrorCode.NONE, 7)


def committed_offset(client: RawClient, group_id: str) -> tuple[ErrorCode, int]:
    wanted = requests.OffsetFetch.Topic(name="t", partition_indexes=[0])
    message = requests.OffsetFetch(group_id=group_id, topics=[wanted], require_stable=True)
    partition = client.call(ApiKey.OFFSET_FETCH, 7, message).topics[0].partitions[0]
    return ErrorCode(partition.error_code), partition.committed_offset


def test_an_open_transaction_goes_on_after_a_kill(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    producer = RawProducer(client)
    producer.write(b"1")
    broker.kill()
    broker.start()

    with RawClient(broker.bootstrap_servers) as again:
        producer.client = again
        assert committed_numbers(broker, 0) == []
        producer.write(b"2")
        assert producer.end(commit=True) is ErrorCode.NONE

    assert committed_numbers(broker, 0) == [1, 2]


def test_the_time_of_a_transaction_runs_on_through_a_restart(broker: EmbeddedLog, client: RawClient) -> None:
    client.create_topic()
    producer = RawProducer(client, timeout_ms=300)
    producer.write(b"1")
    broker.kill()
    broker.start()

    with RawClient(broker.bootstrap_servers) as again:
        deadline = Deadline(SECONDS)
        while again.fetch(0).last_stable_offset == 0:
            deadline.check("the transaction stays open")
        producer.client = again
        assert producer.end(commit=True) is ErrorCode.PRODUCER_FENCED
    assert committed_numbers(broker, 0) == []


def state_of(client: RawClient, transactional_id: str = "tx") -> str:
    message = requests.DescribeTransactions(transactional_ids=[transactional_id])
    state = client.call(ApiKey.DESCRIBE_TRANSACTIONS, 0, message).transaction_states[0].transaction_state
    return str(state)


def test_a_commit_waits_for_a_partition_that_is_offline_and_holds_nobody_up(
    broker: EmbeddedLog, client: RawClient
) -> None:
    client.create_topic()
    producer = RawProducer(client)
    producer.write(b"1")
    broker.stop()
    file = broker.data / "t-0" / f"{0:020d}.log"
    content = file.read_bytes()
    file.write_bytes(content[:-3])
    broker.start()

    with RawClient(broker.bootstrap_servers) as again:
        producer.client = again
        assert producer.end(commit=True) is ErrorCode.NONE
        assert state_of(again) == "PrepareCommit"
        assert producer.end(commit=True) is ErrorCode.CONCURRENT_TRANSACTIONS
        other = RawProducer(again, "other")
        assert other.end(commit=True) is ErrorCode.INVALID_TXN_STATE
    broker.stop()
    file.write_bytes(content)
    broker.start()

    assert committed_numbers(broker, 0) == [1]
    with RawClient(broker.bootstrap_servers) as again:
        deadline = Deadline(SECONDS)
        while state_of(again) != "CompleteCommit":
            deadline.check("the transaction does not come to its end")


@pytest.mark.parametrize("orderly", [True, False])
@pytest.mark.parametrize("damage", ["missing", "truncated", "garbage"])
def test_the_transaction_index_is_rebuilt(broker: EmbeddedLog, client: RawClient, damage: str, orderly: bool) -> None:
    client.create_topic(segment_bytes="1000")
    producer, other = RawProducer(client), RawProducer(client, "other")
    for number in range(20):
        producer.write(b"%d" % number)
        other.write(b"%d" % (100 + number))
        assert producer.end(commit=number % 2 == 0) is ErrorCode.NONE
        if number % 5 == 4:
            assert other.end(commit=False) is ErrorCode.NONE
    expected = list(range(0, 20, 2))
    assert committed_numbers(broker, 0) == expected
    if orderly:
        broker.stop()
    else:
        broker.kill()
    indexes = sorted((broker.data / "t-0").glob("*.txnindex"))
    assert sum(path.stat().st_size for path in indexes) > 0
    for path in indexes:
        spoil(path, damage)
    broker.start()

    assert committed_numbers(broker, 0) == expected


def spoil(path: Path, damage: str) -> None:
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-5])
    else:
        path.write_bytes(b"\x7fgarbage!" * 34)
