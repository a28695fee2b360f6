"""A worker of ours and one of the JVM's Kafka Connect in one pool: each runs, forwards, signs and takes over."""

from pathlib import Path

import pytest

from services.kafka.connect import running_connect
from services.pool import RunningPool, call, running_pool
from services.processes import poll_until
from services.worker import RunningWorker

pytestmark = [pytest.mark.interop, pytest.mark.needs("kafka"), pytest.mark.timeout(300)]

SHARED = {
    "group.id": "pool",
    "config.storage.topic": "connect-configs",
    "offset.storage.topic": "connect-offsets",
    "status.storage.topic": "connect-status",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "exactly.once.source.support": "disabled",
    "scheduled.rebalance.max.delay.ms": "1000",
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "1000",
    "offset.flush.interval.ms": "500",
    "topic.creation.enable": "true",
}
FILE = "org.apache.kafka.connect.file.FileStream{}Connector"


def create(worker: RunningWorker, folder: Path, *names: str) -> None:
    """A source and a sink for each name, by the classes' Java names."""
    for name in names:
        source = {"connector.class": FILE.format("Source"), "file": str(folder / f"{name}.in"), "topic": name}
        sink = {"connector.class": FILE.format("Sink"), "file": str(folder / f"{name}.out"), "topics": name}
        for kind, config in (("source", source), ("sink", sink)):

            def is_created(connector: str = f"{name}-{kind}", config: dict[str, str] = config) -> bool:
                status, _ = call(worker, "POST", "/connectors", {"name": connector, "config": config})
                return status == 201  # the JVM's worker refuses while it rebalances

            assert poll_until(is_created, timeout=60, interval=0.5)


def write(folder: Path, numbers: range, *names: str) -> None:
    for name in names:
        with (folder / f"{name}.in").open("a") as file:
            file.writelines(f"{name} {number}\n" for number in numbers)


def arrived(folder: Path, count: int, *names: str) -> bool:
    files = {name: folder / f"{name}.out" for name in names}
    return all(
        file.exists() and set(file.read_text().splitlines()) >= {f"{name} {number}" for number in range(count)}
        for name, file in files.items()
    )


def test_workers_of_both_kinds_share_a_pool(tmp_path: Path) -> None:
    names = ("a", "b")
    write(tmp_path, range(5), *names)
    with running_pool(tmp_path, SHARED) as pool:
        with running_connect(tmp_path, pool.bootstrap, settings=SHARED) as theirs:
            jvm = RunningWorker(theirs.url, theirs.process)
            [ours] = pool.add("ours")
            create(ours, tmp_path, *names)  # which it forwards to the leader, the JVM's
            ids = {worker.url.removeprefix("http://") for worker in (jvm, ours)}
            pool.wait_until(lambda: set(pool.placement().values()) == ids, "each runs something")
            pool.wait_until(lambda: arrived(tmp_path, 5, *names), "all lines")
            assert call(jvm, "PUT", "/connectors/a-source/pause")[0] == 202
            pool.wait_until(lambda: ours.states("a-source") == ["PAUSED", "PAUSED"], "paused")
            assert call(ours, "PUT", "/connectors/a-source/resume")[0] == 202
            write(tmp_path, range(5, 10), *names)
            pool.wait_until(lambda: arrived(tmp_path, 10, *names), "more lines")
            theirs.process.kill()
        pool.wait_until(lambda: taken_over(pool, ours), "what the JVM's ran")
        write(tmp_path, range(10, 15), *names)
        pool.wait_until(lambda: arrived(tmp_path, 15, *names), "lines after it")


def taken_over(pool: RunningPool, ours: RunningWorker) -> bool:
    placed = pool.placement()
    return len(placed) == 8 and set(placed.values()) == {ours.url.removeprefix("http://")}
