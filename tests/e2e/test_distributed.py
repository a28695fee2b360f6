"""Whole pools of workers on one broker: who runs what, what any worker can be asked, and what the loss of one means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kconnect_workers.config.properties_file import read_properties_file
from services.pool import RunningPool, call, running_pool
from services.stage import Kafka

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


CONFIGS = Path(__file__).parents[2] / "configs" / "distributed"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    with running_pool(tmp_path_factory.mktemp("pool")) as running:
        running.add("one", "two")
        yield running


class Pipes:
    """Pairs of a source and a sink, from one file to another."""

    def __init__(self, pool: RunningPool, folder: Path, *names: str) -> None:
        self.pool, self.folder, self.names = pool, folder, names
        self._written = 0

    def create(self, worker: str) -> None:
        for name in self.names:
            source = {"connector.class": "FileStreamSource", "file": str(self.folder / f"{name}.in"), "topic": name}
            sink = {"connector.class": "FileStreamSink", "file": str(self.folder / f"{name}.out"), "topics": name}
            for kind, config in (("source", source), ("sink", sink)):
                body = {"name": f"{name}-{kind}", "config": config}
                assert call(self.pool.workers[worker], "POST", "/connectors", body)[0] == 201

    def write(self, count: int) -> None:
        for name in self.names:
            with (self.folder / f"{name}.in").open("a") as file:
                file.writelines(f"{name} {number}\n" for number in range(self._written, self._written + count))
        self._written += count

    def have_arrived(self) -> bool:
        """Every line that was written, at least once."""
        return all(self._arrived(name) >= {f"{name} {n}" for n in range(self._written)} for name in self.names)

    def placement(self) -> dict[str, str]:
        """Which worker runs what, once all of it runs."""
        placed = self.pool.placement(*(f"{name}-" for name in self.names))
        return placed if len(placed) >= 4 * len(self.names) else {}

    def runs_without(self, worker_id: str) -> bool:
        workers = set(self.placement().values())
        return bool(workers) and worker_id not in workers

    def delete(self, worker: str) -> None:
        for name in self.names:
            for kind in ("source", "sink"):
                call(self.pool.workers[worker], "DELETE", f"/connectors/{name}-{kind}")

    def _arrived(self, name: str) -> set[str]:
        file = self.folder / f"{name}.out"
        return set(file.read_text().splitlines()) if file.exists() else set()


def test_the_ready_configs_make_a_pool(tmp_path: Path) -> None:
    connectors = {file.stem: json.loads(file.read_text()) for file in CONFIGS.glob("*.json")}
    connectors["lines-source"]["config"]["file"] = str(tmp_path / "lines.txt")
    connectors["lines-sink"]["config"]["file"] = str(tmp_path / "copied.txt")
    (tmp_path / "lines.txt").write_text("hello\n")
    with running_pool(tmp_path) as pool:
        own = {"bootstrap.servers": pool.bootstrap, "listeners": "http://127.0.0.1:0"}
        started = {}
        for file in sorted(CONFIGS.glob("*.properties")):
            given = read_properties_file(file)
            assert own.keys() <= given.keys()
            settings = {**given, **own, "worker.dir": str(tmp_path / file.stem / "own")}
            started[file.stem] = pool.start_with(file.stem, settings)
        worker, _ = pool.join(started)
        for connector in connectors.values():
            assert call(worker, "POST", "/connectors", connector)[0] == 201
        pool.wait_until(lambda: (tmp_path / "copied.txt").exists(), "a file that the sink writes")
        pool.wait_until(lambda: (tmp_path / "copied.txt").read_text() == "hello\n", "what the source has read")


def test_work_moves_to_a_worker_that_joins_and_back_when_it_is_killed(pool: RunningPool, tmp_path: Path) -> None:
    pipes = Pipes(pool, tmp_path, "a", "b", "c")
    pipes.write(5)
    pipes.create(pool.followers()[0])
    pool.wait_until(lambda: len(set(pipes.placement().values())) == 2, "both workers run something")
    pool.wait_until(pipes.have_arrived, "all lines of two workers")

    [third] = pool.add("three")
    third_id = third.url.removeprefix("http://")
    pipes.write(5)
    pool.wait_until(lambda: third_id in pipes.placement().values(), "the new worker runs something")
    before = set(pipes.placement())
    pool.wait_until(pipes.have_arrived, "all lines of three workers")

    pool.kill("three")
    pipes.write(5)
    pool.wait_until(lambda: pipes.runs_without(third_id), "takeover")
    assert set(pipes.placement()) == before
    pool.wait_until(pipes.have_arrived, "all lines of the two that are left")
    for name in pipes.names:  # where sources are exactly-once unless told otherwise
        written = sorted(
            (message.value() or b"").decode() for message in Kafka(pool.bootstrap).committed_messages(name)
        )
        assert written == sorted(f"{name} {number}" for number in range(15))
    pipes.delete("one")
    pool.wait_until(lambda: pool.workers["two"].get("/connectors") == [], "no connectors")


def test_every_worker_can_be_asked_for_everything(pool: RunningPool, tmp_path: Path) -> None:
    pipes = Pipes(pool, tmp_path, "asked")
    pipes.write(1)
    pipes.create("one")
    pool.wait_until(lambda: bool(pipes.placement()), "everything runs")
    leader = pool.workers[pool.leader]
    follower = pool.workers[pool.followers()[0]]

    assert call(follower, "PUT", "/connectors/asked-source/pause")[0] == 202
    for worker in (leader, follower):
        pool.wait_until(lambda: worker.states("asked-source") == ["PAUSED", "PAUSED"], "paused")  # noqa: B023
    assert call(follower, "PUT", "/connectors/asked-source/resume")[0] == 202
    pool.wait_until(lambda: bool(pipes.placement()), "everything runs again")

    for worker in (leader, follower):  # one of them runs it
        assert call(worker, "POST", "/connectors/asked-source/tasks/0/restart")[0] == 204
        status, body = call(worker, "POST", "/connectors/asked-source/restart?includeTasks=true")
        assert (status, [task["state"] for task in body["tasks"]]) == (202, ["RESTARTING"])
        pool.wait_until(lambda: bool(pipes.placement()), "everything runs again")

    status, _ = call(follower, "PATCH", "/connectors/asked-source/config", {"batch.size": "7"})
    assert status == 200
    assert follower.get("/connectors/asked-source/config")["batch.size"] == "7"

    assert call(follower, "PUT", "/connectors/asked-source/stop")[0] == 204
    pipes.write(3)
    wanted = {"offsets": [{"partition": {"filename": str(tmp_path / "asked.in")}, "offset": {"position": 0}}]}
    assert call(follower, "PATCH", "/connectors/asked-source/offsets", wanted)[0] == 200
    assert follower.get("/connectors/asked-source/offsets") == wanted
    assert call(follower, "PUT", "/connectors/asked-source/resume")[0] == 202
    pool.wait_until(pipes.have_arrived, "all lines")

    assert call(follower, "PUT", "/admin/loggers/kconnect.asked?scope=cluster", {"level": "DEBUG"})[0] == 204
    for worker in (leader, follower):
        pool.wait_until(lambda: call(worker, "GET", "/admin/loggers/kconnect.asked")[0] == 200, "levels")  # noqa: B023
        assert worker.get("/admin/loggers/kconnect.asked")["level"] == "DEBUG"

    for path in ("/connectors/asked-source", "/connectors/asked-sink"):
        assert call(follower, "DELETE", path)[0] == 204
        assert call(follower, "GET", path)[0] == 404
    pool.wait_until(lambda: leader.get("/connectors?expand=status") == {}, "nothing is left")


def test_a_change_touches_only_the_tasks_of_its_connector(pool: RunningPool, tmp_path: Path) -> None:
    pipes = Pipes(pool, tmp_path, "kept", "changed")
    pipes.write(1)
    pipes.create("two")
    pool.wait_until(lambda: bool(pipes.placement()), "everything runs")
    placed = pipes.placement()
    outputs = {name: len(worker.process.output()) for name, worker in pool.workers.items()}
    config = {**pool.workers["one"].get("/connectors/changed-sink/config"), "tasks.max": "2"}
    assert call(pool.workers["one"], "PUT", "/connectors/changed-sink/config", config)[0] == 200
    pool.wait_until(lambda: "changed-sink-1" in pipes.placement(), "there is one more task")
    kept = {part: worker for part, worker in placed.items() if part.startswith("kept")}
    assert kept.items() <= pipes.placement().items()
    said = "".join(worker.process.output()[outputs[name] :] for name, worker in pool.workers.items())
    assert "changed-sink" in said
    assert "[kept-sink" not in said  # a consumer that starts, or loses its partitions, would say so
    pipes.delete("one")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"X-Connect-Authorization": "c2lnbmVk", "X-Connect-Request-Signature-Algorithm": "HmacSHA256"}, 403),
        ({"X-Connect-Authorization": "c2lnbmVk", "X-Connect-Request-Signature-Algorithm": "HmacMD5"}, 400),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "tasks"), ("PUT", "fence")])
def test_requests_between_workers_need_their_signature(
    pool: RunningPool, headers: dict[str, str], status: int, method: str, path: str
) -> None:
    leader = pool.workers[pool.leader]
    answered, body = call(leader, method, f"/connectors/some/{path}", [{}], headers)
    assert (answered, body["error_code"]) == (status, status)


def test_a_worker_that_is_told_to_end_leaves_its_work_to_others(pool: RunningPool, tmp_path: Path) -> None:
    pipes = Pipes(pool, tmp_path, "left")
    [leaving] = pool.add("leaving")
    pipes.write(1)
    pipes.create("leaving")
    pool.wait_until(lambda: bool(pipes.placement()), "everything runs")
    assert pool.stop("leaving") == 0
    assert leaving.process.output().endswith("stopped\n")
    leaving_id = leaving.url.removeprefix("http://")
    pool.wait_until(lambda: pipes.runs_without(leaving_id), "takeover")
    pipes.write(3)
    pool.wait_until(pipes.have_arrived, "all lines")
    pipes.delete("one")


@pytest.mark.parametrize(
    ("props", "told"),
    [
        ({"group.id": ""}, "group.id"),
        ({"bootstrap.servers": ""}, "start one `kconnect broker` for all of them"),
        ({"heartbeat.interval.ms": "90000"}, "heartbeat.interval.ms"),
        ({"config.storage.topic": "two words"}, "two words"),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_one_line(pool: RunningPool, props: dict[str, str], told: str) -> None:
    process = pool.start(f"refused-{abs(hash(json.dumps(props)))}", props)
    pool.wait_until(lambda: process.exit_code is not None, "it ends")
    assert process.exit_code == 3
    [line] = [line for line in process.output().splitlines() if "worker.properties" in line or told in line]
    assert line.startswith("kconnect worker: ")
    assert told in line
