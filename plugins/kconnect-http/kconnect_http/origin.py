"""Where requests go: the origin of a URL, and whether it may be gone to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from kconnect import ConfigError
from kconnect.bounds import allow_host

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL (RFC 6454): credentials belong to one."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @classmethod
    def of(cls, name: str, url: str) -> Origin:
        """ConfigError, naming the key `name`, for what is no HTTP URL, or has a login in it."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError(f"is not a URL: {error}", key=name) from error
        scheme = parts.scheme.lower()
        if scheme not in _PORTS or not host:
            raise ConfigError("is not a URL", key=name, suggestion="such as https://api.example.com/orders")
        if parts.username is not None or parts.password is not None:
            raise ConfigError("has a login in it, which the keys for it hide and this one does not", key=name)
        if "$" in host:
            raise ConfigError("a template may not say to which host requests go", key=name)
        return cls(scheme, host, port or _PORTS[scheme])

    def allow(self, name: str) -> Origin:
        """ConfigError, naming the key `name`, where the worker's egress.allow has no such host."""
        allow_host(name, self.host, self.port)
        return self


def http_url(name: str, value: object) -> None:
    """A validator."""
    if value is not None:
        Origin.of(name, str(value)).allow(name)
