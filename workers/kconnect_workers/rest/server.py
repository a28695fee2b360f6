"""Serves the API on the worker's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from kconnect.errors import ConfigError
from kconnect_workers.worker_config import Listener

_BACKLOG = 128
_CLOSE_SECONDS = 2.0


def bind(listeners: Sequence[Listener]) -> list[socket.socket]:
    """Sockets that accept connections from now on; ConfigError naming the listener that cannot be had."""
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(_bind(listener)) for listener in listeners]
        opened.pop_all()
    return sockets


def _bind(listener: Listener) -> socket.socket:
    url = f"{listener.scheme}://{listener.host}:{listener.port}"
    if listener.scheme != "http":
        raise ConfigError("https is not served yet", key="listeners", value=url, suggestion="put a TLS proxy before it")
    try:
        family, *_, address = socket.getaddrinfo(listener.host, listener.port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind(address)
            opened.listen(_BACKLOG)
        except OSError:
            opened.close()
            raise
    except OSError as e:
        taken = e.errno == errno.EADDRINUSE
        raise ConfigError(
            "the port is in use" if taken else f"cannot be listened on: {e.strerror}",
            key="listeners",
            value=url,
            suggestion="end what uses it, or choose another port" if taken else None,
        ) from e
    opened.setblocking(False)
    return opened


class RestServer:
    """Serves `app` on `sockets` from `start` to `stop`."""

    def __init__(self, app: ASGIApp, sockets: Sequence[socket.socket]) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(_CLOSE_SECONDS),
        )
        self._server = _Server(config)
        self._sockets = list(sockets)
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._serving = asyncio.create_task(self._server.serve(self._sockets), name="REST")

    async def stop(self) -> None:
        """Finish requests that have begun, within two seconds. May be called twice."""
        serving, self._serving = self._serving, None
        if serving is not None:
            self._server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """Leaves signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
