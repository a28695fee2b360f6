"""Listening sockets, had before anything else is started: a port in use is found at once."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Sequence

from kconnect.errors import ConfigError
from kconnect_workers.config.worker_config import Listener

_BACKLOG = 128


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
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
