"""The configs of configs/redis in a worker: what a user starts, with processes that are killed under it."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis

from services.processes import free_ports, poll_until
from services.redis import RedisServer, redis_client, running_redis
from services.stage import Kafka
from services.worker import RunningWorker, running_worker

CONFIGS = Path(__file__).parents[3] / "configs" / "redis"
SECONDS = 30.0

pytestmark = [pytest.mark.e2e, pytest.mark.needs("redis-server"), pytest.mark.timeout(240)]


def connectors(server: RedisServer, *names: str) -> list[dict[str, Any]]:
    """Those of configs/redis, at this server."""
    given = [json.loads((CONFIGS / f"{name}.json").read_text()) for name in names]
    for each in given:
        assert each["config"]["redis.uri"] == "redis://localhost:6379"
        each["config"]["redis.uri"] = server.url
    return given


def worker_props(address: str) -> dict[str, str]:
    """Those of configs/redis, with quick commits and on free ports."""
    lines = (CONFIGS / "worker.properties").read_text().splitlines()
    props = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    own = {"embedded.log.listeners": f"PLAINTEXT://{address}", "offset.flush.interval.ms": "300"}
    return {name: value for name, value in props.items() if name not in ("listeners", "embedded.log.dir")} | own


def eventually(condition: Any, what: object) -> None:
    assert poll_until(condition, timeout=SECONDS), what


def task_processes(worker: RunningWorker, server: RedisServer) -> list[int]:
    """Those that talk to Redis."""
    found = []
    for process in psutil.Process(worker.process.pid).children(recursive=True):
        try:
            ports = [c.raddr.port for c in process.net_connections("tcp") if c.raddr and c.status == "ESTABLISHED"]
        except psutil.Error:
            continue
        if server.port in ports:
            found.append(process.pid)
    return found


def all_run(worker: RunningWorker, names: list[str]) -> bool:
    return all(set(worker.states(name)) == {"RUNNING"} for name in names)


def copied(client: Redis) -> list[int]:
    return [int(fields["n"]) for _, fields in client.xrange("copy:redis.orders")]


def test_every_config_runs_and_moves_records(tmp_path: Path) -> None:
    [port] = free_ports(1)
    names = sorted(path.stem for path in CONFIGS.glob("*.json"))
    with (
        running_redis() as server,
        redis_client(server.url) as client,
        running_worker(tmp_path, worker_props(f"127.0.0.1:{port}"), connectors(server, *names)) as worker,
    ):
        kafka = Kafka(f"127.0.0.1:{port}")
        eventually(lambda: all_run(worker, names), names)
        for number in range(20):
            client.xadd("orders", {"n": number})
        eventually(lambda: sorted(copied(client)) == list(range(20)), "the copy of the stream")
        eventually(lambda: len(list(client.scan_iter("order:*"))) == 20, "a hash per entry")
        eventually(lambda: len(_topic(kafka, "redis.order.keys")) >= 20, "a record per hash")
        eventually(lambda: client.publish("news.today", "sun") and _topic(kafka, "redis.news"), "a message")
        eventually(lambda: client.xpending("orders", "kafka-consumer-group")["pending"] == 0, "acknowledgements")
        assert {client.hget(key, "n") for key in client.scan_iter("order:*")} == {str(n) for n in range(20)}
        assert 0 < client.ttl(next(client.scan_iter("order:*"))) <= 86400


def _topic(kafka: Kafka, topic: str) -> list[Any]:
    try:
        return [json.loads(value or b"null") for _, value in kafka.read(topic)]
    except KeyError:
        return []


def test_killed_tasks_and_a_killed_redis_lose_nothing_and_write_every_record_once(tmp_path: Path) -> None:
    """Failure histories 1, 2 and 10: the source may repeat entries, the sink writes each of its records once."""
    [port] = free_ports(1)
    with (
        running_redis("--appendonly", "yes", "--appendfsync", "always") as server,
        running_worker(
            tmp_path,
            worker_props(f"127.0.0.1:{port}") | {"errors.restart.delay.initial.ms": "100"},
            connectors(server, "orders-stream-source", "orders-copy-sink"),
        ) as worker,
    ):
        kafka = Kafka(f"127.0.0.1:{port}")
        sent = 0
        for turn in range(6):
            with redis_client(server.url) as client:
                for _ in range(200):
                    client.xadd("orders", {"n": sent})
                    sent += 1
                eventually(lambda: len(copied(client)) >= sent - 150, "the sink goes on")  # noqa: B023
            if turn == 3:
                server.kill()
                server.start()
            elif turn < 5:
                eventually(lambda: task_processes(worker, server), "tasks that talk to Redis")
                for pid in task_processes(worker, server)[: 1 + turn % 2]:
                    os.kill(pid, signal.SIGKILL)
        with redis_client(server.url) as client:
            eventually(lambda: set(copied(client)) == set(range(sent)), lambda: set(range(sent)) - set(copied(client)))
            eventually(lambda: client.xpending("orders", "kafka-consumer-group")["pending"] == 0, "acknowledgements")
            in_topic = Counter(int(value["payload"]["body"]["n"]) for value in _topic(kafka, "redis.orders"))
            eventually(lambda: Counter(copied(client)) == in_topic, "every record of the topic once")
            assert set(in_topic) == set(range(sent))


def call(worker: RunningWorker, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(worker.url + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def test_a_topic_made_anew_fails_an_exactly_once_sink_until_its_offsets_are_reset(tmp_path: Path) -> None:
    """Failure history 6. Offsets are reset as any are, by REST."""
    [port] = free_ports(1)
    name = "orders-copy-sink"
    values = [json.dumps({"schema": None, "payload": {"body": {"n": n}}}).encode() for n in range(10)]
    with (
        running_redis() as server,
        redis_client(server.url) as client,
        running_worker(
            tmp_path,
            worker_props(f"127.0.0.1:{port}") | {"errors.restart.delay.initial.ms": "100"},
            connectors(server, name),
        ) as worker,
    ):
        kafka = Kafka(f"127.0.0.1:{port}")
        kafka.create("redis.orders")
        kafka.produce("redis.orders", values)
        eventually(lambda: copied(client) == list(range(10)), "ten records")
        call(worker, "PUT", f"/connectors/{name}/stop")
        eventually(lambda: worker.states(name) == ["STOPPED"], "the stop")
        kafka.delete("redis.orders")
        kafka.create("redis.orders")
        kafka.produce("redis.orders", values[:3])
        call(worker, "PUT", f"/connectors/{name}/resume")

        def told() -> bool:
            tasks = worker.get(f"/connectors/{name}/status")["tasks"]
            return any("the topic was made anew since" in task.get("trace", "") for task in tasks)

        eventually(told, "the explanation")
        assert copied(client) == list(range(10))
        call(worker, "PUT", f"/connectors/{name}/stop")
        eventually(lambda: worker.states(name) == ["STOPPED"], "the stop")
        call(worker, "DELETE", f"/connectors/{name}/offsets")
        call(worker, "PUT", f"/connectors/{name}/resume")
        eventually(lambda: copied(client) == [*range(10), 0, 1, 2], "the new records")
