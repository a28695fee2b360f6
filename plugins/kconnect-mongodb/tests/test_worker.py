"""The configs of configs/mongodb in a worker: what a user starts, with processes that are killed under it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from pymongo.database import Database

from services.mongodb import MongoServer, mongo_client, running_mongodb
from services.processes import free_ports, poll_until
from services.stage import Kafka
from services.worker import RunningWorker, running_worker

CONFIGS = Path(__file__).parents[3] / "configs" / "mongodb"
SECONDS = 60.0

pytestmark = [pytest.mark.e2e, pytest.mark.needs("mongodb-server"), pytest.mark.timeout(240)]

Shop = Database[dict[str, Any]]


def connectors(server: MongoServer) -> list[dict[str, Any]]:
    """Those of configs/mongodb, at this server."""
    given = [json.loads(path.read_text()) for path in sorted(CONFIGS.glob("*.json"))]
    for each in given:
        assert each["config"]["connection.uri"] == "mongodb://localhost:27017/?directConnection=true"
        each["config"]["connection.uri"] = server.url
    return given


def worker_props(address: str) -> dict[str, str]:
    """Those of configs/mongodb, with quick commits and on free ports."""
    lines = (CONFIGS / "worker.properties").read_text().splitlines()
    props = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    own = {
        "embedded.log.listeners": f"PLAINTEXT://{address}",
        "offset.flush.interval.ms": "300",
        "errors.restart.delay.initial.ms": "100",
    }
    return {name: value for name, value in props.items() if name not in ("listeners", "embedded.log.dir")} | own


def eventually(condition: Any, what: object) -> None:
    assert poll_until(condition, timeout=SECONDS, interval=0.2), what


def task_processes(worker: RunningWorker, server: MongoServer) -> list[int]:
    """Those that talk to MongoDB."""
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


def test_every_config_runs_and_killed_tasks_and_a_killed_server_lose_nothing(tmp_path: Path) -> None:
    """Failure histories 1, 2 and 10, judged in MongoDB: the copy has each document once, by its id, and the journal
    each record of the topic once, by where it is."""
    [port] = free_ports(1)
    with (
        running_mongodb() as server,
        running_worker(tmp_path, worker_props(f"127.0.0.1:{port}"), connectors(server)) as worker,
    ):
        names = [each["name"] for each in connectors(server)]
        eventually(lambda: all_run(worker, names), names)
        sent = 0
        for turn in range(4):
            with mongo_client(server.url) as client:
                client.shop.orders.insert_many([{"n": sent + number} for number in range(25)])
                sent += 25
                arrived = max(1, sent - 40)  # it flows when the first process is killed
                eventually(lambda: client.shop.copy.count_documents({}) >= arrived, "the copy goes on")  # noqa: B023
            if turn == 2:
                server.kill()
                server.start()
            elif turn < 2:
                eventually(lambda: task_processes(worker, server), "tasks that talk to MongoDB")
                for pid in task_processes(worker, server)[: 1 + turn]:
                    os.kill(pid, signal.SIGKILL)
        with mongo_client(server.url) as client:
            shop = client.shop
            eventually(lambda: shop.copy.count_documents({}) >= sent, "every order in the copy")
            assert sorted(each["n"] for each in shop.copy.find()) == list(range(sent))
            assert list(shop.copy.find().sort("_id")) == list(shop.orders.find().sort("_id"))
            in_topic = Kafka(f"127.0.0.1:{port}").read("mongo.shop.orders")
            eventually(lambda: shop.journal.count_documents({}) >= len(in_topic), "every record in the journal")
            journal = list(shop.journal.find())
            assert len(journal) == len(in_topic)
            assert {each["n"] for each in journal} == set(range(sent))
            assert all(each["_id"] == each["topic-partition-offset"].replace("-", "#") for each in journal)
