"""Accepting clients, within limits."""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING

from kconnect.log.connection import Connection, Exchange
from kconnect.log.handshake import Handshake
from kconnect.log.listener import Endpoint, Listener
from kconnect.log.loop import READ
from kconnect.log.sasl_login import SaslLogin
from kconnect.log.transport import PlainTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.limits import ConnectionCounts, Limits, RequestMemory
    from kconnect.log.loop import Loop
    from kconnect.log.scram_credentials import ScramCredentials
    from kconnect.log.transport import TlsTransport, Transport

_LOG = logging.getLogger(__name__)
_ACCEPTS_PER_ROUND = 64
_ACCEPT_PAUSE = 1.0
_IDLE_CHECK_INTERVAL = 30.0
_STORE_CHECK_INTERVAL = 2.0


class Server:
    """The clients of one listener; `endpoint` is the address that was bound, as it is advertised.

    `handle` gets every request, of clients that have logged in where the listener wants it. `counts` and `memory` are
    those of all servers together. Raises ListenerError when the address cannot be bound.
    """

    def __init__(
        self,
        loop: Loop,
        listener: Listener,
        handle: Callable[[memoryview, Exchange], None],
        *,
        limits: Limits,
        counts: ConnectionCounts,
        memory: RequestMemory,
        credentials: ScramCredentials,
    ) -> None:
        self._loop = loop
        self.listener = listener
        self._handle = handle
        self._limits = limits
        self._counts = counts
        self._memory = memory
        self._credentials = credentials
        self._clients: set[Connection | Handshake] = set()
        self._idle_check_interval = min(_IDLE_CHECK_INTERVAL, limits.max_idle_seconds / 2)
        self._sock = listener.open()
        self.endpoint = listener.advertised(_endpoint_of(self._sock))
        loop.watch(self._sock, READ, self._accept)
        self._idle_timer = loop.call_later(self._idle_check_interval, self._close_idle)
        self._store_timer = loop.call_later(_STORE_CHECK_INTERVAL, self._refresh_tls)

    @property
    def client_count(self) -> int:
        """Clients that are connected, or about to be."""
        return len(self._clients)

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
            refusal = self._counts.admit(peer[0])
            if refusal is not None:
                _LOG.warning("refused a client from %s: %s", peer[0], refusal)
                sock.close()
                continue
            self._welcome(sock, peer[0])

    def _welcome(self, sock: socket.socket, peer_host: str) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.listener.tls is None:
            self._connect(PlainTransport(sock), peer_host)
            return
        try:
            handshake = Handshake(
                sock,
                self.listener.tls.context,
                loop=self._loop,
                peer_host=peer_host,
                on_done=self._shake_hands,
                on_close=self._forget,
            )
        except OSError:
            self._counts.leave(peer_host)
        else:
            self._clients.add(handshake)

    def _shake_hands(self, handshake: Handshake, transport: TlsTransport) -> None:
        self._clients.discard(handshake)
        self._connect(transport, handshake.peer_host)

    def _connect(self, transport: Transport, peer_host: str) -> None:
        sasl = self.listener.sasl
        handle, max_request_size = self._handle, self._limits.max_request_size
        if sasl is not None:
            login = SaslLogin(sasl, self._credentials, loop=self._loop, serve=handle, max_request_size=max_request_size)
            handle, max_request_size = login.handle, min(sasl.max_receive_size, max_request_size)
        connection = Connection(
            transport,
            loop=self._loop,
            local=self.listener.advertised(_endpoint_of(transport.sock)),
            peer_host=peer_host,
            handle=handle,
            max_request_size=max_request_size,
            memory=self._memory,
            on_close=self._forget,
        )
        self._clients.add(connection)

    def _forget(self, client: Connection | Handshake) -> None:
        self._clients.discard(client)
        self._counts.leave(client.peer_host)

    def _resume_accepting(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.watch(self._sock, READ, self._accept)

    def _close_idle(self) -> None:
        stale = time.monotonic() - self._limits.max_idle_seconds
        for client in [c for c in self._clients if c.active_at < stale]:
            client.close()
        self._idle_timer = self._loop.call_later(self._idle_check_interval, self._close_idle)

    def _refresh_tls(self) -> None:
        if self.listener.tls is not None:
            self._store_timer = self._loop.call_later(_STORE_CHECK_INTERVAL, self._refresh_tls)
            self.listener.tls.refresh()

    def close(self) -> None:
        """Stop listening and drop all clients."""
        self._idle_timer.cancel()
        self._store_timer.cancel()
        if self._sock.fileno() >= 0:
            self._sock.close()
        for client in tuple(self._clients):
            client.close()


def _endpoint_of(sock: socket.socket) -> Endpoint:
    host, port = sock.getsockname()[:2]
    return Endpoint(host, port)
