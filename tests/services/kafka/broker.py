"""Apache Kafka on one node, broker and KRaft controller in one process."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.kafka.java import SERVER_OPTIONS, java_command
from services.processes import ServiceError, ServiceProcess, free_ports

__all__ = ["RunningKafka", "running_kafka"]

# Small for tests beside others; benchmarks ask for Apache Kafka's own default, 1 GiB.
_TEST_HEAP = ("-Xms128M", "-Xmx512M")


@dataclass(frozen=True, slots=True)
class RunningKafka:
    bootstrap: str
    process: ServiceProcess
    data: Path


@contextmanager
def running_kafka(folder: Path, *, heap: tuple[str, ...] = _TEST_HEAP) -> Iterator[RunningKafka]:
    """Serve on two free ports, with everything under `folder`, until the block ends; what is there already is kept.

    Raises ServiceError when it does not start.
    """
    client_port, controller_port = free_ports(2)
    data = folder / "data"
    config = folder / "server.properties"
    config.write_text(_properties(data, client_port, controller_port))
    if not (data / "meta.properties").exists():
        _format_storage(config)
    command = java_command("kafka.Kafka", str(config), options=(*heap, *SERVER_OPTIONS), log_level="INFO")
    with ServiceProcess("Apache Kafka", command, log=folder / "server.log") as process:
        process.wait_until(lambda: "Kafka Server started" in process.output(), timeout=120)
        yield RunningKafka(bootstrap=f"127.0.0.1:{client_port}", process=process, data=data)


def _properties(data: Path, client_port: int, controller_port: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{client_port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{client_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": data,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _format_storage(config: Path) -> None:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = java_command(
        "kafka.tools.StorageTool",
        *("format", "-t", cluster_id, "-c", str(config)),
        options=("-Xmx256M",),
        log_level="WARN",
    )
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        raise ServiceError(f"kafka-storage format ended with {result.returncode}:\n{result.stderr}{result.stdout}")
