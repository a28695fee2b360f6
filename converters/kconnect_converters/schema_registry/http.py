"""Requests to a schema registry: several URLs, credentials, TLS, time limits, and asking again.

http.client is enough: a task asks a handful of times in its life, and does not pay for a library at every start.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
import random
import ssl
import threading
from pathlib import Path
from typing import Any, Final

from kconnect.config import Password
from kconnect.errors import ConfigError, ConnectError, RetriableError
from kconnect_converters.schema_registry.config import SchemaRegistryConfig
from kconnect_converters.schema_registry.registry_url import RegistryUrl

log = logging.getLogger(__name__)

_CONTENT: Final = "application/vnd.schemaregistry.v1+json"
_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
_MAX_ANSWER: Final = 64 << 20


class RefusedError(ConnectError):
    """The registry answered, and the answer is no: `status` is HTTP's, `code` its own number, `reason` its words."""

    def __init__(self, status: int, code: int, reason: str, url: str) -> None:
        self.status = status
        self.code = code
        self.reason = reason
        super().__init__(f"the schema registry at {url} answered {status}: {reason}")


class RegistryHttp:
    """Sends requests, each on a connection of its own. Used by one thread at a time; `close` from any."""

    def __init__(self, config: SchemaRegistryConfig) -> None:
        self._config = config
        self._addresses = [RegistryUrl.parse(url) for url in config.schema_registry_url]
        self._first = 0
        self._user = config.user_info()
        self._headers = {
            name.removeprefix("request.header."): str(value)
            for name, value in config.originals.items()
            if name.startswith("request.header.")
        }
        self._tls = _tls_context(config) if any(address.secure for address in self._addresses) else None
        self._closing = threading.Event()

    @property
    def urls(self) -> str:
        return ", ".join(address.shown for address in self._addresses)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of the answer. RefusedError for an answer that says no, RetriableError when no URL answers, asked
        `max.retries` times again."""
        wait = self._config.retries_wait_ms / 1000
        for attempt in range(self._config.max_retries + 1):
            try:
                return self._ask_each(method, path, body)
            except RetriableError as error:
                if attempt == self._config.max_retries or self._closing.is_set():
                    raise
                log.warning("Asking again: %s", error)
            self._closing.wait(random.uniform(0.5, 1) * min(wait, self._config.retries_max_wait_ms / 1000))  # noqa: S311 - jitter
            wait *= 2
        raise AssertionError("unreachable")

    def _ask_each(self, method: str, path: str, body: Any) -> Any:
        failures: list[str] = []
        for step in range(len(self._addresses)):
            at = (self._first + step) % len(self._addresses)
            address = self._addresses[at]
            try:
                status, content = self._ask(address, method, path, body)
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"{address.shown}: {error or type(error).__name__}")
                continue
            if status in _TRANSIENT:
                failures.append(f"{address.shown}: {_reason(status, content)[1]}")
                continue
            self._first = at
            if not 200 <= status < 300:
                code, reason = _reason(status, content)
                raise RefusedError(status, code, reason, address.shown)
            try:
                return json.loads(content)
            except ValueError:
                raise ConnectError(
                    f"{address.shown}{path} answers no JSON: schema.registry.url names no schema registry "
                    f"({content[:60]!r})"
                ) from None
        raise RetriableError(f"no schema registry answers: {'; '.join(failures)}")

    def _ask(self, address: RegistryUrl, method: str, path: str, body: Any) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection
        timeout = self._config.http_connect_timeout_ms / 1000
        if address.secure:
            connection = http.client.HTTPSConnection(address.host, address.port, timeout=timeout, context=self._tls)
        else:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout)
        try:
            connection.connect()
            if connection.sock is not None:
                connection.sock.settimeout(self._config.http_read_timeout_ms / 1000)
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, address.path + path, payload, self._request_headers(address))
            answer = connection.getresponse()
            return answer.status, answer.read(_MAX_ANSWER)
        finally:
            connection.close()

    def _request_headers(self, address: RegistryUrl) -> dict[str, str]:
        headers = {"Accept": f"{_CONTENT}, application/json", "Content-Type": _CONTENT, **self._headers}
        token = self._config.bearer_auth_token
        user = self._user or address.user
        if token is not None:
            headers["Authorization"] = f"Bearer {token.value}"
        elif user is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        return headers

    def close(self) -> None:
        """End a wait between two attempts. May be called twice."""
        self._closing.set()


def _reason(status: int, content: bytes) -> tuple[int, str]:
    """The registry's own number and words."""
    try:
        answer = json.loads(content)
        return int(answer.get("error_code", status)), str(answer.get("message") or answer)
    except (ValueError, AttributeError, TypeError):
        shown = content[:200].decode(errors="replace").strip()
        return status, shown or http.client.responses.get(status, f"HTTP {status}")


def _tls_context(config: SchemaRegistryConfig) -> ssl.SSLContext:
    trusted = config.truststore_location
    if trusted is None:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = config.endpoint_identification == "https"
    if trusted is not None:
        _trust(context, trusted, config.truststore_password)
    if config.keystore_location is not None:
        _show_key(context, config.keystore_location, config)
    return context


def _trust(context: ssl.SSLContext, path: str, password: Password | None) -> None:
    from kconnect.security import key_stores, tls  # only for registries with certificates of their own

    name = "schema.registry.ssl.truststore.location"
    content = _file(name, path)
    try:
        tls.trust(context, key_stores.read_certificates(content, _secret(password)))
    except key_stores.KeyStoreError as error:
        raise _refused_file(name, path, error) from error


def _show_key(context: ssl.SSLContext, path: str, config: SchemaRegistryConfig) -> None:
    from kconnect.security import key_stores, tls

    name = "schema.registry.ssl.keystore.location"
    content = _file(name, path)
    try:
        entry = key_stores.read_key(content, _secret(config.keystore_password), _secret(config.key_password))
        tls.set_key(context, entry)
    except key_stores.KeyStoreError as error:
        raise _refused_file(name, path, error) from error


def _secret(password: Password | None) -> str | None:
    return None if password is None else password.value


def _file(key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", key=key, value=path) from error


def _refused_file(key: str, path: str, error: Exception) -> ConfigError:
    from kconnect.security.key_stores import MissingLibraryError

    missing = isinstance(error, MissingLibraryError)
    suggestion = "install kconnect[keystores], or give a PEM file" if missing else None
    return ConfigError(str(error), key=key, value=path, suggestion=suggestion)
