"""Where requests go: the origin of a URL, and whether it may be gone to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from kconnect import ConfigError
from kconnect.bounds import allow_host

_PORTS: Final = {"http": 80, "https": 443}
_AUTHORITY: Final = re.compile(r"[/?#]")
_NEVER: Final = re.compile(r"[\x00-\x20\x7f\\]")
"""What programs read differently in URLs."""
_SUCH_AS: Final = "such as https://api.example.com/orders"


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
        """ConfigError, naming the key `name`, for what is no HTTP URL, or has a login in it. It is read as by
        urllib3, which connects."""
        if "$" in _AUTHORITY.split(url.partition("://")[2], maxsplit=1)[0]:
            raise ConfigError("a template may not say to which host requests go", key=name)
        try:
            parts = parse_url("" if _NEVER.search(url) else url)
        except LocationParseError as error:
            raise ConfigError("is not a URL", key=name, suggestion=_SUCH_AS) from error
        if parts.scheme not in _PORTS or not parts.host:
            raise ConfigError("is not a URL", key=name, suggestion=_SUCH_AS)
        if parts.auth is not None:
            raise ConfigError("has a login in it, which the keys for it hide and this one does not", key=name)
        return cls(parts.scheme, parts.host.strip("[]").lower(), parts.port or _PORTS[parts.scheme])

    def allow(self, name: str) -> Origin:
        """ConfigError, naming the key `name`, where the worker's egress.allow has no such host."""
        allow_host(name, self.host, self.port)
        return self


def http_url(name: str, value: object) -> None:
    """A validator."""
    if value is not None:
        Origin.of(name, str(value)).allow(name)
