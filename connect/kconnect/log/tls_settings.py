"""What a TLS listener is, by Kafka's `ssl.` keys."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from kconnect.log.errors import ListenerError
from kconnect.security.key_stores import KeyEntry, KeyPasswordError, KeyStoreError, read_certificates, read_key
from kconnect.security.tls import set_key, trust

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHAIN, _KEY = "ssl.keystore.certificate.chain", "ssl.keystore.key"
_KEY_STORE, _TRUST_STORE = "ssl.keystore.location", "ssl.truststore.location"
_KEY_STORE_PASSWORD, _TRUST_STORE_PASSWORD = "ssl.keystore.password", "ssl.truststore.password"
_KEY_PASSWORD = "ssl.key.password"  # noqa: S105 - a key
_CERTIFICATES = "ssl.truststore.certificates"
_CLIENT_AUTH, _CIPHERS, _PROTOCOLS = "ssl.client.auth", "ssl.cipher.suites", "ssl.enabled.protocols"
_TYPES = ("ssl.keystore.type", "ssl.truststore.type")

TLS_KEYS = (
    *(_CHAIN, _KEY, _KEY_STORE, _TRUST_STORE, _KEY_STORE_PASSWORD, _TRUST_STORE_PASSWORD, _KEY_PASSWORD),
    *(_CERTIFICATES, _CLIENT_AUTH, _CIPHERS, _PROTOCOLS, *_TYPES),
)

_STORE_TYPES = ("PEM", "PKCS12", "JKS")
_CLIENT_AUTHS = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def server_context(settings: Mapping[str, str]) -> ssl.SSLContext:
    """Raises ListenerError that names the key; reads the stores that the settings name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    for key in _TYPES:
        # What is in a store tells what it is: the type is looked at for slips alone.
        if settings.get(key, "PEM").upper() not in _STORE_TYPES:
            raise ListenerError(f"{key}={settings[key]!r}: {', '.join(_STORE_TYPES)} are possible")
    _set_versions(context, settings.get(_PROTOCOLS))
    _set_ciphers(context, settings.get(_CIPHERS))
    entry, key = _own_key(settings)
    try:
        set_key(context, entry)
    except KeyPasswordError as e:
        raise ListenerError(f"{_KEY_PASSWORD}: {e}") from e
    except KeyStoreError as e:
        raise ListenerError(f"{key}: {e}") from e
    _set_client_auth(context, settings)
    return context


def store_files(settings: Mapping[str, str]) -> list[str]:
    """The files that the settings name."""
    return [settings[key] for key in (_KEY_STORE, _TRUST_STORE) if settings.get(key)]


def _own_key(settings: Mapping[str, str]) -> tuple[KeyEntry, str]:
    """The broker's key, and the setting that it is from."""
    if _CHAIN in settings or _KEY in settings:
        for key in (_CHAIN, _KEY):
            if key not in settings:
                raise ListenerError(f"{key} is needed: certificate chain and private key go together")
        inline = KeyEntry(key=settings[_KEY], chain=settings[_CHAIN], key_password=settings.get(_KEY_PASSWORD))
        return inline, _KEY
    if not settings.get(_KEY_STORE):
        raise ListenerError(f"{_KEY_STORE} is needed for TLS: the broker has to show a certificate")
    content = _read(_KEY_STORE, settings[_KEY_STORE])
    try:
        return read_key(content, settings.get(_KEY_STORE_PASSWORD), settings.get(_KEY_PASSWORD)), _KEY_STORE
    except KeyPasswordError as e:
        raise ListenerError(f"{_KEY_PASSWORD}: {e}") from e
    except KeyStoreError as e:
        raise ListenerError(f"{_KEY_STORE}={settings[_KEY_STORE]!r}: {e}") from e


def _set_client_auth(context: ssl.SSLContext, settings: Mapping[str, str]) -> None:
    asked = settings.get(_CLIENT_AUTH, "none").lower()
    if asked not in _CLIENT_AUTHS:
        raise ListenerError(f"{_CLIENT_AUTH}={settings[_CLIENT_AUTH]!r}: {', '.join(_CLIENT_AUTHS)} are possible")
    context.verify_mode = _CLIENT_AUTHS[asked]
    if asked == "none":
        return
    if _CERTIFICATES in settings:
        key, certificates = _CERTIFICATES, settings[_CERTIFICATES]
    elif settings.get(_TRUST_STORE):
        key = _TRUST_STORE
        try:
            certificates = read_certificates(_read(key, settings[key]), settings.get(_TRUST_STORE_PASSWORD))
        except KeyStoreError as e:
            raise ListenerError(f"{key}={settings[key]!r}: {e}") from e
    else:
        raise ListenerError(
            f"{_TRUST_STORE} is needed with {_CLIENT_AUTH}={asked}: whose certificates are to be believed?"
        )
    try:
        trust(context, certificates)
    except KeyStoreError as e:
        raise ListenerError(f"{key}: {e}") from e


def _set_versions(context: ssl.SSLContext, text: str | None) -> None:
    names = [name.strip() for name in (text or ",".join(_VERSIONS)).split(",") if name.strip()]
    if not names or not set(names) <= _VERSIONS.keys():
        raise ListenerError(f"{_PROTOCOLS}={text!r}: {', '.join(_VERSIONS)} are possible")
    versions = [_VERSIONS[name] for name in names]
    context.minimum_version, context.maximum_version = min(versions), max(versions)


def _set_ciphers(context: ssl.SSLContext, text: str | None) -> None:
    if not text:
        return
    try:
        context.set_ciphers(text.replace(",", ":"))
    except ssl.SSLError as e:
        raise ListenerError(
            f"{_CIPHERS}={text!r}: OpenSSL knows no such suite of TLS 1.2 (those of 1.3 are always on); its names are "
            "like ECDHE-RSA-AES256-GCM-SHA384"
        ) from e


def _read(key: str, location: str) -> bytes:
    try:
        return Path(location).read_bytes()
    except OSError as e:
        raise ListenerError(f"{key}={location!r} cannot be read: {e.strerror}") from e
