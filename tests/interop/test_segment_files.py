"""Apache Kafka's own reader of segment files on what the embedded log wrote."""

import re
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect.testing.broker import EmbeddedLog

pytestmark = pytest.mark.interop
RECORDS = 20_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a log that held a topic of several segments and a group's commits, and has stopped."""
    with EmbeddedLog(tmp_path_factory.mktemp("segments") / "data") as log:
        admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
        small = {"segment.bytes": "1048576", "index.interval.bytes": "1024"}
        admin.create_topics([NewTopic("orders", 1, 1, config=small)])["orders"].result(30)
        producer = Producer(
            {"bootstrap.servers": log.bootstrap_servers, "enable.idempotence": True, "batch.num.messages": 50}
        )
        for number in range(RECORDS):
            producer.produce("orders", key=f"k{number % 100}", value=f"{number:0>100}", headers={"n": "1"})
            producer.poll(0)
        assert producer.flush(60) == 0
        consumer = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "readers"})
        consumer.commit(offsets=[TopicPartition("orders", 0, 100)], asynchronous=False)
        transactional = Producer({"bootstrap.servers": log.bootstrap_servers, "transactional.id": "billing"})
        transactional.init_transactions(30)
        for end in (transactional.commit_transaction, transactional.abort_transaction):
            transactional.begin_transaction()
            transactional.produce("bills", value="b")
            transactional.send_offsets_to_transaction(
                [TopicPartition("orders", 0, 200)], consumer.consumer_group_metadata(), 30
            )
            assert transactional.flush(30) == 0
            end(30)
        consumer.close()
        log.stop()
    return log.data


def files(data: Path, pattern: str) -> str:
    found = sorted(data.glob(pattern))
    assert found, f"no {pattern} in {data}"
    return ",".join(map(str, found))


def test_every_record_is_there_and_every_batch_is_valid(data: Path, kafka_tools) -> None:
    segments = files(data, "orders-0/*.log")

    dump = kafka_tools.run("kafka-dump-log", "--deep-iteration", "--print-data-log", "--files", segments)

    offsets = [int(offset) for offset in re.findall(r"^\| offset: (\d+)", dump, re.MULTILINE)]
    assert segments.count(".log") > 1
    assert offsets == list(range(RECORDS))
    assert "isvalid: false" not in dump.lower()
    assert f"payload: {RECORDS - 1:0>100}" in dump


@pytest.mark.parametrize("check", ["--index-sanity-check", "--verify-index-only"])
@pytest.mark.parametrize("kind", ["index", "timeindex"])
def test_indexes_agree_with_their_segments(data: Path, kafka_tools, kind: str, check: str) -> None:
    dump = kafka_tools.run("kafka-dump-log", check, "--files", files(data, f"orders-0/*.{kind}"))

    complaints = re.findall(r".*(?:mismatch|non-consecutive|out of order|corrupt|error).*", dump, re.IGNORECASE)
    assert complaints == []


def test_committed_offsets_are_records_that_kafka_decodes(data: Path, kafka_tools) -> None:
    segments = files(data, "__consumer_offsets-*/*.log")

    dump = kafka_tools.run("kafka-dump-log", "--offsets-decoder", "--files", segments)

    assert re.search(r'"group":"readers","topic":"orders","partition":0', dump), dump[-2000:]
    assert re.search(r'"offset":100\b', dump)


def test_producer_snapshots_are_readable(data: Path, kafka_tools) -> None:
    dump = kafka_tools.run("kafka-dump-log", "--files", files(data, "orders-0/*.snapshot"))

    assert "producerId:" in dump
    assert "CorruptRecord" not in dump


def test_aborted_transactions_are_in_the_index(data: Path, kafka_tools) -> None:
    dump = kafka_tools.run("kafka-dump-log", "--files", files(data, "bills-0/*.txnindex"))

    # one record and its marker are committed, the next record is aborted by the marker behind it
    assert re.search(r"producerId: \d+ firstOffset: 2 lastOffset: 3 lastStableOffset: 4", dump), dump


def test_markers_are_control_batches_that_kafka_decodes(data: Path, kafka_tools) -> None:
    dump = kafka_tools.run("kafka-dump-log", "--deep-iteration", "--files", files(data, "bills-0/*.log"))

    assert re.findall(r"offset: (\d+).*endTxnMarker: (\w+)", dump) == [("1", "COMMIT"), ("3", "ABORT")]
    assert re.findall(r"isTransactional: (\w+) isControl: (\w+)", dump) == [("true", "false"), ("true", "true")] * 2


def test_the_state_of_transactions_are_records_that_kafka_decodes(data: Path, kafka_tools) -> None:
    segments = files(data, "__transaction_state-*/*.log")

    dump = kafka_tools.run("kafka-dump-log", "--transaction-log-decoder", "--files", segments)

    assert '"transactionalId":"billing"' in dump, dump
    # Empty, Ongoing with one partition and then two, PrepareCommit, CompleteCommit; Ongoing, PrepareAbort …
    assert re.findall(r'"transactionStatus":(\d)', dump) == [*"01124", *"1135"]
