"""The registry: which processes a worker has started, on disk, so that its successor can clear what a kill left.

One small file per process names its pid and when it started: a pid that the system has given to someone else since
is never killed. A lock keeps two workers from sharing a registry.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
from io import TextIOWrapper
from pathlib import Path

from kconnect.errors import ConfigError

log = logging.getLogger(__name__)


class ProcessRegistry:
    """The processes of one worker, in `folder` (made if missing, private)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: TextIOWrapper | None = None

    def open(self) -> int:
        """Take the lock, kill what a predecessor left, and return how many processes that were.

        Raises ConfigError when a living worker holds the folder."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self._folder / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise ConfigError(
                f"{self._folder} is in use by another worker (process {holder})",
                suggestion="stop it, or give this worker a data folder of its own",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        return sum(self._clear(entry) for entry in self._folder.glob("*.pid"))

    def add(self, pid: int) -> None:
        """Remember a process that has just been started."""
        started = start_time(pid)
        if started is not None:
            self._entry(pid).write_text(started)

    def remove(self, pid: int) -> None:
        """Forget a process that has ended."""
        self._entry(pid).unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock. May be called twice."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _entry(self, pid: int) -> Path:
        return self._folder / f"{pid}.pid"

    def _clear(self, entry: Path) -> bool:
        """Kill the process of `entry` if it is still the one that was registered."""
        killed = False
        with contextlib.suppress(ValueError, OSError):
            pid = int(entry.stem)
            if start_time(pid) == entry.read_text():
                os.killpg(pid, signal.SIGKILL)
                killed = True
                log.warning("Ended process %d, which an earlier worker had left behind.", pid)
        entry.unlink(missing_ok=True)
        return killed


def start_time(pid: int) -> str | None:
    """When the process started, in words that no other process of that pid can have; None if there is none."""
    proc = Path("/proc")
    if not (proc / "self/stat").exists():
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
        return shown.stdout.strip() or None
    try:
        stat = (proc / str(pid) / "stat").read_text()
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else f"{boot} {fields[19]}"
