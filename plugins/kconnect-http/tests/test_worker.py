"""The configs of configs/http in a worker: what a user starts, with processes that are killed under it."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3

from services.http import HttpServer, Request, Response, running_http_server
from services.processes import free_ports, poll_until
from services.stage import Kafka
from services.worker import RunningWorker, running_worker

CONFIGS = Path(__file__).parents[3] / "configs" / "http"
SECONDS = 40.0
_LOGIN = {"Authorization": "Bearer change-me"}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def connectors(server: HttpServer, hooks: int, *names: str) -> list[dict[str, Any]]:
    """Those of configs/http, at this server and this port."""
    given = []
    for name in names:
        text = (CONFIGS / f"{name}.json").read_text()
        given.append(json.loads(text.replace("http://localhost:8091", server.url).replace("8090", str(hooks))))
    return given


def worker_props(address: str, flush_ms: int) -> dict[str, str]:
    """Those of configs/http, on free ports, with failed tasks back soon."""
    lines = (CONFIGS / "worker.properties").read_text().splitlines()
    props = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    own = {"embedded.log.listeners": f"PLAINTEXT://{address}", "errors.restart.delay.initial.ms": "100"}
    own["offset.flush.interval.ms"] = str(flush_ms)
    return {name: value for name, value in props.items() if name not in ("listeners", "embedded.log.dir")} | own


class Shop:
    """Items that can be asked for, newest last, in pages; what is sent to it is kept."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.orders: list[dict[str, Any]] = []
        self.copies: dict[str, Any] = {}

    def add(self, count: int) -> None:
        for _ in range(count):
            number = len(self.items)
            at = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
            self.items.append({"id": number, "updated": at})

    def answer(self, request: Request) -> Response:
        if request.path == "/items":
            begin = int(request.query.get("begin", 0))
            found = [item for item in self.items if item["updated"] >= request.query.get("updated_since", "")]
            since = request.query.get("updated_since", "")
            more = f'</items?updated_since={since}&begin={begin + 7}>; rel="next"' if len(found) > begin + 7 else ""
            return Response(200, {"items": found[begin : begin + 7]}, {"Link": more} if more else {})
        if request.path == "/orders":
            assert request.headers["authorization"] == "Bearer change-me"
            self.orders += request.json
        elif request.method == "PUT":
            assert request.headers["x-source"] == "kconnect"
            self.copies[request.path.removeprefix("/copies/")] = request.json
        return Response(202)


