"""FerretDB 1, which speaks MongoDB's protocol over SQLite: no real mongod is to be had by a package manager.

It has no change streams, no transactions and no time series; a document replaced costs it some ten milliseconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from services.mongodb.binary import ferretdb, missing
from services.processes import ServiceProcess, free_ports

__all__ = ["MongoServer", "missing", "mongo_client", "running_mongodb"]

_START_S = 30.0


def mongo_client(url: str, **settings: Any) -> pymongo.MongoClient[dict[str, Any]]:
    """A client that gives up after seconds, not half a minute."""
    return pymongo.MongoClient(url, serverSelectionTimeoutMS=5000, tz_aware=True, **settings)


class MongoServer:
    """One server; stopped and killed, it can be started again at the same port with what it had."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        [self.port] = free_ports(1)
        self.folder = folder
        self.url = f"mongodb://127.0.0.1:{self.port}/?directConnection=true"
        self._options = list(options)
        self._process: ServiceProcess | None = None

    def start(self) -> None:
        """Returns when it answers. ServiceError when it does not."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        command: list[str | Path] = [
            ferretdb(),
            "--handler=sqlite",
            # What is acknowledged survives a kill of the process, not of the machine.
            f"--sqlite-url=file:{data}/?_pragma=synchronous(off)",
            f"--listen-addr=127.0.0.1:{self.port}",
            f"--state-dir={self.folder}",
            "--debug-addr=-",
            "--telemetry=disable",
            "--log-level=WARN",
            *self._options,
        ]
        self._process = ServiceProcess("FerretDB", command, log=self.folder / "ferretdb.log")
        self._process.wait_until(self._answers, timeout=_START_S)

    def stop(self) -> None:
        """In order. May be called twice."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """At once, as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _answers(self) -> bool:
        try:
            with pymongo.MongoClient[dict[str, Any]](self.url, serverSelectionTimeoutMS=500) as client:
                client.admin.command("ping")
        except OperationFailure:
            return True  # it answers, and asks who this is
        except PyMongoError:
            return False
        return True


@contextmanager
def running_mongodb(*options: str) -> Iterator[MongoServer]:
    """A server until the block ends, with more options of FerretDB's command line."""
    with tempfile.TemporaryDirectory(prefix="kconnect-mongodb-") as folder:
        server = MongoServer(Path(folder), options)
        try:
            server.start()
            yield server
        finally:
            server.stop()
