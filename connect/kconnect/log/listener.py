"""Where the broker listens: the `listeners` setting, and the socket made from it."""

from __future__ import annotations

import errno
import re
import socket
from dataclasses import dataclass

from kconnect.log.errors import ListenerError

_LISTENER = re.compile(r"(?P<protocol>[A-Z_]+)://(?P<host>\[[0-9a-fA-F:]*\]|[^:/\[\]]*):(?P<port>\d{1,5})")
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and port as a client is told them."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Listener:
    """One entry of `listeners`; an empty host stands for every address, port 0 for any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listener:
        """Read `PLAINTEXT://host:port`. Raises ListenerError."""
        match = _LISTENER.fullmatch(text.strip())
        if match is None or int(match["port"]) > 65535:
            raise ListenerError(f"listeners={text!r} is not understood; write PLAINTEXT://HOST:PORT")
        if match["protocol"] != "PLAINTEXT":
            raise ListenerError(f"listeners={text!r}: only PLAINTEXT is possible for now, not {match['protocol']}")
        return cls(match["host"].strip("[]"), int(match["port"]))

    def open(self) -> socket.socket:
        """A listening, non-blocking socket. Raises ListenerError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            sock = socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG)
        except OSError as e:
            remedy = "choose another port, or 0 for any free one"
            if e.errno == errno.EADDRINUSE:
                raise ListenerError(
                    f"{self} is in use by another process; stop that one, or {remedy} (listeners)"
                ) from e
            raise ListenerError(f"cannot listen on {self}: {e.strerror or e}; check host and port, or {remedy}") from e
        sock.setblocking(False)
        return sock

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or self.host == "::1" or self.host.startswith("127.")

    def advertised(self, local: Endpoint) -> Endpoint:
        """What clients are told that reached this listener at `local`: the configured host, if it names one."""
        return local if self.host in _WILDCARDS else Endpoint(self.host, local.port)

    def __str__(self) -> str:
        return str(Endpoint(self.host or "*", self.port))