class Customers:
    """Order by webhooks, each again and again until it is answered with 200."""

    def __init__(self, port: int) -> None:
        self.ordered: list[int] = []
        self._url = f"http://127.0.0.1:{port}/hooks/berlin"
        self._next = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._order) for _ in range(4)]

    def _order(self) -> None:
        with urllib3.PoolManager(retries=False, timeout=10.0) as http:
            while not self._ended.is_set():
                with self._lock:
                    number, self._next = self._next, self._next + 1
                body = json.dumps({"id": number}).encode()
                while not self._ended.is_set():
                    try:
                        answer = http.request(
                            "POST", self._url, body=body, headers={"Authorization": "Bearer change-me"}
                        )
                    except urllib3.exceptions.HTTPError:
                        self._ended.wait(0.05)
                        continue
                    if answer.status == 200:
                        with self._lock:
                            self.ordered.append(number)
                        break
                    self._ended.wait(0.05)

    @contextmanager
    def ordering(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join(SECONDS)


def eventually(condition: Callable[[], Any], what: object) -> None:
    assert poll_until(condition, timeout=SECONDS), what() if callable(what) else what


def all_run(worker: RunningWorker, names: list[str]) -> bool:
    return all(set(worker.states(name)) == {"RUNNING"} and len(worker.states(name)) > 1 for name in names)


def task_processes(worker: RunningWorker, *ports: int) -> list[int]:
    """Those that listen on, or talk to, one of these ports."""
    found = []
    for process in psutil.Process(worker.process.pid).children(recursive=True):
        try:
            connections = process.net_connections("tcp")
        except psutil.Error:
            continue
        places = [c.raddr.port for c in connections if c.raddr] + [c.laddr.port for c in connections if not c.raddr]
        if set(ports) & set(places):
            found.append(process.pid)
    return found


def topic(kafka: Kafka, name: str) -> list[Any]:
    try:
        return [json.loads(value or b"null") for _, value in kafka.read(name)]
    except KeyError:
        return []


def call(worker: RunningWorker, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(worker.url + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def test_every_config_runs_and_moves_records(tmp_path: Path) -> None:
    """Webhooks are answered although offsets are stored once in an hour only."""
    port, hooks = free_ports(2)
    names = sorted(path.stem for path in CONFIGS.glob("*.json"))
    shop = Shop()
    shop.add(20)
    with (
        running_http_server(shop.answer) as server,
        running_worker(
            tmp_path, worker_props(f"127.0.0.1:{port}", 3_600_000), connectors(server, hooks, *names)
        ) as worker,
    ):
        kafka = Kafka(f"127.0.0.1:{port}")
        eventually(lambda: all_run(worker, names), lambda: worker.get("/connectors?expand=status"))
        customers = Customers(hooks)
        with customers.ordering():
            eventually(lambda: len(customers.ordered) >= 20, "answers to webhooks")
        eventually(lambda: {each["id"] for each in shop.orders} >= set(customers.ordered), "orders at the target")
        assert {each["id"] for each in topic(kafka, "http.orders.berlin")} >= set(customers.ordered)
        eventually(lambda: len(shop.copies) == 20, "a copy of each item")
        shop.add(5)
        eventually(lambda: len(shop.copies) == 25, "copies of new items")
        assert [each["id"] for each in topic(kafka, "http.items")] == list(range(25))
        call(worker, "PUT", "/connectors/items-source/stop")
        eventually(lambda: worker.states("items-source") == ["STOPPED"], "the stop")
        [found] = worker.get("/connectors/items-source/offsets")["offsets"]
        assert (found["offset"]["key"], found["offset"]["timestamp"]) == ("24", shop.items[24]["updated"])
        back = {"partition": {}, "offset": {"timestamp": shop.items[23]["updated"]}}
        call(worker, "PATCH", "/connectors/items-source/offsets", {"offsets": [back]})
        call(worker, "PUT", "/connectors/items-source/resume")
        eventually(lambda: len(topic(kafka, "http.items")) == 27, "two items once more")
        assert [each["id"] for each in topic(kafka, "http.items")][25:] == [23, 24]


def test_killed_tasks_and_a_server_that_is_away_lose_nothing(tmp_path: Path) -> None:
    """Failure histories 1, 2 and 10: what was answered with 200 is in the topic, and what is there reaches the target;
    items come in their order but for those that come again."""
    port, hooks = free_ports(2)
    names = ["orders-webhook-source", "orders-batch-sink", "items-source"]
    shop = Shop()
    customers = Customers(hooks)
    with (
        running_http_server(shop.answer) as server,
        running_worker(tmp_path, worker_props(f"127.0.0.1:{port}", 300), connectors(server, hooks, *names)) as worker,
        customers.ordering(),
    ):
        kafka = Kafka(f"127.0.0.1:{port}")
        for turn in range(6):
            shop.add(25)
            before = len(customers.ordered)
            eventually(lambda: len(customers.ordered) >= before + 50, "the customers are served")  # noqa: B023
            eventually(lambda: len(topic(kafka, "http.items")) >= len(shop.items) - 10, "items are read")
            if turn == 3:
                server.stop()
                eventually(lambda: len(customers.ordered) >= before + 100, "webhooks need no target")  # noqa: B023
                server.start()
            elif turn < 5:
                eventually(lambda: len(task_processes(worker, hooks, server.port)) >= 2, "tasks at work")
                for pid in task_processes(worker, hooks, server.port):
                    os.kill(pid, signal.SIGKILL)
        ordered = set(customers.ordered)
        stored = {each["id"] for each in topic(kafka, "http.orders.berlin")}
        assert stored >= ordered, f"answered with 200 and lost: {ordered - stored}"
        eventually(
            lambda: {each["id"] for each in shop.orders} >= stored,
            lambda: f"not at the target: {stored - {each['id'] for each in shop.orders}}",
        )
        eventually(lambda: {each["id"] for each in topic(kafka, "http.items")} == set(range(150)), "every item")
        seen: list[int] = []
        for each in topic(kafka, "http.items"):
            if each["id"] not in seen:
                seen.append(each["id"])
        assert seen == list(range(150))
