"""How the peer's JVM processes are started."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.kafka.jars import class_path
from services.processes import ServiceError

__all__ = ["SERVER_OPTIONS", "java_command"]

_LOGGING = Path(__file__).with_name("log4j2.xml")

# What Apache Kafka's own start scripts give every server.
SERVER_OPTIONS = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)


def java_command(main_class: str, *arguments: str, options: tuple[str, ...] = (), log_level: str) -> list[str]:
    """Raises ServiceError when there is no JDK or the jars cannot be fetched."""
    java = shutil.which("java")
    if not java:
        raise ServiceError("no `java` on PATH (a JDK 17 or newer is needed)")
    logging = (f"-Dlog4j2.configurationFile=file:{_LOGGING}", f"-Dkconnect.peer.log.level={log_level}")
    return [java, *options, *logging, "-cp", class_path(), main_class, *arguments]
