"""The JVM's Kafka Connect worker, on any broker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.kafka.jars import plugin_path
from services.kafka.java import SERVER_OPTIONS, java_command
from services.processes import ServiceProcess, free_ports, http_answers

__all__ = ["RunningConnect", "running_connect"]

# What Apache Kafka's own start script gives a worker.
_HEAP = ("-Xms256M", "-Xmx2G")
_DISTRIBUTED = {
    "group.id": "kconnect-peer",
    "config.storage.topic": "kconnect-peer-configs",
    "config.storage.replication.factor": "1",
    "offset.storage.topic": "kconnect-peer-offsets",
    "offset.storage.replication.factor": "1",
    "status.storage.topic": "kconnect-peer-status",
    "status.storage.replication.factor": "1",
}


@dataclass(frozen=True, slots=True)
class RunningConnect:
    url: str
    process: ServiceProcess


@contextmanager
def running_connect(
    folder: Path,
    bootstrap: str,
    *,
    mode: str = "distributed",
    plugins: tuple[str, ...] = ("connect-file",),
    settings: Mapping[str, str] | None = None,
    connectors: tuple[Path, ...] = (),
) -> Iterator[RunningConnect]:
    """Serve until the block ends; `mode` is `distributed` or `standalone`.

    `plugins` are jar sets of `services.kafka.jars`; `connectors` are files for a standalone worker.
    Yields once REST says that it is healthy; raises ServiceError when it never does.
    """
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    config = folder / "connect.properties"
    properties = {
        "bootstrap.servers": bootstrap,
        "listeners": url,
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "plugin.path": plugin_path(*plugins),
        **(_DISTRIBUTED if mode == "distributed" else {"offset.storage.file.filename": folder / "connect.offsets"}),
        **(settings or {}),
    }
    config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    command = java_command(
        f"org.apache.kafka.connect.cli.Connect{mode.capitalize()}",
        *(str(config), *map(str, connectors)),
        options=(*_HEAP, *SERVER_OPTIONS),
        log_level="INFO",
    )
    with ServiceProcess("Kafka Connect", command, log=folder / "connect.log") as process:
        process.wait_until(lambda: http_answers(f"{url}/health"), timeout=180)
        yield RunningConnect(url=url, process=process)
