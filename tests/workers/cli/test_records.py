"""Topics and records on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kconnect.kafka import producer
from kconnect.testing.broker import EmbeddedLog

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_lines_that_were_produced_are_consumed_in_order(kconnect: Run, log: EmbeddedLog):
    lines = [f"line {n}" for n in range(1000)]
    sent = kconnect("produce", "lines", "-b", log.bootstrap_servers, stdin="\n".join(lines) + "\n")
    assert sent.returncode == 0, sent.stderr
    read = kconnect("consume", "lines", "-b", log.bootstrap_servers, "--from-beginning", "--exit")
    assert read.returncode == 0, read.stderr
    assert read.stdout.splitlines() == lines


def test_a_key_is_cut_off_at_the_separator_and_shown_in_json(kconnect: Run, log: EmbeddedLog):
    kconnect("produce", "keyed", "-b", log.bootstrap_servers, "-K", ":", stdin="a:1\nno key\n")
    read = kconnect("consume", "keyed", "-b", log.bootstrap_servers, "--from-beginning", "-n", "2", "-o", "json")
    first, second = map(json.loads, read.stdout.splitlines())
    assert (first["key"], first["value"], first["offset"]) == ("a", "1", 0)
    assert (second["key"], second["value"], second["offset"]) == (None, "no key", 1)


def test_topics_that_workers_keep_for_themselves_are_listed_where_they_are_asked_for(kconnect: Run, log: EmbeddedLog):
    kconnect("produce", "connect-status", "-b", log.bootstrap_servers, stdin="one\n")
    assert "connect-status" not in kconnect("topics", "-b", log.bootstrap_servers).stdout
    assert "connect-status" in kconnect("topics", "-b", log.bootstrap_servers, "--internal").stdout


def test_topics_are_listed_with_their_records(kconnect: Run, log: EmbeddedLog):
    kconnect("produce", "listed", "-b", log.bootstrap_servers, stdin="one\ntwo\n")
    answer = kconnect("topics", "-b", log.bootstrap_servers, "-o", "json")
    topics = {topic["topic"]: topic for topic in json.loads(answer.stdout)}
    size = size_of(log, "listed-0")
    assert topics["listed"] == {"topic": "listed", "partitions": 1, "records": 2, "size_bytes": size}
    table = kconnect("topics", "-b", log.bootstrap_servers)
    row = next(line.split() for line in table.stdout.splitlines() if line.startswith("listed"))
    assert row == ["listed", "1", "2", str(size), "B"]


@pytest.mark.parametrize(
    ("begin", "read"),
    [
        (("--from-beginning",), ["0", "1", "2", "3"]),
        (("--offset", "2"), ["2", "3"]),
        (("--offset", "-1"), ["3"]),
        (("--offset", "-9"), ["0", "1", "2", "3"]),
        (("--offset", "9"), []),
        (("--offset", "0", "-n", "1"), ["0"]),
        (("--from-beginning", "--partition", "0"), ["0", "1", "2", "3"]),
    ],
)
def test_reading_begins_where_it_is_asked_to_and_never_outside_of_the_topic(
    kconnect: Run, log: EmbeddedLog, begin: tuple[str, ...], read: list[str]
):
    topic = f"begin-{'-'.join(begin).replace('--', '')}"
    kconnect("produce", topic, "-b", log.bootstrap_servers, stdin="0\n1\n2\n3\n")
    done = kconnect("consume", topic, "-b", log.bootstrap_servers, "--exit", *begin)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == read


def test_a_partition_that_is_not_there_is_said(kconnect: Run, log: EmbeddedLog):
    kconnect("produce", "single", "-b", log.bootstrap_servers, stdin="one\n")
    done = kconnect("consume", "single", "-b", log.bootstrap_servers, "--exit", "--partition", "7")
    assert done.returncode == 4
    assert "no partition 7" in done.stderr


def test_keys_are_printed_before_values_where_they_are_asked_for(kconnect: Run, log: EmbeddedLog):
    at = ("-b", log.bootstrap_servers)
    kconnect("produce", "with-keys", *at, "-K", ":", stdin="a:1\nno key\n")
    assert kconnect("consume", "with-keys", *at, "-e", "--offset", "0", "-K", "=").stdout.splitlines() == [
        "a=1",
        "null=no key",
    ]


def test_the_payload_is_taken_out_of_an_envelope_and_other_values_are_left(kconnect: Run, log: EmbeddedLog):
    lines = ['{"schema":{"type":"int32"},"payload":{"id":7}}', '{"schema":1}', "no JSON"]
    at = ("-b", log.bootstrap_servers)
    kconnect("produce", "enveloped", *at, stdin="\n".join(lines))
    read = kconnect("consume", "enveloped", *at, "--from-beginning", "--exit", "--payload")
    assert read.stdout.splitlines() == ['{"id":7}', *lines[1:]]


def test_the_payload_of_a_key_is_taken_out_too(kconnect: Run, log: EmbeddedLog):
    at = ("-b", log.bootstrap_servers)
    line = '{"schema":{"type":"int32"},"payload":7} => {"schema":{"type":"int32"},"payload":8}\n'
    kconnect("produce", "enveloped-keys", *at, "-K", " => ", stdin=line)
    read = ("consume", "enveloped-keys", *at, "--from-beginning", "--exit", "--payload")
    assert kconnect(*read, "-K", " => ").stdout == "7 => 8\n"
    told = json.loads(kconnect(*read, "-o", "json").stdout)
    assert (told["key"], told["value"]) == ("7", "8")


def test_reading_to_the_end_ends_where_the_topic_ended_when_it_began(kconnect: Run, log: EmbeddedLog):
    """Also on a topic that grows faster than it is read."""
    kconnect("produce", "fed", "-b", log.bootstrap_servers, stdin="0\n1\n2\n3\n")
    fed = threading.Event()
    feeder = threading.Thread(target=feed, args=(log.bootstrap_servers, "fed", fed))
    feeder.start()
    try:
        for _ in range(3):
            done = kconnect("consume", "fed", "-b", log.bootstrap_servers, "--offset", "-3", "--exit")
            assert (done.returncode, len(done.stdout.splitlines())) == (0, 3), done.stderr
    finally:
        fed.set()
        feeder.join()


def feed(bootstrap: str, topic: str, enough: threading.Event) -> None:
    client = producer({"bootstrap.servers": bootstrap, "linger.ms": "1"})
    while not enough.wait(0.001):
        client.produce(topic, b"more")
        client.poll(0)
    client.flush(30)


def test_the_log_that_serves_the_users_own_data_folder_is_found_by_itself(kconnect: Run, tmp_path: Path):
    home = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    with EmbeddedLog(own_data_folder(tmp_path)):
        assert kconnect("produce", "found", stdin="one\n", env=home).returncode == 0
        assert kconnect("consume", "found", "--from-beginning", "--exit", env=home).stdout == "one\n"
    assert "127.0.0.1:9092" in kconnect("topics", "-h", env={**home, "COLUMNS": "300"}).stdout


def own_data_folder(home: Path) -> Path:
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "kconnect" / "log"
    return home / "kconnect" / "log"


def size_of(log: EmbeddedLog, partition: str) -> int:
    return sum(file.stat().st_size for file in (log.data / partition).glob("*.log"))


def test_a_topic_that_is_not_there_is_said_and_not_made(kconnect: Run, log: EmbeddedLog):
    done = kconnect("consume", "absent", "-b", log.bootstrap_servers, "--exit")
    assert done.returncode == 4
    assert "absent" in done.stderr
    assert "absent" not in kconnect("topics", "-b", log.bootstrap_servers).stdout
