"""The registry as a process: from the log to the last signal."""

from __future__ import annotations

import asyncio
import signal
import socket
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
    served = ServedRegistry(listener, client_props, topic=topic)
    try:
        await served.start()
        print(f"ready: schema.registry.url={served.url}, kept in topic {topic}", flush=True)
        await ending.wait()
    finally:
        await served.stop()


class ServedRegistry:
    """A registry that listens, from `start` to `stop`. Belongs to one event loop."""

    def __init__(self, listener: Listener, client_props: Mapping[str, str], *, topic: str = TOPIC) -> None:
        self._listener = listener
        self._topic = topic
        self._logs = TopicLogs(client_props)
        self._registry = SchemaRegistry(self._logs.opener(topic))
        self._sockets: list[socket.socket] = []
        self._server: RestServer | None = None

    @property
    def url(self) -> str:
        """Once it has started."""
        host, port = self._sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Returns when it answers. ConfigError when it cannot listen, ConnectError when the log does not answer."""
        self._sockets = bind([self._listener])
        wanted = InternalTopic(
            name=self._topic, key="--topic", holds="schemas", replication_factor=-1, one_partition=True
        )
        await self._logs.prepare([wanted])
        await self._registry.start()
        self._server = RestServer(create_app(self._registry, hosts=(self._listener.host,)), self._sockets)
        self._server.start()

    async def stop(self) -> None:
        """May be called twice, and after a `start` that failed."""
        if self._server is not None:
            await self._server.stop()
        await self._logs.stop()
        for each in self._sockets:
            each.close()
