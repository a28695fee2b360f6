"""Apache Kafka's command line tools, each a JVM of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from services.kafka.java import java_command
from services.processes import ServiceError, ServiceProcess

__all__ = ["JavaTools"]

_CLASSES = {
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}
# They live for seconds: compiling hot code twice is not worth it.
_OPTIONS = ("-Xmx256M", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class JavaTools:
    """Tools by the names that they have in Apache Kafka's `bin` folder."""

    def run(self, tool: str, *arguments: str, stdin: str | None = None, timeout: float = 90) -> str:
        """What the tool prints on standard output.

        Raises ServiceError, with its output, when it ends with anything but 0 or overruns `timeout` seconds.
        """
        try:
            result = subprocess.run(
                self._command(tool, arguments),
                input=stdin or "",
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ServiceError(f"{tool} {arguments} overran {timeout:g} s:\n{_text(error.stderr)}") from error
        if result.returncode != 0:
            raise ServiceError(f"{tool} {arguments} ended with {result.returncode}:\n{result.stderr}{result.stdout}")
        return result.stdout

    def start(self, tool: str, *arguments: str, log: Path) -> ServiceProcess:
        """The tool in the background, with its output in `log`."""
        return ServiceProcess(tool, self._command(tool, arguments), log=log)

    def _command(self, tool: str, arguments: tuple[str, ...]) -> list[str]:
        return java_command(_CLASSES[tool], *arguments, options=_OPTIONS, log_level="WARN")


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
