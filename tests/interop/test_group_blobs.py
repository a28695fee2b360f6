"""The blobs of Connect's group protocols: ours beside those of Kafka's own classes."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode, b64encode
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from kconnect_workers.group.assignment import Assignment, AssignmentError, WorkerState
from kconnect_workers.group.protocol import (
    ConnectProtocol,
    read_assignment,
    read_metadata,
    write_assignment,
    write_metadata,
)
from kconnect_workers.states import TaskId
from services.kafka.java import java_command

pytestmark = [pytest.mark.interop, pytest.mark.needs("kafka")]

DRIVER = Path(__file__).with_name("ConnectProtocolBlobs.java")
NONE, MISMATCH = AssignmentError

# Connectors in the order in which a Java HashSet has them: Kafka writes them so, in blobs that mean the same.
CASES = [
    Assignment(NONE, "leader", "http://leader:8083/", 0),
    Assignment(NONE, "leader", "http://leader:8083/", 2**40, ("orders",), (TaskId("orders", 0), TaskId("orders", 1))),
    Assignment(NONE, "leader", "http://leader:8083/", 7, (), (TaskId("b", 2), TaskId("a", 0), TaskId("b", 0))),
    Assignment(
        NONE,
        "connect-127.0.0.1:8083-a1",
        "https://leader/",
        7,
        ("a", "b"),
        (TaskId("c", 1), TaskId("a", 3)),
        ("z", "y"),
        (TaskId("y", 0), TaskId("x", 2**31 - 1)),
        300_000,
    ),
    Assignment(NONE, "лидер", "http://führer/", 7, ("größe ∞",), (TaskId("größe ∞", 0),), delay_ms=2**31 - 1),
    Assignment(MISMATCH, "leader", "http://leader:8083/", -1),
]


@pytest.fixture(scope="module")
def kafka() -> list[dict[str, Any]]:
    """What Kafka's classes make of each case, and of our blob of it."""
    blobs = [b64encode(write_assignment(case, ConnectProtocol.SESSIONED)).decode() for case in CASES]
    cases = [{**asdict(case), "ours": blob} for case, blob in zip(CASES, blobs, strict=True)]
    command = java_command(str(DRIVER), options=("-Xmx256M", "-Dfile.encoding=UTF-8"), log_level="WARN")
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def test_our_bytes_are_kafkas(kafka: list[dict[str, Any]]) -> None:
    for case, blobs in zip(CASES, kafka, strict=True):
        for protocol in ConnectProtocol:
            state = WorkerState("http://worker:8083/", 42, case)
            assert write_assignment(case, protocol) == b64decode(blobs[f"assignment.{protocol.version}"])
            assert write_metadata(state, protocol) == b64decode(blobs[f"metadata.{protocol.version}"])


def test_kafka_reads_what_we_write(kafka: list[dict[str, Any]]) -> None:
    for case, blobs in zip(CASES, kafka, strict=True):
        written = json.loads(json.dumps(asdict(case)))
        read = {"tasks": [], "revoked_tasks": [], **blobs["read"]}
        assert {key: sorted(value) if isinstance(value, list) else value for key, value in read.items()} == {
            key: sorted(value) if isinstance(value, list) else value for key, value in written.items()
        }


def test_we_read_what_kafka_writes(kafka: list[dict[str, Any]]) -> None:
    for case, blobs in zip(CASES, kafka, strict=True):
        read = read_assignment(b64decode(blobs["assignment.2"]))
        assert write_assignment(read, ConnectProtocol.SESSIONED) == b64decode(blobs["assignment.2"])
        assert sorted(read.tasks) == sorted(case.tasks)
        assert read_metadata(b64decode(blobs["metadata.1"])).held == read
