"""The two systems that are compared, each with a broker and a worker, started alike and measured alike."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.usage import cpu_seconds, memory_mib, tree
from services.kafka.broker import running_kafka
from services.kafka.connect import running_connect
from services.processes import ServiceProcess, free_ports, http_answers, poll_until

__all__ = ["JVM_BROKER_HEAP", "JVM_SINK", "JVM_SOURCE", "Broker", "System", "both_systems", "jvm_system", "our_system"]

JVM_BROKER_HEAP = ("-Xms1G", "-Xmx1G")  # Apache Kafka's own default
# What made the JVM's own best figures.
JVM_SOURCE = {"producer.override.batch.size": "262144", "producer.override.linger.ms": "20"}
JVM_SINK = {
    "consumer.override.max.poll.records": "5000",
    "consumer.override.fetch.min.bytes": "262144",
    "consumer.override.max.partition.fetch.bytes": "8388608",
}


@dataclass(frozen=True, slots=True)
class Broker:
    bootstrap: str
    pid: int
    admin: AdminClient
    _offsets: Consumer

    @classmethod
    def at(cls, bootstrap: str, pid: int) -> Broker:
        # Silent: brokers end before their clients.
        servers: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 0}
        return cls(bootstrap, pid, AdminClient(servers), Consumer({**servers, "group.id": "benchmark"}))

    def cpu(self) -> float:
        """Seconds used since its start."""
        return cpu_seconds(tree(self.pid))

    def new_topic(self, name: str) -> str:
        self.admin.create_topics([NewTopic(name, 1, 1)])[name].result(60)
        return name

    def records_in(self, topic: str) -> int:
        """By its end offset."""
        return int(self._offsets.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1])


@dataclass(frozen=True, slots=True)
class System:
    """A broker and a worker, warm, with REST at `url`."""

    broker: Broker
    url: str
    worker_pid: int
    # From the start of the first process until REST answered.
    start_seconds: float
    # What a tuned connector of this system has besides the config that both share.
    tuning: Mapping[str, str]

    def worker_cpu(self) -> float:
        """Seconds used by the worker and all that it started, the broker excepted."""
        return cpu_seconds(tree(self.worker_pid, without=[self.broker.pid]))

    def memory(self) -> float:
        """MiB of worker and broker together."""
        both = {process.pid: process for pid in (self.worker_pid, self.broker.pid) for process in tree(pid)}
        return memory_mib(both.values())

    def create(self, name: str, config: Mapping[str, str]) -> None:
        """Raises RuntimeError with the worker's answer when it refuses."""
        body = {"name": name, "config": {**config, **self.tuning, "tasks.max": "1"}}
        answer = httpx.post(f"{self.url}/connectors", json=body, timeout=60)
        if answer.status_code != 201:
            raise RuntimeError(f"{self.url} answered {answer.status_code}: {answer.text}")

    def delete(self, name: str) -> None:
        """Returns when its task has ended."""
        httpx.delete(f"{self.url}/connectors/{name}", timeout=60).raise_for_status()

        def gone() -> bool:
            return httpx.get(f"{self.url}/connectors/{name}/status", timeout=60).status_code == 404

        if not poll_until(gone, timeout=60):
            raise TimeoutError(f"{name} is still there a minute after its deletion")

    def failure_of(self, name: str) -> str | None:
        """The trace of its task, when that has failed."""
        answer = httpx.get(f"{self.url}/connectors/{name}/status", timeout=60)
        if answer.status_code != 200:
            return None
        status = answer.json()
        for part in (status["connector"], *status["tasks"]):
            if part["state"] == "FAILED":
                return str(part.get("trace"))
        return None


@contextmanager
def our_system(folder: Path, *, connectors: tuple[Path, ...] = ()) -> Iterator[System]:
    """`kconnect standalone` with its embedded log, all settings as shipped."""
    rest_port, log_port = free_ports(2)
    url, bootstrap = f"http://127.0.0.1:{rest_port}", f"127.0.0.1:{log_port}"
    config = folder / "worker.properties"
    settings = {
        "listeners": url,
        "embedded.log.listeners": f"PLAINTEXT://{bootstrap}",
        "embedded.log.dir": folder / "log",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    }
    config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    command: list[str | Path] = [Path(sys.executable).parent / "kconnect", "standalone", config, *connectors]
    with ServiceProcess("kconnect", command, log=folder / "worker.log") as process:
        process.wait_until(lambda: http_answers(f"{url}/health"), timeout=60)
        start_seconds = time.monotonic() - process.started_at
        broker = Broker.at(bootstrap, _listener(process.pid, log_port))
        yield System(broker, url, process.pid, start_seconds, {})


@contextmanager
def jvm_system(
    folder: Path,
    *,
    mode: str = "distributed",
    plugins: tuple[str, ...] = ("connect-file",),
    tuning: Mapping[str, str] | None = None,
    connectors: tuple[Path, ...] = (),
) -> Iterator[System]:
    """Apache Kafka and Kafka Connect."""
    with (
        running_kafka(folder, heap=JVM_BROKER_HEAP) as kafka,
        running_connect(folder, kafka.bootstrap, mode=mode, plugins=plugins, connectors=connectors) as connect,
    ):
        start_seconds = time.monotonic() - kafka.process.started_at
        broker = Broker.at(kafka.bootstrap, kafka.process.pid)
        yield System(broker, connect.url, connect.process.pid, start_seconds, tuning or {})


@contextmanager
def both_systems(
    folder: Path, *, plugins: tuple[str, ...] = ("connect-file",), tuning: Mapping[str, str]
) -> Iterator[dict[str, System]]:
    for name in ("ours", "jvm"):
        (folder / name).mkdir()
    with our_system(folder / "ours") as ours, jvm_system(folder / "jvm", plugins=plugins, tuning=tuning) as jvm:
        yield {"ours": ours, "jvm": jvm}


def _listener(worker: int, port: int) -> int:
    """The process under the worker that listens on the log's port."""
    for process in tree(worker):
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            continue
        if any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections):
            return int(process.pid)
    raise LookupError(f"no process under {worker} listens on {port}")
