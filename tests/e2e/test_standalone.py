"""Whole standalone workers: what a person does with one, and what happens to one."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kconnect.testing.broker import EmbeddedLog
from kconnect_workers.stores.java_map import read_map
from services.processes import poll_until
from services.stage import Kafka
from services.worker import RunningWorker, running_worker, worker_process

pytestmark = pytest.mark.e2e

SECONDS = 60.0


def source(folder: Path, topic: str = "lines") -> dict[str, Any]:
    config = {"connector.class": "FileStreamSource", "file": str(folder / "in.txt"), "topic": topic}
    return {"name": "source", "config": config}


def sink(folder: Path, topic: str = "lines") -> dict[str, Any]:
    config = {"connector.class": "FileStreamSink", "file": str(folder / "out.txt"), "topics": topic}
    return {"name": "sink", "config": config}


def write(folder: Path, numbers: range) -> None:
    with (folder / "in.txt").open("a") as file:
        file.writelines(f"line {number}\n" for number in numbers)


def arrived(folder: Path) -> list[str]:
    file = folder / "out.txt"
    return file.read_text().splitlines() if file.exists() else []


def has_arrived(folder: Path, count: int) -> bool:
    return len(arrived(folder)) >= count


def lines(numbers: range) -> set[str]:
    return {f"line {number}" for number in numbers}


def request(worker: RunningWorker, method: str, path: str, body: Any = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(worker.url + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return int(answer.status)


def test_nothing_is_lost_when_the_worker_is_killed_in_the_middle(tmp_path: Path) -> None:
    connectors = [source(tmp_path), sink(tmp_path)]
    write(tmp_path, range(20_000))
    with running_worker(tmp_path, connectors=connectors) as worker:
        assert poll_until(lambda: len(arrived(tmp_path)) > 100, timeout=SECONDS)
        os.kill(worker.process.pid, signal.SIGKILL)
    write(tmp_path, range(20_000, 20_100))
    with running_worker(tmp_path, connectors=connectors):
        expected = lines(range(20_100))
        assert poll_until(lambda: set(arrived(tmp_path)) == expected, timeout=SECONDS)


def test_a_graceful_stop_loses_and_repeats_nothing(tmp_path: Path) -> None:
    connectors = [source(tmp_path), sink(tmp_path)]
    for start in (0, 1000, 2000):
        write(tmp_path, range(start, start + 1000))
        with running_worker(tmp_path, connectors=connectors) as worker:
            assert poll_until(partial(has_arrived, tmp_path, start + 1000), timeout=SECONDS)
            assert worker.process.stop() == 0
            *_, moved, last = worker.process.output().splitlines()
            assert (moved, last) == ("source-0: 1,000 records in, 1,000 out", "stopped")
    assert sorted(arrived(tmp_path)) == sorted(lines(range(3000)))


def test_with_exactly_once_support_a_worker_that_is_killed_writes_every_line_once(tmp_path: Path) -> None:
    settings = {"exactly.once.source.support": "enabled"}
    given = source(tmp_path)
    given["config"]["batch.size"] = "500"
    write(tmp_path, range(30_000))
    with running_worker(tmp_path, settings, [given, sink(tmp_path)]) as worker:
        assert poll_until(lambda: len(arrived(tmp_path)) > 100, timeout=SECONDS)
        os.kill(worker.process.pid, signal.SIGKILL)
    write(tmp_path, range(30_000, 30_100))
    with running_worker(tmp_path, settings, [given, sink(tmp_path)]) as worker:
        assert poll_until(lambda: set(arrived(tmp_path)) == lines(range(30_100)), timeout=SECONDS)
        assert worker.process.stop() == 0
    with EmbeddedLog(tmp_path / "log") as log:
        kafka = Kafka(log.bootstrap_servers)
        written = [(message.value() or b"").decode() for message in kafka.committed_messages("lines")]
        configs = {message.key(): message.value() for message in kafka.committed_messages("connect-configs")}
    assert written == [f"line {number}" for number in range(30_100)]
    assert configs[b"tasks-fencing-source"] == b'{"task-count":1}'


def test_connectors_made_over_rest_and_their_states_start_again_with_the_worker(tmp_path: Path) -> None:
    write(tmp_path, range(10))
    with running_worker(tmp_path) as worker:
        assert request(worker, "POST", "/connectors", source(tmp_path)) == 201
        assert request(worker, "POST", "/connectors", sink(tmp_path)) == 201
        assert poll_until(lambda: len(arrived(tmp_path)) == 10, timeout=SECONDS)
        assert request(worker, "PUT", "/connectors/sink/pause") == 202
        assert poll_until(lambda: worker.states("sink") == ["PAUSED", "PAUSED"], timeout=SECONDS)
    write(tmp_path, range(10, 20))
    with running_worker(tmp_path) as worker:
        assert poll_until(lambda: worker.states("sink") == ["PAUSED", "PAUSED"], timeout=SECONDS)
        assert poll_until(lambda: worker.states("source") == ["RUNNING", "RUNNING"], timeout=SECONDS)
        assert len(arrived(tmp_path)) == 10
        assert request(worker, "PUT", "/connectors/sink/resume") == 202
        assert poll_until(lambda: set(arrived(tmp_path)) == lines(range(20)), timeout=SECONDS)


def test_a_connector_that_is_no_longer_given_on_the_command_line_stays_off_until_it_is(tmp_path: Path) -> None:
    both = [source(tmp_path), sink(tmp_path)]
    write(tmp_path, range(5))
    with running_worker(tmp_path, connectors=both) as worker:
        assert poll_until(lambda: worker.states("sink") == ["RUNNING", "RUNNING"], timeout=SECONDS)
    with running_worker(tmp_path, connectors=both[:1]) as worker:
        assert poll_until(lambda: worker.states("sink") == ["STOPPED"], timeout=SECONDS)
        assert "sink was given on the command line before and is not now: it stays off" in worker.process.output()
    with running_worker(tmp_path, connectors=both) as worker:
        assert poll_until(lambda: worker.states("sink") == ["RUNNING", "RUNNING"], timeout=SECONDS)


def test_a_dead_log_is_replaced_and_records_go_on(tmp_path: Path) -> None:
    write(tmp_path, range(10))
    with running_worker(tmp_path, connectors=[source(tmp_path), sink(tmp_path)]) as worker:
        assert poll_until(lambda: len(arrived(tmp_path)) == 10, timeout=SECONDS)
        os.kill(child(worker, "kconnect.log"), signal.SIGKILL)
        write(tmp_path, range(10, 20))
        assert poll_until(lambda: set(arrived(tmp_path)) == lines(range(20)), timeout=SECONDS)


def test_on_an_outside_kafka_source_offsets_are_in_a_file(tmp_path: Path) -> None:
    connectors = [source(tmp_path), sink(tmp_path)]
    file = tmp_path / "connect.offsets"
    with EmbeddedLog() as kafka:
        props = {"bootstrap.servers": kafka.bootstrap_servers, "offset.storage.file.filename": str(file)}
        for end in (10, 20):
            write(tmp_path, range(end - 10, end))
            with running_worker(tmp_path, props, connectors) as worker:
                assert poll_until(partial(has_arrived, tmp_path, end), timeout=SECONDS)
                assert worker.process.stop() == 0
            offsets = read_map(file.read_bytes())
            assert [json.loads(key)[0] for key in offsets] == ["source"]
            assert [json.loads(value or b"") for value in offsets.values()] == [
                {"position": (tmp_path / "in.txt").stat().st_size}
            ]
    assert sorted(arrived(tmp_path)) == sorted(lines(range(20)))


def test_nothing_survives_a_killed_worker(tmp_path: Path) -> None:
    with running_worker(tmp_path, connectors=[source(tmp_path), sink(tmp_path)]) as worker:
        assert poll_until(lambda: worker.states("sink") == ["RUNNING", "RUNNING"], timeout=SECONDS)
        started = descendants(worker.process.pid)
        assert len(started) >= 6  # log, zygote, two connectors, two tasks
        os.kill(worker.process.pid, signal.SIGKILL)
        assert poll_until(lambda: not any(map(is_alive, started)), timeout=SECONDS)


@pytest.mark.parametrize(
    ("props", "connector", "complaint"),
    [
        ({"listeners": "http://127.0.0.1:{taken}"}, None, "listeners='http://127.0.0.1:{taken}': the port is in use"),
        ({"embedded.log.listeners": "PLAINTEXT://127.0.0.1:{taken}"}, None, "127.0.0.1:{taken} is in use"),
        ({"listeners": "8083"}, None, "listeners='8083'"),
        ({"value.converter": "JsonConvertr"}, None, "value.converter='JsonConvertr'"),
        ({"task.shutdown.graceful.timeout.ms": "soon"}, None, "task.shutdown.graceful.timeout.ms='soon'"),
        ({"bootstrap.servers": "127.0.0.1:9"}, None, "offset.storage.file.filename"),
        ({}, {"name": "c", "config": {"connector.class": "FileStreamSorce"}}, "FileStreamSource"),
        ({}, {"name": "c", "config": {"connector.class": "FileStreamSource"}}, '"topic"|topic'),
    ],
)
def test_what_is_in_the_way_is_one_line_and_an_exit_code(
    tmp_path: Path, props: dict[str, str], connector: dict[str, Any] | None, complaint: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        props = {key: value.replace("{taken}", port) for key, value in props.items()}
        process = worker_process(tmp_path, props, [connector] if connector else [])
        assert poll_until(lambda: process.exit_code is not None, timeout=SECONDS), process.output()
    assert process.exit_code == 3
    assert "Traceback" not in process.output()
    said = [line for line in process.output().splitlines() if line.startswith("kconnect standalone: ")]
    assert len(said) == 1
    assert any(part in process.output() for part in complaint.replace("{taken}", port).split("|"))
    assert "ready:" not in process.output()


def test_a_data_folder_has_one_worker_at_a_time(tmp_path: Path) -> None:
    with running_worker(tmp_path) as worker:
        second = worker_process(tmp_path / "second", {"embedded.log.dir": str(tmp_path / "log")})
        assert poll_until(lambda: second.exit_code is not None, timeout=SECONDS)
        assert second.exit_code == 3
        assert "in use" in second.output()
        assert worker.get("/health")["status"] == "healthy"


def child(worker: RunningWorker, named: str) -> int:
    found = [pid for pid in descendants(worker.process.pid) if named in Path(f"/proc/{pid}/cmdline").read_text()]
    return found[0]


def descendants(pid: int) -> list[int]:
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [descendant for child in children for descendant in (child, *descendants(child))]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
