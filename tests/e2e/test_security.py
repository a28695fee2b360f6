"""A worker whose log, or whose Kafka, lets nobody in without a password: every client that it has knows it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from kconnect.testing.broker import EmbeddedLog
from services.certificates import PASSWORD, Authority
from services.processes import poll_until
from services.worker import RunningWorker, running_worker, worker_process

pytestmark = pytest.mark.e2e

SECONDS = 60.0
SECRET = "of-the-worker"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "certificates").mkdir()
    return Authority(tmp_path / "certificates")


def client_settings(authority: Authority) -> dict[str, str]:
    return {
        "security.protocol": "SASL_SSL",
        "ssl.truststore.location": str(authority.certificate),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": f'{_SCRAM} username="worker" password="{SECRET}";',
    }


def broker_settings(authority: Authority) -> dict[str, str]:
    keys = {"ssl.keystore.location": str(authority.issue("broker").pkcs12), "ssl.keystore.password": PASSWORD}
    return {"listeners": "SASL_SSL://127.0.0.1:0", **keys}


def add_user(data: Path) -> None:
    command = [str(Path(sys.executable).with_name("kconnect")), "broker", "add-user", "worker", "--data", str(data)]
    done = subprocess.run(command, input=f"{SECRET}\n", capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "worker may log in by SCRAM-SHA-256 and SCRAM-SHA-512\n"


@contextmanager
def secured_worker(kind: str, folder: Path, authority: Authority) -> Iterator[RunningWorker]:
    """A worker that copies lines from in.txt to out.txt over the embedded log, or over a Kafka elsewhere."""
    connectors = [
        {"name": "source", "config": {"connector.class": "FileStreamSource", "file": f"{folder}/in.txt", "topic": "t"}},
        {"name": "sink", "config": {"connector.class": "FileStreamSink", "file": f"{folder}/out.txt", "topics": "t"}},
    ]
    client, broker = client_settings(authority), broker_settings(authority)
    add_user(folder / "log")
    if kind == "embedded":
        props = client | {f"embedded.log.{key}": value for key, value in broker.items()}
        with running_worker(folder, props, connectors) as worker:
            yield worker
        return
    with EmbeddedLog(folder / "log", settings=broker) as kafka:
        outside = {
            "bootstrap.servers": kafka.bootstrap_servers,
            "offset.storage.file.filename": str(folder / "offsets"),
        }
        with running_worker(folder, client | outside, connectors) as worker:
            yield worker


@pytest.mark.parametrize("kind", ["embedded", "elsewhere"])
def test_records_flow_and_a_killed_sink_leaves_its_group(kind: str, tmp_path: Path, authority: Authority) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("one\n")
    with secured_worker(kind, tmp_path, authority) as worker:
        assert poll_until(lambda: target.exists() and target.read_text() == "one\n", timeout=SECONDS)
        processes = psutil.Process(worker.process.pid).children(recursive=True)
        assert not any(SECRET in word or PASSWORD in word for process in processes for word in process.cmdline())
        [sink] = [process for process in processes if str(target) in {file.path for file in process.open_files()}]
        sink.kill()
        assert poll_until(lambda: "was taken out of connect-sink" in worker.process.output(), timeout=SECONDS)
        assert SECRET not in worker.process.output()


@pytest.mark.parametrize(
    ("props", "complaint"),
    [
        ({"embedded.log.listeners": "SSL://127.0.0.1:0"}, "embedded.log.ssl.keystore.location is needed"),
        (
            {
                "embedded.log.listeners": "SASL_PLAINTEXT://127.0.0.1:0",
                "embedded.log.sasl.jaas.config": f'{_PLAIN} user_worker="{SECRET}";',
            },
            "security.protocol='PLAINTEXT': none of embedded.log.listeners",
        ),
        ({"embedded.log.num.partition": "3"}, "there is no broker setting num.partition; is num.partitions meant?"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, props: dict[str, str], complaint: str) -> None:
    process = worker_process(tmp_path, props)
    assert poll_until(lambda: process.exit_code is not None, timeout=SECONDS), process.output()
    said = process.output()
    assert process.exit_code == 3
    assert complaint in said
    assert SECRET not in said
    assert "Traceback" not in said
