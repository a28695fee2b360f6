"""An embedded log in a process of its own, for tests."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 30.0
_READY = "ready: "


class EmbeddedLog:
    """A broker on a free port of the loopback, as a context manager.

    Its data lies in `data`, or in a temporary folder that goes with it. After `kill` or `stop` it can be
    started again by `restart`, at the same port and with the same data. `launcher` comes before the
    interpreter in the command, for limits (`prlimit` …) that the broker shall run under; `options` are more of the
    broker's own, `settings` are as in a `server.properties`; its `listeners`, without ports, may be several. Every
    method raises RuntimeError, with what the broker said, where it does not do as it should.
    """

    def __init__(
        self,
        data: Path | None = None,
        *,
        launcher: Sequence[str] = (),
        options: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._own_data = tempfile.TemporaryDirectory(prefix="kconnect-log-") if data is None else None
        self.data = Path(self._own_data.name) if self._own_data is not None else data or Path()
        self._launcher = tuple(launcher)
        self._options = tuple(options)
        self._settings = dict(settings or {})
        self._listeners = self._settings.pop("listeners", "PLAINTEXT://127.0.0.1:0")
        self._process: subprocess.Popen[str] | None = None
        self._stderr: list[str] = []

    @property
    def bootstrap_servers(self) -> str:
        """What a client's `bootstrap.servers` takes; of several listeners, the first."""
        return self._listeners.partition("://")[2].partition(",")[0]

    def address_of(self, listener: str) -> str:
        """What a client's `bootstrap.servers` takes, for the listener of that name."""
        names = dict(entry.split("://") for entry in self._listeners.split(","))
        return names[listener]

    @property
    def pid(self) -> int:
        """The process of the running broker."""
        return self._running().pid

    @property
    def stderr(self) -> str:
        """What the broker has logged since its last start; complete once it has ended."""
        return "".join(self._stderr)

    def start(self) -> Self:
        """Start the broker and wait until it is ready."""
        if self._process is not None:
            raise RuntimeError("the broker runs already")
        self._stderr = []
        process = self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            [
                *self._launcher,
                *(sys.executable, "-m", "kconnect.log"),
                *("--listeners", self._listeners, "--data", str(self.data), "--settings"),
                *self._options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(msgspec.json.encode(self._settings).decode())
        first_line: SimpleQueue[str] = SimpleQueue()
        self._readers = [
            threading.Thread(target=_read_first_line, args=(process, first_line), daemon=True),
            threading.Thread(target=_read_errors, args=(process, self._stderr), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            line = first_line.get(timeout=_START_TIMEOUT)
        except Empty:
            line = ""
        if not line.startswith(_READY):
            self.kill()
            raise RuntimeError(f"the broker did not start: {line}{self.stderr}")
        self._listeners = line.removeprefix(_READY).split(maxsplit=1)[0]
        return self

    def stop(self) -> None:
        """End the broker in order (SIGTERM); it must exit with 0."""
        process = self._running()
        process.terminate()
        try:
            code = process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the broker did not end within {_STOP_TIMEOUT:g} s: {self.stderr}") from None
        self._ended()
        if code != 0:
            raise RuntimeError(f"the broker ended with {code}: {self.stderr}")

    def kill(self) -> None:
        """End the broker at once (SIGKILL), as a crash does."""
        process = self._running()
        process.kill()
        process.wait(_STOP_TIMEOUT)
        self._ended()

    def restart(self) -> None:
        """Start again, after ending in order what still runs; clients find the broker where it was."""
        if self._process is not None:
            self.stop()
        self.start()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the broker does not run")
        return self._process

    def _ended(self) -> None:
        process, self._process = self._running(), None
        for reader in self._readers:
            reader.join(_STOP_TIMEOUT)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process is not None:
                self.kill()
        finally:
            if self._own_data is not None:
                self._own_data.cleanup()


def _read_first_line(process: subprocess.Popen[str], lines: SimpleQueue[str]) -> None:
    assert process.stdout is not None
    lines.put(process.stdout.readline())


def _read_errors(process: subprocess.Popen[str], into: list[str]) -> None:
    assert process.stderr is not None
    into.extend(process.stderr)
