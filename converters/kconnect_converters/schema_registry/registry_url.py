"""The address of a schema registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from kconnect.bounds import allow_host
from kconnect.config import Password
from kconnect.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RegistryUrl:
    """One URL; `shown` is it without the credentials, which `user` holds."""

    shown: str
    secure: bool
    host: str
    port: int
    path: str
    user: tuple[str, str] | None

    @classmethod
    def parse(cls, url: str, key: str = "schema.registry.url") -> Self:
        """ConfigError, naming `key`, for what is no URL of HTTP, and for a host beyond the worker's bounds."""
        parts = urlsplit(url.strip())
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
        try:
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError(f"is no URL: {error}", key=key, value=shown) from None
        if parts.scheme not in ("http", "https") or not host:
            raise ConfigError("is no URL of HTTP", key=key, value=shown, suggestion="such as http://localhost:8081")
        secure = parts.scheme == "https"
        port = port or (443 if secure else 80)
        allow_host(key, host, port)
        user = None
        if parts.username is not None:
            password = Password(unquote(parts.password or ""))  # logs are to hide it from now on
            user = unquote(parts.username), password.value
        return cls(shown, secure, host, port, parts.path.rstrip("/"), user)
