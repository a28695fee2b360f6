"""The data folder: whose it is, which process holds it, and in which format it is written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Self

from kconnect.log.errors import DataDirError
from kconnect.log.storage.atomic import replace_file

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
"""Raised when an older broker could no longer read what this one writes."""

CLUSTER_ID_PREFIX = "kconnect-"
"""Workers recognise the embedded log by it."""

_FORMAT_KEY = "kconnect.format"


class DataDir:
    """A data folder that this process holds, alone, until `close`.

    Opening creates the folder if need be, private to its user (mode 0700). Raises DataDirError where
    another process holds it, where it is something else's, or where a newer version wrote it.
    """

    def __init__(self, path: Path, lock_fd: int, meta: dict[str, str]) -> None:
        self.path = path
        self.cluster_id = meta["cluster.id"]
        self.node_id = int(meta["node.id"])
        self.directory_id = meta["directory.id"]
        self._lock_fd = lock_fd

    @classmethod
    def open(cls, path: Path) -> Self:
        path = path.absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_foreign_folder(path)
            lock_fd = _take_lock(path)
        except OSError as e:
            raise DataDirError(
                f"the data folder {path} cannot be used: {e.strerror}; choose another with --data"
            ) from e
        try:
            meta = _read_meta(path) or _write_meta(path)
            path.chmod(0o700)
            return cls(path, lock_fd, meta)
        except BaseException:
            os.close(lock_fd)
            raise

    def close(self) -> None:
        """Let another process have the folder. May be called twice."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def next_leader_epoch(self) -> int:
        """An epoch that no start before has begun; that it is taken survives a power loss. Raises OSError.

        The files of the partitions alone cannot tell: they are not synced, for there are many.
        """
        path = self.path / "leader-epoch"
        try:
            taken = int(path.read_text("ascii"))
        except (FileNotFoundError, ValueError):
            taken = 0
        replace_file(path, f"{taken + 1}\n".encode(), sync=True)
        return taken + 1

    @property
    def recovery_checkpoint(self) -> Path:
        """Offsets below which everything is synced."""
        return self.path / "recovery-point-offset-checkpoint"

    @property
    def log_start_checkpoint(self) -> Path:
        """First offsets that DeleteRecords and retention left."""
        return self.path / "log-start-offset-checkpoint"

    @property
    def cleaner_checkpoint(self) -> Path:
        """First offsets that compaction has not looked at."""
        return self.path / "cleaner-offset-checkpoint"

    @property
    def clean_shutdown_marker(self) -> Path:
        """There while nothing was written since the last orderly end."""
        return self.path / ".kafka_cleanshutdown"


def _refuse_foreign_folder(path: Path) -> None:
    # A lock file alone is a first start that ended early.
    foreign = next((entry.name for entry in path.iterdir() if entry.name not in (".lock", "meta.properties.tmp")), None)
    if foreign and not (path / "meta.properties").exists():
        raise DataDirError(
            f"{path} is not a data folder of kconnect (it holds {foreign!r} and no meta.properties); "
            "choose an empty or new folder with --data"
        )


def _take_lock(path: Path) -> int:
    fd = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise DataDirError(
            f"the data folder {path} is in use by process {holder}; "
            "stop that broker, or choose another folder with --data"
        ) from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _read_meta(path: Path) -> dict[str, str] | None:
    file = path / "meta.properties"
    if not file.exists():
        return None
    lines = (line.partition("=") for line in file.read_text("utf-8").splitlines() if not line.startswith("#"))
    meta = {key.strip(): value.strip() for key, _, value in lines}
    written = meta.get(_FORMAT_KEY)
    if written is None:
        raise DataDirError(
            f"{path} belongs to an Apache Kafka broker (cluster {meta.get('cluster.id')}); "
            "choose another folder with --data"
        )
    if not written.isdigit() or int(written) > FORMAT:
        raise DataDirError(
            f"{path} is written in data format {written}, and this version of kconnect reads up to {FORMAT}; "
            "start it with the version that wrote it, or a later one"
        )
    missing = [key for key in ("cluster.id", "node.id", "directory.id") if not meta.get(key)]
    if missing:
        raise DataDirError(f"{file} lacks {', '.join(missing)}; restore the file from a backup")
    return meta


def _write_meta(path: Path) -> dict[str, str]:
    meta = {
        "version": "1",
        "cluster.id": CLUSTER_ID_PREFIX + secrets.token_urlsafe(12),
        "node.id": "1",
        "directory.id": urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode(),
        _FORMAT_KEY: str(FORMAT),
    }
    content = "".join(f"{key}={value}\n" for key, value in meta.items())
    replace_file(path / "meta.properties", content.encode(), sync=True)
    return meta
