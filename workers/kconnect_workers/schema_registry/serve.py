"""The registry as a process: from the log to the last signal."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from typing import Final

from kconnect.errors import ConnectError
from kconnect.redaction import process_redactor
from kconnect_workers.config.worker_config import Listener
from kconnect_workers.log_lines import log_to_stderr
from kconnect_workers.rest.server import RestServer
from kconnect_workers.rest.sockets import bind
from kconnect_workers.schema_registry.app import create_app
from kconnect_workers.schema_registry.registry import SchemaRegistry
from kconnect_workers.stores.internal_topics import InternalTopic
from kconnect_workers.stores.topic_log import TopicLogs

TOPIC: Final = "_schemas"
_REFUSED: Final = 3


def run(listener: Listener, client_props: Mapping[str, str], *, topic: str = TOPIC) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. What is in the way is one line on stderr, and code 3."""
    log_to_stderr()
    try:
        asyncio.run(_serve(listener, client_props, topic))
    except ConnectError as error:
        print(f"kconnect registry: {process_redactor.redact(str(error))}", file=sys.stderr)
        return _REFUSED
    return 0


async def _serve(listener: Listener, client_props: Mapping[str, str], topic: str) -> None:
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    sockets = bind([listener])
    logs = TopicLogs(client_props)
    registry = SchemaRegistry(logs.opener(topic))
    try:
        wanted = InternalTopic(name=topic, key="--topic", holds="schemas", replication_factor=-1, one_partition=True)
        await logs.prepare([wanted])
        await registry.start()
        server = RestServer(create_app(registry), sockets)
        server.start()
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"ready: schema.registry.url=http://{shown}:{port}, kept in topic {topic}", flush=True)
        await ending.wait()
        await server.stop()
    finally:
        await logs.stop()
        for each in sockets:
            each.close()
