"""The embedded log as a worker's child process: started, watched, replaced, ended."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from pathlib import Path

from kconnect.errors import ConfigError
from kconnect_workers.runtime.host_output import StderrTail

_logger = logging.getLogger(__name__)

_READY = re.compile(r"ready: (?P<protocol>\w+)://(?P<address>\S+) \(cluster (?P<cluster>[^,)]+)")
_LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>[A-Z]+) (?P<message>.*)")
_WHY = "kconnect broker: "
"""Before the reason why a broker does not start, or ends."""
_WORKERS_WORDS = {
    "--data": "embedded.log.dir",
    "(listeners)": "(embedded.log.listeners)",
    "listeners=": "embedded.log.listeners=",
}
"""What a broker calls the settings that a worker gives it."""
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LONGEST_PAUSE = 5.0


class EmbeddedLog:
    """One broker process in a session of its own; it dies with the worker, and is started again when it dies alone.

    `listener` is `PLAINTEXT://host:port`. A port 0 is chosen once: a replacement listens where its predecessor did.
    """

    bootstrap_servers: str
    cluster_id: str

    def __init__(self, listener: str, data: Path) -> None:
        self._listener = listener
        self.data = data
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
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr_writer,
                start_new_session=True,
            )
        finally:
            os.close(stderr_writer)
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        except (TimeoutError, ValueError):  # ValueError: a line without an end
            line = b""
        ready = _READY.match(line.decode(errors="replace"))
        if ready is None:
            raise ConfigError(f"the embedded log did not start: {await self._bury(process, line)}")
        self._is_ready = True
        self.bootstrap_servers, self.cluster_id = ready["address"], ready["cluster"]
        self._listener = f"{ready['protocol']}://{ready['address']}"

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
            *(sys.executable, "-m", "kconnect.log", "--listeners", self._listener, "--data", str(self.data)),
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
    return said
