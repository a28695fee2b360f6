"""A client's TLS handshake, which takes as long as the client likes, within a limit, and holds nobody up."""

from __future__ import annotations

import logging
import ssl
import time
from typing import TYPE_CHECKING

from kconnect.log.loop import READ, WRITE
from kconnect.log.transport import TlsTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from kconnect.log.loop import Loop

_LOG = logging.getLogger(__name__)
_SECONDS = 10.0
_NOT_TLS = ("HTTP_REQUEST", "WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")


class Handshake:
    """Calls `on_done` with the transport, or `on_close` when it has closed the socket, having said why in one line of
    the log. Raises OSError for a client that is gone already; the socket is closed then."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        *,
        loop: Loop,
        peer_host: str,
        on_done: Callable[[Handshake, TlsTransport], None],
        on_close: Callable[[Handshake], None],
    ) -> None:
        self.peer_host = peer_host
        self.active_at = time.monotonic()
        self._loop = loop
        self._on_done = on_done
        self._on_close = on_close
        try:
            self._sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:
            sock.close()
            raise
        self._watched = READ
        self._timer = loop.call_later(_SECONDS, self._give_up)
        loop.watch(self._sock, READ, self._go_on)

    def _go_on(self, _: int) -> None:
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        except OSError as e:
            _LOG.warning("dropped the client at %s: its TLS handshake failed: %s", self.peer_host, _reason(e))
            self.close()
        else:
            self._end()
            self._on_done(self, TlsTransport(self._sock))

    def _watch(self, events: int) -> None:
        if events != self._watched:
            self._loop.rewatch(self._sock, events, self._go_on)
            self._watched = events

    def _give_up(self) -> None:
        _LOG.warning("dropped the client at %s: no TLS handshake in %g s", self.peer_host, _SECONDS)
        self.close()

    def _end(self) -> None:
        self._timer.cancel()
        self._loop.unwatch(self._sock)

    def close(self) -> None:
        """Give the handshake up, before it is over. May be called twice."""
        if self._sock.fileno() < 0:
            return
        self._end()
        self._sock.close()
        self._on_close(self)


def _reason(error: OSError) -> str:
    if not isinstance(error, ssl.SSLError):
        return error.strerror or "it hung up"
    if error.reason in _NOT_TLS:
        return "it does not speak TLS (security.protocol)"
    return (error.reason or str(error)).replace("_", " ").lower()
