"""One connection to one Redis server: commands go out together, answers are taken one by one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import redis
from redis import exceptions as theirs
from redis.backoff import NoBackoff
from redis.retry import Retry

from kconnect import ConfigError, ConnectError
from kconnect.bounds import allow_path
from kconnect_redis.address import Address
from kconnect_redis.config import ConnectionConfig
from kconnect_redis.failures import translated

Argument: TypeAlias = str | bytes | int | float
Command: TypeAlias = Sequence[Argument]

_CHUNK = 500
"""Commands sent before their answers are read: it bounds what the server keeps of answers that nobody reads."""
_CLIENT = "kconnect"


class Link:
    """Connects when it is first used, and again after an error. Belongs to one thread.

    Whatever fails but a command itself closes it; errors come as ConnectError and its kinds.
    """

    def __init__(self, config: ConnectionConfig, address: Address) -> None:
        config.allow(address)
        self.address = address
        self._connection: Any = connection_of(config, address)

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """The answers, in order. One that is an error is given as a `redis.ResponseError`, not raised."""
        answers: list[Any] = []
        for begin in range(0, len(commands), _CHUNK):
            chunk = commands[begin : begin + _CHUNK]
            self.write(chunk)
            answers += self.read(len(chunk))
        return answers

    def call(self, *command: Argument) -> Any:
        """One command's answer; raises what it says when it is an error."""
        [answer] = self.send([command])
        if isinstance(answer, theirs.ResponseError):
            raise self.failure(answer)
        return answer

    def scan(self, pattern: str) -> Iterator[bytes]:
        """Every key that matches and is there from the beginning to the end, some of them more than once."""
        cursor = b"0"
        while True:
            cursor, keys = self.call("SCAN", cursor, "MATCH", pattern, "COUNT", 500)
            yield from keys
            if cursor == b"0":
                return

    def write(self, commands: Sequence[Command]) -> None:
        """Send without waiting; `read` as many answers before the next call."""
        connection = self._connection
        try:
            connection.send_packed_command(connection.pack_commands(commands))
        except (theirs.RedisError, OSError) as error:
            raise self._lost(error) from error

    def read(self, count: int) -> list[Any]:
        read_response = self._connection.read_response
        answers: list[Any] = []
        take = answers.append
        try:
            while len(answers) < count:
                try:
                    take(read_response(disconnect_on_error=False))
                except theirs.ResponseError as error:
                    take(error)
        except (theirs.RedisError, OSError) as error:
            raise self._lost(error) from error
        return answers

    def waits(self, timeout_s: float) -> bool:
        """Whether there is something to read within this time."""
        try:
            return bool(self._connection.can_read(timeout_s))
        except (theirs.RedisError, OSError) as error:
            raise self._lost(error) from error

    def failure(self, error: Exception) -> ConnectError:
        """What an answer that is an error means."""
        return translated(error, self.address)

    def silent(self) -> ConnectError:
        """What it means that nothing comes any more; the connection is closed."""
        return self._lost(theirs.TimeoutError("it does not answer any more"))

    def close(self) -> None:
        self._connection.disconnect()

    def _lost(self, error: Exception) -> ConnectError:
        self.close()
        return translated(error, self.address)


def connection_of(config: ConnectionConfig, address: Address) -> Any:
    """A connection of redis-py, not connected yet. ConfigError for certificates that cannot be read."""
    kind: Any
    where: dict[str, Any]
    settings = connection_settings(config, address)
    if address.socket is not None:
        kind, where = redis.UnixDomainSocketConnection, {"path": address.socket}
    else:
        kind, where = redis.Connection, {"host": address.host, "port": address.port, "socket_keepalive": True}
        if address.tls:
            kind, where = redis.SSLConnection, where | tls_settings(config)
    return kind(**where, **settings)


def connection_settings(config: ConnectionConfig, address: Address) -> dict[str, Any]:
    """What every kind of connection takes. Nothing is tried again down there: what was sent may have been done."""
    return {
        "db": address.database,
        "username": address.username,
        "password": address.password,
        "socket_timeout": config.timeout + 1,  # what blocks does so for a second at most
        "socket_connect_timeout": min(config.timeout, 10),
        "client_name": _CLIENT,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
    }


def tls_settings(config: ConnectionConfig) -> dict[str, Any]:
    """Certificates are verified unless redis.insecure says otherwise."""
    password = None if config.key_password is None else config.key_password.value or None
    authorities = _allowed("redis.cacert", config.cacert)
    certificate, private_key = _allowed("redis.key.cert", config.key_cert), _allowed("redis.key.file", config.key_file)
    _check_certificates(authorities, certificate, private_key, password)
    return {
        "ssl_keyfile": private_key,
        "ssl_certfile": certificate,
        "ssl_password": password,
        "ssl_ca_certs": authorities,
        "ssl_cert_reqs": "none" if config.insecure else "required",
        "ssl_check_hostname": not config.insecure,
    }


def _allowed(key: str, path: str | None) -> str | None:
    """The file to open, with links followed; None where none is given."""
    return str(allow_path(key, path)) if path else None


def _check_certificates(
    authorities: str | None, certificate: str | None, private_key: str | None, password: str | None
) -> None:
    """What redis-py would say only when it connects, and not which file it is about."""
    context = ssl.create_default_context()
    try:
        if authorities:
            context.load_verify_locations(authorities)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{authorities} cannot be read: {error}", key="redis.cacert") from error
    try:
        if certificate:
            context.load_cert_chain(certificate, private_key, password or "")
    except (OSError, ssl.SSLError) as error:
        named = f"{certificate} and {private_key} cannot be read, or not with redis.key.password"
        raise ConfigError(f"{named}: {error}", key="redis.key.file") from error
