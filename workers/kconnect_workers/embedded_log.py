"""The embedded log as a worker's child process: started, watched, replaced, ended."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from collections import deque
from pathlib import Path

from kconnect.errors import ConfigError

_logger = logging.getLogger(__name__)

_READY = re.compile(r"ready: (?P<protocol>\w+)://(?P<address>\S+) \(cluster (?P<cluster>[^,)]+)")
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
        self._last_words: deque[str] = deque(maxlen=20)
        self._watching: asyncio.Task[None] | None = None

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

    async def _launch(self) -> None:
        self._last_words.clear()
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "kconnect.log", "--listeners", self._listener, "--data", str(self.data)),
            *("--parent-pid", str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        said = asyncio.create_task(self._pass_on(process.stderr))
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        except TimeoutError:
            process.kill()
            line = b""
        ready = _READY.match(line.decode(errors="replace"))
        if ready is None:
            await process.wait()
            await said
            reason = self._last_words[-1] if self._last_words else f"it ended with {process.returncode}"
            raise ConfigError(f"the embedded log did not start: {reason.removeprefix('kconnect broker: ')}")
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

    async def _pass_on(self, stderr: asyncio.StreamReader) -> None:
        while line := (await stderr.readline()).decode(errors="replace").rstrip():
            self._last_words.append(line)
            _logger.info("[log] %s", line)
