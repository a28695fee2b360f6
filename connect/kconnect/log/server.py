"""Accepting clients, within limits."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kconnect.log.connection import Connection, Exchange
from kconnect.log.listener import Endpoint, Listener
from kconnect.log.loop import READ

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.loop import Loop

_LOG = logging.getLogger(__name__)
_ACCEPTS_PER_ROUND = 64
_ACCEPT_PAUSE = 1.0
_IDLE_CHECK_INTERVAL = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may take; the names in comments are Kafka's settings."""

    max_request_size: int = 100 << 20  # socket.request.max.bytes
    max_connections: int = 10_000  # max.connections
    max_idle_seconds: float = 600.0  # connections.max.idle.ms


class Server:
    """The clients of one listener. `handle` gets every request; `endpoint` is the address that was bound.

    Raises ListenerError when the address cannot be bound.
    """

    def __init__(
        self, loop: Loop, listener: Listener, handle: Callable[[memoryview, Exchange], None], limits: Limits
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._handle = handle
        self._limits = limits
        self._connections: set[Connection] = set()
        self._sock = listener.open()
        self.endpoint = listener.advertised(_endpoint_of(self._sock))
        loop.watch(self._sock, READ, self._accept)
        self._idle_timer = loop.call_later(_IDLE_CHECK_INTERVAL, self._close_idle)

    def _accept(self, _: int) -> None:
        for _attempt in range(_ACCEPTS_PER_ROUND):
            try:
                sock, peer = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as e:
                # Out of descriptors, most likely: those who have a connection go on meanwhile.
                _LOG.warning("cannot accept a client: %s; trying again in %g s", e.strerror, _ACCEPT_PAUSE)
                self._loop.unwatch(self._sock)
                self._loop.call_later(_ACCEPT_PAUSE, self._resume_accepting)
                return
            if len(self._connections) >= self._limits.max_connections:
                _LOG.warning("refused a client from %s: max.connections=%d", peer[0], self._limits.max_connections)
                sock.close()
                continue
            self._connect(sock, peer[0])

    def _connect(self, sock: socket.socket, peer_host: str) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(
            sock,
            loop=self._loop,
            local=self._listener.advertised(_endpoint_of(sock)),
            peer_host=peer_host,
            handle=self._handle,
            max_request_size=self._limits.max_request_size,
            on_close=self._connections.discard,
        )
        self._connections.add(connection)

    def _resume_accepting(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.watch(self._sock, READ, self._accept)

    def _close_idle(self) -> None:
        stale = time.monotonic() - self._limits.max_idle_seconds
        for connection in [c for c in self._connections if c.active_at < stale]:
            connection.close()
        self._idle_timer = self._loop.call_later(_IDLE_CHECK_INTERVAL, self._close_idle)

    def close(self) -> None:
        """Stop listening and drop all clients."""
        self._idle_timer.cancel()
        if self._sock.fileno() >= 0:
            self._sock.close()
        for connection in tuple(self._connections):
            connection.close()


def _endpoint_of(sock: socket.socket) -> Endpoint:
    host, port = sock.getsockname()[:2]
    return Endpoint(host, port)
