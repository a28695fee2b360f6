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
from kconnect.log.broker_properties import read_properties
from kconnect.log.errors import LogError
from kconnect.log.listener import SecurityProtocol
from kconnect.log.listener_properties import read_listeners
from kconnect.log.parentage import die_with_parent
from kconnect.log.running import announce, withdraw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kconnect.log.listener import Endpoint, Listener

_LOG = logging.getLogger(__name__)


def serve(properties: Mapping[str, str], data: Path, *, parent_pid: int | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code, having said on stderr what went wrong.

    `properties` are Kafka's, as in a `server.properties`. When clients may come, one line with `ready` and the
    addresses goes to stdout. With `parent_pid` the process dies as soon as that parent does (on Linux). For the main
    thread only.
    """
    if parent_pid is not None:
        die_with_parent(parent_pid)
    _allow_many_files()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to end in order
    try:
        listeners = read_listeners(properties)
        broker = Broker(listeners, data, read_properties(properties))
    except LogError as e:
        print(f"kconnect broker: {e}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: broker.stop())
    _tune_memory()
    for exposure in filter(None, (listener.exposure for listener in listeners)):
        _LOG.warning("%s", exposure)
    announce(data, str(_for_tools(broker.endpoints)))
    addresses = ",".join(f"{listener.name}://{endpoint}" for listener, endpoint in broker.endpoints)
    print(f"ready: {addresses} (cluster {broker.cluster_id}, data in {data.absolute()})", flush=True)
    broker.run()
    withdraw(data)
    try:
        broker.close()
    except LogError as e:
        print(f"kconnect broker: {e}", file=sys.stderr)
        return 1
    return 0


def _for_tools(endpoints: list[tuple[Listener, Endpoint]]) -> Endpoint:
    """Where a tool on this machine finds the broker with the fewest settings."""
    plain = [endpoint for listener, endpoint in endpoints if listener.protocol is SecurityProtocol.PLAINTEXT]
    return plain[0] if plain else endpoints[0][1]


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
