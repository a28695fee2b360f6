"""A worker's REST endpoint: where it listens, how others reach it, and what answers there."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from kconnect_workers.config.worker_config import WorkerConfig
from kconnect_workers.rest.sockets import bind

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from kconnect_workers.rest.server import RestServer

_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class RestEndpoint:
    """Bound when it is made: ConfigError naming the listener that cannot be had. It accepts connections from then on,
    and answers once it serves."""

    def __init__(self, config: WorkerConfig) -> None:
        self._sockets = bind(config.rest_listeners())
        self._server: RestServer | None = None
        host, port = self._sockets[0].getsockname()[:2]
        self.port: int = port
        self.url = _url(host, port)
        self.advertised_host: str = config.rest_advertised_host_name or (
            host if host not in _ANY_ADDRESS else socket.getfqdn()
        )
        advertised_port = config.rest_advertised_port or port
        self.worker_id = f"{self.advertised_host}:{advertised_port}"
        self.advertised_url = f"{_url(self.advertised_host, advertised_port)}/"

    def serve(self, app: ASGIApp) -> None:
        from kconnect_workers.rest.server import RestServer

        self._server = RestServer(app, self._sockets)
        self._server.start()

    async def stop(self) -> None:
        """Answer nothing any more. May be called twice."""
        if self._server is not None:
            await self._server.stop()

    def close(self) -> None:
        """Listen no more. May be called twice."""
        for opened in self._sockets:
            opened.close()


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
