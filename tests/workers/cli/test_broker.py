"""`kconnect broker`: serving the log, and looking at one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect import __version__
from kconnect.testing.broker import EmbeddedLog
from services.processes import ServiceProcess

Run = Callable[..., subprocess.CompletedProcess[str]]


def ask(kconnect: Run, log: EmbeddedLog, *command: str) -> Any:
    done = kconnect("broker", *command, "-b", log.bootstrap_servers, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def create_topic(log: EmbeddedLog, name: str, partitions: int, configs: dict[str, str] | None = None) -> None:
    admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
    admin.create_topics([NewTopic(name, partitions, 1, config=configs or {})])[name].result(30)


def commit(log: EmbeddedLog, group: str, offsets: list[TopicPartition]) -> None:
    consumer = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": group})
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    finally:
        consumer.close()


def test_it_serves_in_the_foreground_and_ends_with_0(tmp_path: Path, kconnect: Run):
    data = tmp_path / "data"
    command = [Path(sys.executable).with_name("kconnect"), "broker"]
    command += ["--listeners", "PLAINTEXT://127.0.0.1:0", "--data", data]
    (tmp_path / "out").write_text("")
    with ServiceProcess("broker", command, log=tmp_path / "out") as broker:
        broker.wait_until(lambda: "ready" in broker.output())
        address = broker.output().split("PLAINTEXT://")[1].split()[0]
        assert kconnect("broker", "status", "-b", address).returncode == 0
        assert broker.stop() == 0
    assert len(broker.output().splitlines()) == 1


def test_status_tells_what_the_log_is_and_holds(kconnect: Run, log: EmbeddedLog):
    create_topic(log, "three", 3)
    facts = ask(kconnect, log, "status")
    assert facts["cluster_id"].startswith("kconnect-")
    assert facts["version"] == __version__
    assert facts["pid"] == log.pid
    assert facts["data"] == [str(log.data)]
    assert facts["partitions"] >= facts["topics"] + 2
    assert facts["offline"] == []
    files = [*log.data.glob("*-*/*.log")]
    assert facts["size_bytes"] == sum(file.stat().st_size for file in files)
    table = kconnect("broker", "status", "-b", log.bootstrap_servers).stdout
    assert facts["cluster_id"] in table
    assert str(log.data) in table


def test_topics_show_offsets_sizes_and_the_configs_that_differ(kconnect: Run, log: EmbeddedLog):
    create_topic(log, "set", 2, {"retention.ms": "60000"})
    kconnect("produce", "set", "-b", log.bootstrap_servers, "-K", ":", stdin="".join(f"{n}:x\n" for n in range(20)))
    (topic,) = ask(kconnect, log, "topics", "set")
    assert topic["configs"] == {"retention.ms": "60000"}
    assert [p["partition"] for p in topic["partitions"]] == [0, 1]
    assert sum(p["log_end_offset"] for p in topic["partitions"]) == 20
    for p in topic["partitions"]:
        assert p["size_bytes"] == (log.data / f"set-{p['partition']}" / f"{0:020d}.log").stat().st_size
    table = kconnect("broker", "topics", "set", "-b", log.bootstrap_servers).stdout.splitlines()
    assert "retention.ms=60000" in table[1]
    assert "retention.ms=60000" not in table[2]


def test_the_lag_of_a_group_is_what_it_has_not_committed(kconnect: Run, log: EmbeddedLog):
    for number, count in ((0, 10), (1, 5)):
        kconnect("produce", f"lagging-{number}", "-b", log.bootstrap_servers, stdin="x\n" * count)
    commit(log, "behind", [TopicPartition("lagging-0", 0, 3), TopicPartition("lagging-1", 0, 5)])
    (group,) = ask(kconnect, log, "groups", "behind")
    assert group["total_lag"] == 7
    assert group["members"] == []
    assert [(p["topic"], p["committed"], p["log_end_offset"], p["lag"]) for p in group["partitions"]] == [
        ("lagging-0", 3, 10, 7),
        ("lagging-1", 5, 5, 0),
    ]
    assert "behind" in [group["group"] for group in ask(kconnect, log, "groups")]
    listed = kconnect("broker", "groups", "-b", log.bootstrap_servers).stdout.splitlines()
    assert ["behind", "EMPTY", "0", "2", "7"] in [line.split() for line in listed]


def test_a_member_is_shown_with_its_partitions_before_it_commits(kconnect: Run, log: EmbeddedLog):
    create_topic(log, "assigned", 1)
    consumer = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "joined", "client.id": "reader"})
    consumer.subscribe(["assigned"])
    try:
        while not consumer.assignment():
            consumer.poll(0.1)
        (group,) = ask(kconnect, log, "groups", "joined")
        table = kconnect("broker", "groups", "joined", "-b", log.bootstrap_servers).stdout
    finally:
        consumer.close()
    (member,) = group["members"]
    assert (member["client_id"], member["host"], member["partitions"]) == ("reader", "127.0.0.1", [["assigned", 0]])
    assert group["partitions"] == [
        {
            "topic": "assigned",
            "partition": 0,
            "committed": None,
            "log_end_offset": 0,
            "lag": None,
            "member_id": member["member_id"],
        }
    ]
    assert "reader" in table


@pytest.mark.parametrize(("command", "name"), [("topics", "absent"), ("groups", "nobody")])
def test_what_is_not_there_is_said(kconnect: Run, log: EmbeddedLog, command: str, name: str):
    done = kconnect("broker", command, name, "-b", log.bootstrap_servers)
    assert done.returncode == 4
    assert name in done.stderr


@pytest.mark.parametrize("command", ["status", "topics", "groups"])
def test_no_broker_is_said_with_the_address(kconnect: Run, nowhere: str, command: str):
    done = kconnect("broker", command, "-b", nowhere)
    assert done.returncode == 6
    assert nowhere in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_batches_and_records_are_dumped_while_the_broker_runs(kconnect: Run, log: EmbeddedLog):
    kconnect("produce", "dumped", "-b", log.bootstrap_servers, "-K", ":", stdin="a:1\nb:2\n")
    at = ("--data", str(log.data))
    (batch,) = map(json.loads, kconnect("broker", "dump", "dumped-0", *at, "-r", "-o", "json").stdout.splitlines())
    assert (batch["base_offset"], batch["last_offset"], batch["record_count"], batch["damage"]) == (0, 1, 2, None)
    assert [(r["offset"], r["key"], r["value"]) for r in batch["records"]] == [(0, "a", "1"), (1, "b", "2")]
    file = str(log.data / "dumped-0" / f"{0:020d}.log")
    text = kconnect("broker", "dump", file).stdout.splitlines()
    assert text[0] == file
    assert text[1].startswith("0–1  at 0  ")
    assert len(text) == 2


def test_what_groups_have_committed_is_dumped_decoded(kconnect: Run, log: EmbeddedLog):
    create_topic(log, "committed", 1)
    kconnect("produce", "committed", "-b", log.bootstrap_servers, stdin="one\n")
    commit(log, "committers", [TopicPartition("committed", 0, 1)])
    dumped = kconnect("broker", "dump", "__consumer_offsets-0", "--data", str(log.data), "--records", "-o", "json")
    records = [record for line in dumped.stdout.splitlines() for record in json.loads(line)["records"]]
    key = {"group": "committers", "topic": "committed", "partition": 0}
    assert [record["value"]["offset"] for record in records if record["key"] == key] == [1]


def test_a_damaged_partition_is_shown_offline_dumped_as_far_as_it_goes_and_repaired(kconnect: Run):
    with EmbeddedLog() as log:
        for value in ("first", "second"):
            kconnect("produce", "broken", "-b", log.bootstrap_servers, stdin=f"{value}\n")
        log.stop()
        file = log.data / "broken-0" / f"{0:020d}.log"
        written = file.read_bytes()
        file.write_bytes(written[:-3])
        log.start()
        assert ask(kconnect, log, "status")["offline"] == ["broken-0"]
        (topic,) = ask(kconnect, log, "topics", "broken")
        assert (topic["partitions"][0]["offline"], topic["partitions"][0]["log_end_offset"]) == (True, None)
        at = ("--data", str(log.data))
        dumped = kconnect("broker", "dump", "broken-0", *at, "--records", "-o", "json")
        assert dumped.returncode == 1
        assert str(file) in dumped.stderr
        assert [json.loads(line)["records"][0]["value"] for line in dumped.stdout.splitlines()] == ["first"]
        refused = kconnect("broker", "repair", "broken-0", *at)
        assert refused.returncode == 1
        assert "in use" in refused.stderr
        log.stop()
        repaired = json.loads(kconnect("broker", "repair", "broken-0", *at, "-o", "json").stdout)
        assert (repaired["kept_until"], repaired["next_offset"]) == (1, 2)
        log.start()
        kconnect("produce", "broken", "-b", log.bootstrap_servers, stdin="third\n")
        read = kconnect("consume", "broken", "-b", log.bootstrap_servers, "--from-beginning", "--exit", "-o", "json")
        records = [json.loads(line) for line in read.stdout.splitlines()]
        assert [(record["offset"], record["value"]) for record in records] == [(0, "first"), (2, "third")]


def test_a_flipped_bit_is_named_and_what_follows_is_dumped(kconnect: Run, tmp_path: Path, log: EmbeddedLog):
    for value in ("first", "second"):
        kconnect("produce", "flipped", "-b", log.bootstrap_servers, stdin=f"{value}\n")
    bits = bytearray((log.data / "flipped-0" / f"{0:020d}.log").read_bytes())
    bits[65] ^= 1
    copy = tmp_path / f"{0:020d}.log"
    copy.write_bytes(bits)
    dumped = kconnect("broker", "dump", str(copy), "--records", "-o", "json")
    first, second = map(json.loads, dumped.stdout.splitlines())
    assert "checksum" in first["damage"]
    assert second["records"][0]["value"] == "second"
    assert dumped.returncode == 1


def test_a_partition_that_is_not_there_is_no_dump(kconnect: Run, tmp_path: Path):
    done = kconnect("broker", "dump", "absent-0", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "absent-0" in done.stderr
    assert len(done.stderr.splitlines()) == 1
