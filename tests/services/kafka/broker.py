"""Apache Kafka on one node, broker and KRaft controller in one process."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.kafka.java import SERVER_OPTIONS, java_command
from services.processes import ServiceError, ServiceProcess, free_ports

__all__ = ["RunningKafka", "random_cluster_id", "running_kafka"]

# Small for tests beside others; benchmarks ask for Apache Kafka's own default, 1 GiB.
_TEST_HEAP = ("-Xms128M", "-Xmx512M")


@dataclass(frozen=True, slots=True)
class RunningKafka:
    bootstrap: str
    process: ServiceProcess
    data: Path
    listeners: Mapping[str, str]
    """The address of each listener, by its name."""


@contextmanager
def running_kafka(
    folder: Path,
    *,
    heap: tuple[str, ...] = _TEST_HEAP,
    listeners: tuple[str, ...] = (),
    settings: Mapping[str, str] | None = None,
    cluster_id: str | None = None,
) -> Iterator[RunningKafka]:
    """Serve on free ports, with everything under `folder`, until the block ends; what is there already is kept.

    There is a PLAINTEXT listener; `listeners` are more, each named by its protocol unless `settings` map it to one.
    With a `cluster_id`, and `settings` of its own listeners and roles, it can be a further node of a cluster.
    Raises ServiceError when it does not start.
    """
    client_port, controller_port, *ports = free_ports(2 + len(listeners))
    addresses = {"PLAINTEXT": f"127.0.0.1:{client_port}"}
    addresses |= {name: f"127.0.0.1:{port}" for name, port in zip(listeners, ports, strict=True)}
    data = folder / "data"
    config = folder / "server.properties"
    properties = _properties(data, addresses, controller_port, settings or {})
    config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    if not (data / "meta.properties").exists():
        _format_storage(config, cluster_id or random_cluster_id())
    command = java_command("kafka.Kafka", str(config), options=(*heap, *SERVER_OPTIONS), log_level="INFO")
    with ServiceProcess("Apache Kafka", command, log=folder / "server.log") as process:
        process.wait_until(lambda: "Kafka Server started" in process.output(), timeout=120)
        yield RunningKafka(bootstrap=f"127.0.0.1:{client_port}", process=process, data=data, listeners=addresses)


def _properties(
    data: Path, addresses: Mapping[str, str], controller_port: int, settings: Mapping[str, str]
) -> dict[str, object]:
    listeners = ",".join(f"{name}://{address}" for name, address in addresses.items())
    protocols = {name: name for name in ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")} | {
        "CONTROLLER": "PLAINTEXT"
    }
    protocols |= dict(
        entry.split(":") for entry in settings.get("listener.security.protocol.map", "").split(",") if entry
    )
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": listeners,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": data,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        **settings,
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
    }


def random_cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")  # which may begin with a dash


def _format_storage(config: Path, cluster_id: str) -> None:
    command = java_command(
        "kafka.tools.StorageTool",
        *("format", f"--cluster-id={cluster_id}", "-c", str(config)),
        options=("-Xmx256M",),
        log_level="WARN",
    )
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        raise ServiceError(f"kafka-storage format ended with {result.returncode}:\n{result.stderr}{result.stdout}")
