"""TLS of clients: whom to believe, and the certificate to show."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kconnect import ConfigError, Password
from kconnect.bounds import allow_path
from kconnect.security.key_stores import KeyStoreError, read_certificates, read_key
from kconnect.security.tls import set_key, trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A file of certificates or of a key: PEM, PKCS12 or JKS. `name` is the key that it was given by."""

    name: str
    location: str
    password: Password | None = None
    key_password: Password | None = None

    def read(self) -> bytes:
        path = allow_path(self.name, self.location)
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"{self.location} cannot be read: {error.strerror}", key=self.name) from error


def client_context(*, verify: bool, authorities: Store | None, identity: Store | None) -> ssl.SSLContext:
    """ConfigError for a store that cannot be used. Without `authorities` the system's are believed."""
    if verify and authorities is None and identity is None:
        return _system_context()
    context = ssl.create_default_context() if authorities is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authorities is not None:
        try:
            trust(context, read_certificates(authorities.read(), _value(authorities.password)))
        except KeyStoreError as error:
            raise ConfigError(f"{authorities.location}: {error}", key=authorities.name) from error
    if identity is not None:
        try:
            entry = read_key(identity.read(), _value(identity.password), _value(identity.key_password))
            set_key(context, entry)
        except KeyStoreError as error:
            raise ConfigError(f"{identity.location}: {error}", key=identity.name) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@cache
def _system_context() -> ssl.SSLContext:
    """To be changed by nobody: it takes its time to read all those authorities."""
    return ssl.create_default_context()


def _value(password: Password | None) -> str | None:
    return None if password is None else password.value
