"""Which broker serves a data folder now: a note that it leaves there, for tools of the same user."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
from typing import TYPE_CHECKING

import msgspec

from kconnect.log.storage.atomic import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "broker.json"


class RunningBroker(msgspec.Struct, frozen=True, kw_only=True):
    """A broker process, where clients on this machine find it, and the version of kconnect that it runs."""

    pid: int
    bootstrap_servers: str
    version: str


def announce(data: Path, bootstrap_servers: str) -> None:
    """Note in `data` that this process serves it. On a full disk nothing is noted, and nothing else is wrong."""
    version = importlib.metadata.version("kconnect")
    broker = RunningBroker(pid=os.getpid(), bootstrap_servers=bootstrap_servers, version=version)
    with contextlib.suppress(OSError):
        replace_file(data / _FILE, msgspec.json.encode(broker), sync=False)


def withdraw(data: Path) -> None:
    """Take the note away."""
    with contextlib.suppress(OSError):
        (data / _FILE).unlink(missing_ok=True)


def running_broker(data: Path) -> RunningBroker | None:
    """The broker that serves `data` as far as its note tells; None where there is none, or its process is gone."""
    try:
        broker = msgspec.json.decode((data / _FILE).read_bytes(), type=RunningBroker)
        os.kill(broker.pid, 0)
    except (OSError, msgspec.DecodeError):
        return None
    return broker
