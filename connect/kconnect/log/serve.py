"""Running a broker in the foreground of a process."""

from __future__ import annotations

import contextlib
import gc
import logging
import resource
import signal
import sys
from typing import TYPE_CHECKING

from kconnect.log.broker import Broker
from kconnect.log.errors import LogError
from kconnect.log.listener import Listener
from kconnect.log.parentage import die_with_parent
from kconnect.log.running import announce, withdraw
from kconnect.log.settings import BrokerSettings

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger(__name__)


def serve(listeners: str, data: Path, *, settings: BrokerSettings | None = None, parent_pid: int | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code, having said on stderr what went wrong.

    When clients may come, one line with `ready` and the address goes to stdout. With `parent_pid` the process
    dies as soon as that parent does (on Linux). For the main thread only.
    """
    if parent_pid is not None:
        die_with_parent(parent_pid)
    _allow_many_files()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to end in order
    try:
        listener = Listener.parse(listeners)
        broker = Broker(listener, data, settings or BrokerSettings())
    except LogError as e:
        print(f"kconnect broker: {e}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: broker.stop())
    _tune_memory()
    if not listener.is_loopback:
        _LOG.warning("whoever can reach %s may read and write everything: there is no authentication", listener)
    announce(data, str(broker.endpoint))
    print(f"ready: PLAINTEXT://{broker.endpoint} (cluster {broker.cluster_id}, data in {data.absolute()})", flush=True)
    broker.run()
    withdraw(data)
    try:
        broker.close()
    except LogError as e:
        print(f"kconnect broker: {e}", file=sys.stderr)
        return 1
    return 0


def _allow_many_files() -> None:
    # Every segment and every client takes a descriptor, and the usual limit is there for programs that use select().
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1 << 20
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _tune_memory() -> None:
    # Requests make no cycles, and what was made at start stays: collections would find nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
