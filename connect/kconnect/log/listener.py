"""Where the broker listens, and what it asks of clients there."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from kconnect.log.errors import ListenerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kconnect.log.listener_tls import ListenerTls
    from kconnect.security.scram import ScramMechanism

_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
_BACKLOG = 1024


class SecurityProtocol(Enum):
    """Kafka's four, by whether they encrypt and whether clients log in."""

    PLAINTEXT = (False, False)
    SSL = (True, False)
    SASL_PLAINTEXT = (False, True)
    SASL_SSL = (True, True)

    @property
    def has_tls(self) -> bool:
        return self.value[0]

    @property
    def has_sasl(self) -> bool:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and port as a client is told them."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only its own machine can reach it."""
        return self.host == "localhost" or self.host == "::1" or self.host.startswith("127.")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaslSettings:
    """How clients log in. Times are seconds; the names in comments are Kafka's settings."""

    plain_users: Mapping[str, str] | None = field(default=None, repr=False)  # None: no PLAIN
    scram_mechanisms: frozenset[ScramMechanism] = frozenset()
    max_receive_size: int = 512 << 10  # sasl.server.max.receive.size
    failure_delay: float = 0.1  # connection.failed.authentication.delay.ms
    session_lifetime: float = 0.0  # connections.max.reauth.ms; 0 is for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One entry of `listeners`; an empty host stands for every address, port 0 for any free one.

    `tls` and `sasl` are there as the protocol has them. `advertised_as` is what clients are told instead.
    """

    name: str = "PLAINTEXT"
    protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    host: str
    port: int
    advertised_as: Endpoint | None = None
    tls: ListenerTls | None = None
    sasl: SaslSettings | None = None

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
        return Endpoint(self.host, self.port).is_loopback

    @property
    def exposure(self) -> str | None:
        """What strangers can do here, in words; None where they cannot reach it, or have to show who they are, unheard.

        For the one who runs the broker to know: nothing prevents it.
        """
        if self.is_loopback:
            return None
        if self.sasl is None and not self._asks_for_certificates():
            return f"whoever can reach {self} may read and write everything: there is no authentication"
        if self.tls is None:
            return f"whoever is on the way to {self} may read records, and passwords of PLAIN: there is no encryption"
        return None

    def _asks_for_certificates(self) -> bool:
        return self.tls is not None and self.tls.context.verify_mode.name == "CERT_REQUIRED"

    def advertised(self, local: Endpoint) -> Endpoint:
        """What clients are told that reached this listener at `local`: what is advertised, or the configured host, if
        it names one."""
        if self.advertised_as is not None:
            return Endpoint(self.advertised_as.host, self.advertised_as.port or local.port)
        return local if self.host in _WILDCARDS else Endpoint(self.host, local.port)

    def __str__(self) -> str:
        return str(Endpoint(self.host or "*", self.port))
