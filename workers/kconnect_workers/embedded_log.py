"""The embedded log as a worker's child process: started, watched, replaced, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from kconnect.errors import ConfigError
from kconnect_workers.runtime.host_output import StderrTail

_logger = logging.getLogger(__name__)

_READY = re.compile(r"ready: (?P<listeners>\w+://\S+) \(cluster (?P<cluster>[^,)]+)")
_LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>[A-Z]+) (?P<message>.*)")
_LISTENERS, _PROTOCOL_MAP = "listeners", "listener.security.protocol.map"
_WHY = "kconnect broker: "
"""Before the reason why a broker does not start, or ends."""
_WORKERS_WORDS = {
    "--data": "embedded.log.dir",
    "(listeners)": "(embedded.log.listeners)",
    "listeners=": "embedded.log.listeners=",
}
"""What a broker calls the settings that a worker gives it."""
_KEY_FIRST = re.compile(r"^(?=(?:ssl|sasl|listener|advertised|connections?)\.)")
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LONGEST_PAUSE = 5.0


class EmbeddedLog:
    """One broker process in a session of its own; it dies with the worker, and is started again when it dies alone.

    `listeners` are as Kafka's, `settings` all else by its keys; both are handed over unseen by other users.
    `bootstrap_servers` is the first listener with `protocol`, the one that the worker's clients speak. A port 0 is
    chosen once: a replacement listens where its predecessor did.
    """

    bootstrap_servers: str
    cluster_id: str

    def __init__(
        self, listeners: str, data: Path, *, settings: Mapping[str, str] | None = None, protocol: str = "PLAINTEXT"
    ) -> None:
        self._listeners = listeners
        self.data = data
        self._settings = dict(settings or {})
        self._protocol = protocol
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: StderrTail | None = None
        self._watching: asyncio.Task[None] | None = None
        self._level = logging.WARNING
        self._is_ready = False

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Returns when clients may come. ConfigError with the broker's own words when it cannot serve."""
        await self._launch()
        self._watching = asyncio.create_task(self._watch(), name="embedded log")

    async def stop(self) -> None:
        """End the broker, by SIGKILL if it takes longer than ten seconds. May be called twice."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            self._watching = None
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            _logger.warning("the embedded log did not stop within %g s and is killed", _STOP_SECONDS)
            process.kill()
            await process.wait()
        self._drain()

    async def _launch(self) -> None:
        stderr_reader, stderr_writer = os.pipe()
        self._drain()
        self._is_ready = False
        self._stderr = StderrTail(stderr_reader, "[log] ", self._hear)
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr_writer,
                start_new_session=True,
            )
        finally:
            os.close(stderr_writer)
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(ConnectionError):  # it has ended already, and said why
            process.stdin.write(msgspec.json.encode({**self._settings, _LISTENERS: self._listeners}))
            process.stdin.write_eof()
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        except (TimeoutError, ValueError):  # ValueError: a line without an end
            line = b""
        ready = _READY.match(line.decode(errors="replace"))
        if ready is None:
            raise ConfigError(f"the embedded log did not start: {await self._bury(process, line)}")
        self._is_ready = True
        self.cluster_id = ready["cluster"]
        self._listeners = ready["listeners"]
        self.bootstrap_servers = self._own_listener()

    def _own_listener(self) -> str:
        """The address that the worker's clients use."""
        mapped = self._settings.get(_PROTOCOL_MAP, "").upper().replace(" ", "")
        protocols = dict(entry.split(":", 1) for entry in mapped.split(",") if ":" in entry)
        for listener in self._listeners.split(","):
            name, _, address = listener.partition("://")
            if protocols.get(name, name) == self._protocol:
                return address
        raise ConfigError(
            f"none of embedded.log.listeners ({self._listeners}) speaks it",
            key="security.protocol",
            value=self._protocol,
            suggestion="set it, with its ssl. and sasl. settings, to the protocol of a listener for the worker itself, "
            "or add PLAINTEXT://127.0.0.1:0 to the listeners",
        )

    async def _watch(self) -> None:
        pause = 0.1
        while True:
            assert self._process is not None
            code = await self._process.wait()
            _logger.error("the embedded log ended with %s and is started again", code)
            try:
                await self._launch()
                pause = 0.1
            except ConfigError as e:
                _logger.error("%s; trying again in %g s", e, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "kconnect.log", "--data", str(self.data), "--settings"),
            *("--parent-pid", str(os.getpid())),
        ]

    async def _bury(self, process: asyncio.subprocess.Process, first_line: bytes) -> str:
        """End what is not ready; why it is not, in its own words where it said some."""
        try:
            await asyncio.wait_for(process.wait(), 0 if first_line else _STOP_SECONDS)
        except TimeoutError:
            process.kill()
        code = await process.wait()
        self._drain()
        words = "" if self._stderr is None else self._stderr.text
        said = next((line for line in reversed(words.split("\n")) if line), f"it ended with {code}")
        return _in_workers_words(said.removeprefix(_WHY))

    def _hear(self, line: str) -> None:
        """Pass a line of the broker on at its level; one without belongs to the one before, such as a trace's."""
        logged = _LOGGED.fullmatch(line)
        if logged is not None:
            self._level = logging.getLevelNamesMapping().get(logged["level"], logging.WARNING)
            line = logged["message"]
        elif line.startswith(_WHY):
            if not self._is_ready:  # the ConfigError that follows says it
                return
            self._level, line = logging.ERROR, _in_workers_words(line.removeprefix(_WHY))
        _logger.log(self._level, "[log] %s", line)

    def _drain(self) -> None:
        """Read what the broker that has ended said last."""
        if self._stderr is not None:
            self._stderr.drain()


def _in_workers_words(said: str) -> str:
    for theirs, ours in _WORKERS_WORDS.items():
        said = said.replace(theirs, ours)
    return _KEY_FIRST.sub("embedded.log.", said)
