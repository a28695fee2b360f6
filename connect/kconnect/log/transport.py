"""Bytes over a socket that never blocks, in the clear or by TLS."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from collections import deque

    from kconnect.log.protocol.message import Buffer

_PARTS_PER_SEND = 512
_BYTES_PER_SEND = 64 << 10


class Transport(Protocol):
    """What a connection needs of its socket. Methods raise BlockingIOError where they would wait, and OSError where
    the other side is gone."""

    @property
    def sock(self) -> socket.socket: ...

    @property
    def encrypts(self) -> bool: ...

    def receive_into(self, view: memoryview) -> int:
        """How many bytes came; 0 is the end."""

    def has_received(self) -> bool:
        """Whether there are bytes that the system does not tell of, for they are off the socket already."""

    def send(self, unsent: deque[Buffer]) -> int:
        """Send some of `unsent`, which may be regrouped; how many bytes went."""

    def close(self) -> None: ...


class PlainTransport:
    """A socket as it is."""

    __slots__ = ("encrypts", "receive_into", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.encrypts = False
        self.receive_into = sock.recv_into

    def has_received(self) -> bool:
        return False

    def send(self, unsent: deque[Buffer]) -> int:
        if len(unsent) == 1:
            return self.sock.send(unsent[0])
        return self.sock.sendmsg([unsent[i] for i in range(min(len(unsent), _PARTS_PER_SEND))])

    def close(self) -> None:
        self.sock.close()


class TlsTransport:
    """A socket after its handshake."""

    __slots__ = ("_repeating", "encrypts", "sock")

    sock: ssl.SSLSocket

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.encrypts = True
        self._repeating = False

    def receive_into(self, view: memoryview) -> int:
        # One read is one TLS record of 16 KiB at most, and the system tells only of what is on the socket.
        received = 0
        while received < len(view):
            try:
                count = self.sock.recv_into(view[received:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if not count:
                return received
            received += count
        if not received:
            raise BlockingIOError
        return received

    def has_received(self) -> bool:
        return self.sock.pending() > 0

    def send(self, unsent: deque[Buffer]) -> int:
        if not self._repeating and len(unsent) > 1 and len(unsent[0]) < _BYTES_PER_SEND:
            _join_small(unsent)
        try:
            sent = self.sock.send(unsent[0])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._repeating = True  # OpenSSL has taken some of it, and wants the very same again
            raise BlockingIOError from None
        self._repeating = False
        return sent

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.sock.unwrap()  # says goodbye; nobody waits for the other side's
        self.sock.close()


def _join_small(unsent: deque[Buffer]) -> None:
    """One TLS record for many small parts."""
    parts = [unsent.popleft()]
    size = len(parts[0])
    while unsent and size + len(unsent[0]) <= _BYTES_PER_SEND:
        size += len(unsent[0])
        parts.append(unsent.popleft())
    unsent.appendleft(b"".join(parts))
