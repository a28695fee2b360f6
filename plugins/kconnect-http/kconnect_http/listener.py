"""The HTTP server that takes webhooks.

uvicorn does the protocol, in a thread of its own: it is what well-kept servers of Python run on, and the standard
library's server is not made for strangers. What a stranger can make it keep is bounded: connections, the time until a
request is there, the size of its head and body, and of all bodies together.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from kconnect import ConnectError

_REQUEST_S: Final = 30.0
"""Within so many seconds a connection has to bring a request, its head at least, or another one."""
_END_S: Final = 10.0

log = logging.getLogger(__name__)

Application = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class _Config(uvicorn.Config):
    ending = False
    """Whether new connections come too late: uvicorn would wait for them to end."""


class _Protocol(H11Protocol):
    """Hangs up on who says nothing, or says it too slowly."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        if cast("_Config", self.config).ending:
            transport.abort()
        self._latest: Any = None
        self._deadline = self.loop.call_later(_REQUEST_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        latest: Any = self.cycle  # None until there was a request
        if latest is None or (latest is self._latest and latest.response_complete):
            self.transport.abort()
            return
        self._latest = latest
        self._deadline = self.loop.call_later(_REQUEST_S, self._look)


class Listener:
    """Listens from when it is made; serves from `start` to `stop`, which may be called twice."""

    def __init__(
        self,
        application: Application,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext | None,
        max_connections: int,
    ) -> None:
        """ConnectError, saying what to do, where it cannot listen there."""
        self._socket = _bound(host, port)
        config = self._config = _Config(
            application,
            http=_Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=max_connections,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = context
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="webhook listener", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is under way is answered, within seconds."""
        self._config.ending = True
        self._server.should_exit = True
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_END_S)
        self._socket.close()

    def _serve(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # SystemExit too: the task has to hear of it
            self.failure = error

    async def _run(self) -> None:
        await self._server.serve(sockets=[self._socket])
        for connection in list(self._server.server_state.connections):  # of who did not take its answer
            connection.transport.abort()
        await asyncio.sleep(0)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConnectError(
                f"webhook.port={port}: something listens on {host}:{port} already: stop it, or choose another port"
            ) from error
        if error.errno == errno.EACCES:
            raise ConnectError(
                f"webhook.port={port}: ports below 1024 are not for everyone: choose another one"
            ) from error
        raise ConnectError(f"webhook.host={host}: cannot listen there: {error}") from error


async def answer_of(future: Future[bool], timeout_s: float) -> bool | None:
    """None when there is none in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            return await asyncio.wrap_future(future)
    return None
