"""Where Redis is: what `redis.uri` says, or `redis.host` and `redis.port`."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from kconnect import ConfigError

_SCHEMES = {"redis": False, "rediss": True, "redis-socket": False, "unix": False}
_FORM = "redis://user:password@host:6379/0, rediss://… for TLS, redis-socket:///path/of/socket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`socket` is the path of a Unix socket, in place of host and port."""

    host: str = "localhost"
    port: int = 6379
    socket: str | None = None
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    def __str__(self) -> str:
        return self.socket if self.socket is not None else f"{self.host}:{self.port}"


def parse_uri(uri: str, key: str = "redis.uri") -> Address:
    """Lettuce's form, in which a single name before the @ is the password. ConfigError for anything else, without the
    URI, which may hold a password."""
    try:
        parts = urlsplit(uri)
        port = parts.port or 6379
    except ValueError as error:
        raise ConfigError(f"is no URI: {error}", key=key, suggestion=_FORM) from error
    if parts.scheme == "redis-sentinel":
        raise ConfigError("Sentinel is not supported", key=key, suggestion="give the address that clients use")
    if parts.scheme not in _SCHEMES:
        raise ConfigError(f"begins with {parts.scheme or 'no scheme'}", key=key, suggestion=_FORM)
    is_socket = parts.scheme in ("redis-socket", "unix")
    if not (parts.path.strip("/") if is_socket else parts.hostname):
        raise ConfigError("names no socket" if is_socket else "names no host", key=key, suggestion=_FORM)
    username, password = (None if x is None else unquote(x) for x in (parts.username, parts.password))
    if password is None:
        username, password = None, username
    return Address(
        host=parts.hostname or "localhost",
        port=port,
        socket=unquote(parts.path) if is_socket else None,
        database=_database("" if is_socket else parts.path.strip("/"), parts.query, key),
        username=username or None,
        password=password or None,
        tls=_SCHEMES[parts.scheme],
    )


def _database(path: str, query: str, key: str) -> int:
    options = dict(parse_qsl(query))
    text = options.pop("database", options.pop("db", path)) or "0"
    if options:
        raise ConfigError(
            f"has options that are not supported: {', '.join(options)}",
            key=key,
            suggestion="redis.timeout is the time limit; database the only option",
        )
    if not text.isdecimal():
        raise ConfigError(f"{text!r} is no number of a database", key=key, suggestion=_FORM)
    return int(text)
