"""The smallest HTTP server that Prometheus can scrape, on the broker's loop."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from kconnect.log.errors import ListenerError
from kconnect.log.listener import Endpoint
from kconnect.log.loop import READ, WRITE
from kconnect.log.metrics.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.loop import Loop

_PATHS = (b"/metrics", b"/")
_LARGEST_REQUEST = 8 << 10
_PATIENCE_SECONDS = 10.0
_MOST_CLIENTS = 16


class MetricsEndpoint:
    """Answers `GET /metrics` with what `render` gives then, and closes the connection; to anything else says no.

    `endpoint` is the address that was bound. A client has ten seconds; of more than 16 at once, further ones are turned
    away. Raises ListenerError when the address cannot be bound.
    """

    def __init__(self, loop: Loop, address: Endpoint, render: Callable[[], bytes]) -> None:
        self._loop = loop
        self._render = render
        self._clients: set[_Client] = set()
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            self._sock = socket.create_server((address.host, address.port), family=family)
        except OSError as e:
            raise ListenerError(
                f"cannot listen on {address} for metrics: {e.strerror or e}; choose another host or port "
                "(metrics.listener)"
            ) from e
        self._sock.setblocking(False)
        host, port, *_ = self._sock.getsockname()
        self.endpoint = Endpoint(host, port)
        loop.watch(self._sock, READ, self._accept)

    def _accept(self, _: int) -> None:
        try:
            sock, _peer = self._sock.accept()
        except OSError:
            return
        if len(self._clients) >= _MOST_CLIENTS:
            sock.close()
            return
        sock.setblocking(False)
        self._clients.add(_Client(sock, self._loop, self._answer, self._clients.discard))

    def _answer(self, request: bytes) -> bytes:
        method, _, rest = request.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", b"GET it\n", has_body=True)
        if path not in _PATHS:
            return _response("404 Not Found", b"see /metrics\n", has_body=method == b"GET")
        return _response("200 OK", self._render(), has_body=method == b"GET")

    def close(self) -> None:
        """Drop the clients and give the address back."""
        for client in tuple(self._clients):
            client.close()
        self._loop.unwatch(self._sock)
        self._sock.close()


class _Client:
    """One request, its answer, and the end."""

    def __init__(
        self,
        sock: socket.socket,
        loop: Loop,
        answer: Callable[[bytes], bytes],
        on_close: Callable[[_Client], None],
    ) -> None:
        self._sock = sock
        self._loop = loop
        self._answer = answer
        self._on_close = on_close
        self._received = b""
        self._unsent: memoryview | None = None
        self._timer = loop.call_later(_PATIENCE_SECONDS, self.close)
        loop.watch(sock, READ, self._on_ready)

    def _on_ready(self, _: int) -> None:
        try:
            if self._unsent is None:
                self._receive()
            else:
                self._send(self._unsent)
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def _receive(self) -> None:
        data = self._sock.recv(_LARGEST_REQUEST)
        self._received += data
        if not data or len(self._received) > _LARGEST_REQUEST:
            self.close()
        elif b"\r\n\r\n" in self._received or b"\n\n" in self._received:
            self._loop.rewatch(self._sock, WRITE, self._on_ready)
            self._unsent = memoryview(self._answer(self._received))

    def _send(self, unsent: memoryview) -> None:
        self._unsent = unsent[self._sock.send(unsent) :]
        if not self._unsent:
            self.close()

    def close(self) -> None:
        """May be called twice."""
        if self._sock.fileno() < 0:
            return
        self._timer.cancel()
        self._loop.unwatch(self._sock)
        self._sock.close()
        self._on_close(self)


def _response(status: str, body: bytes, *, has_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if has_body else b"")
