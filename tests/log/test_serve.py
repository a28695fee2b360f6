"""Starting and ending a broker: what is refused with a word, what comes back."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient

from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient, batch_of, values_of

if TYPE_CHECKING:
    from pathlib import Path


def refusal(data: Path, listeners: str = "PLAINTEXT://127.0.0.1:0") -> str:
    """What a broker that must not start says."""
    ended = subprocess.run(
        [sys.executable, "-m", "kconnect.log", "--listeners", listeners, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_folder_in_use_is_refused_with_its_process(broker: EmbeddedLog) -> None:
    message = refusal(broker.data)
    assert str(broker.data) in message
    assert f"process {broker.pid}" in message


def test_a_port_in_use_is_refused_with_its_address(broker: EmbeddedLog, tmp_path: Path) -> None:
    message = refusal(tmp_path / "other", f"PLAINTEXT://{broker.bootstrap_servers}")
    assert f"{broker.bootstrap_servers} is in use" in message
    # Nothing was kept from the next start.
    with EmbeddedLog(tmp_path / "other"):
        pass


@pytest.mark.parametrize("listeners", ["127.0.0.1:9092", "PLAINTEXT://127.0.0.1", "PLAINTEXT://x:99999", ""])
def test_a_listener_that_is_not_understood_is_refused(tmp_path: Path, listeners: str) -> None:
    assert f"listeners={listeners!r}" in refusal(tmp_path / "data", listeners)
    assert not (tmp_path / "data").exists()


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    assert "cannot listen on 192.0.2.1:9092" in refusal(tmp_path / "data", "PLAINTEXT://192.0.2.1:9092")


def test_a_newer_format_is_refused(broker: EmbeddedLog) -> None:
    broker.stop()
    meta = broker.data / "meta.properties"
    meta.write_text(re.sub(r"kconnect\.format=\d+", "kconnect.format=99", meta.read_text()))
    assert "data format 99" in refusal(broker.data)


def test_a_damaged_catalog_is_refused_and_the_synced_points_stay(broker: EmbeddedLog) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        client.create_topic("a")
        client.create_topic("z")
        client.produce(batch_of(b"x"), topic="a")
    broker.stop()
    checkpoint = (broker.data / "recovery-point-offset-checkpoint").read_text()
    assert "a 0 1" in checkpoint
    (broker.data / "catalog" / "z.json").write_text('{"name": 5}')
    assert str(broker.data / "catalog" / "z.json") in refusal(broker.data)
    assert (broker.data / "recovery-point-offset-checkpoint").read_text() == checkpoint


def test_the_folder_of_something_else_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    mode = tmp_path.stat().st_mode
    assert "letter.txt" in refusal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert tmp_path.stat().st_mode == mode


def test_the_folder_of_apache_kafka_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text("version=1\ncluster.id=abc\nnode.id=1\n")
    assert "Apache Kafka" in refusal(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert str(tmp_path / "data") in refusal(tmp_path / "data")


def test_the_folder_is_private(broker: EmbeddedLog) -> None:
    assert stat.S_IMODE(broker.data.stat().st_mode) == 0o700
    assert [p for p in broker.data.rglob("*") if p.stat().st_mode & 0o077] == []


def test_ids_stay_over_restarts_and_are_new_for_a_topic_made_again(broker: EmbeddedLog) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    with RawClient(broker.bootstrap_servers) as client:
        first = client.create_topic()
    cluster = admin.describe_cluster().result(10).cluster_id
    assert cluster.startswith("kconnect-")
    broker.restart()
    assert admin.describe_cluster().result(10).cluster_id == cluster
    kept = (broker.data / "t-0" / "partition.metadata").read_text()
    admin.delete_topics(["t"])["t"].result(10)
    with RawClient(broker.bootstrap_servers) as client:
        second = client.create_topic()
    assert first != second
    assert (broker.data / "t-0" / "partition.metadata").read_text() != kept


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_order(broker: EmbeddedLog, number: signal.Signals) -> None:
    with RawClient(broker.bootstrap_servers) as client:
        client.create_topic()
        client.produce(batch_of(b"a"))
        os.kill(broker.pid, number)
        assert client.receive_bytes(1) == b""
    deadline = Deadline(30)
    while not (broker.data / ".kafka_cleanshutdown").exists():
        deadline.check("no mark of an orderly end")
    broker.kill()
    broker.restart()
    with RawClient(broker.bootstrap_servers) as client:
        assert values_of(client.fetch(0)) == [b"a"]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import os, signal, subprocess, sys\n"
        "command = [sys.executable, '-m', 'kconnect.log', '--listeners', 'PLAINTEXT://127.0.0.1:0']\n"
        f"command += ['--data', {str(tmp_path / 'data')!r}, '--parent-pid', str(os.getpid())]\n"
        "broker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)\n"
        "print(broker.stdout.readline(), flush=True)\n"
        "signal.pause()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    line = parent.stdout.readline()
    address = line.removeprefix("ready: PLAINTEXT://").split()[0]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    host, _, port = address.rpartition(":")
    deadline = Deadline(10)
    while True:
        deadline.check("the broker has outlived its parent")
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionError:  # refused, or reset by the end of the process
            break
