"""Key and trust stores as Java's users have them: PEM, PKCS12 or JKS, told apart by what is in them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from kconnect.security import jks

_PEM_MARK = b"-----BEGIN "
_DER_SEQUENCE = b"\x30"


class KeyStoreError(Exception):
    """A store cannot be used; the message says why and names no secret."""


class KeyPasswordError(KeyStoreError):
    """The store opens, and the password of the key in it does not open the key."""


class MissingLibraryError(KeyStoreError):
    """The store is PKCS12, and the package that reads it is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """A private key and its certificate chain, own certificate first, in PEM form.

    `key_password` is what opens the key; None where it is not encrypted.
    """

    key: str
    chain: str
    key_password: str | None = None

    def __repr__(self) -> str:
        return "KeyEntry([hidden])"


def is_pem(content: bytes) -> bool:
    return _PEM_MARK in content[:65536]


def is_pkcs12(content: bytes) -> bool:
    return content.startswith(_DER_SEQUENCE) and not is_pem(content)


def read_key(content: bytes, password: str | None, key_password: str | None) -> KeyEntry:
    """The key of a key store; of several in a JKS, the first. A PEM store is one file with key and chain.

    Raises KeyStoreError. Whether a PEM key opens shows when it is used.
    """
    if is_pem(content):
        text = _text(content)
        return KeyEntry(key=text, chain=text, key_password=key_password or password)
    if content.startswith(jks.MAGIC):
        return _jks_key(content, password, key_password)
    if is_pkcs12(content):
        return _pkcs12_key(content, password)
    raise KeyStoreError("the file is neither PEM, PKCS12 nor JKS")


def read_certificates(content: bytes, password: str | None) -> str:
    """The certificates of a trust store, in PEM form. Raises KeyStoreError, for an empty store too."""
    if is_pem(content):
        return _text(content)
    if content.startswith(jks.MAGIC):
        certificates = _open_jks(content, password).certificates
    elif is_pkcs12(content):
        certificates = _pkcs12_certificates(content, password)
    else:
        raise KeyStoreError("the file is neither PEM, PKCS12 nor JKS")
    if not certificates:
        raise KeyStoreError("the trust store holds no certificate")
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise KeyStoreError("the PEM file is not text") from error


def _open_jks(content: bytes, password: str | None) -> jks.KeyStore:
    try:
        return jks.read(content, password)
    except jks.JksError as error:
        raise KeyStoreError(str(error)) from error


def _jks_key(content: bytes, password: str | None, key_password: str | None) -> KeyEntry:
    store = _open_jks(content, password)
    if not store.keys:
        raise KeyStoreError("the key store holds no private key")
    entry = store.keys[0]
    try:
        key = entry.private_key(key_password or password or "")
    except jks.JksError as error:
        raise KeyPasswordError(str(error)) from error
    return KeyEntry(key=jks.pem("PRIVATE KEY", key), chain="".join(map(ssl.DER_cert_to_PEM_cert, entry.chain)))


def _pkcs12_key(content: bytes, password: str | None) -> KeyEntry:
    pkcs12, serialization = _pkcs12_library()
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(content, _secret(password))
    except ValueError as error:
        raise KeyStoreError(f"the PKCS12 store cannot be opened: {error}") from error
    if key is None or certificate is None:
        raise KeyStoreError("the key store holds no private key")
    encoding = serialization.Encoding.PEM
    plain = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = b"".join(each.public_bytes(encoding) for each in (certificate, *others))
    return KeyEntry(key=plain.decode(), chain=chain.decode())


def _pkcs12_certificates(content: bytes, password: str | None) -> list[bytes]:
    """In DER form."""
    pkcs12, serialization = _pkcs12_library()
    try:
        store = pkcs12.load_pkcs12(content, _secret(password))
    except ValueError as error:
        raise KeyStoreError(f"the PKCS12 store cannot be opened: {error}") from error
    entries = ([store.cert] if store.cert else []) + list(store.additional_certs)
    return [entry.certificate.public_bytes(serialization.Encoding.DER) for entry in entries]


def _pkcs12_library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ModuleNotFoundError as error:
        raise MissingLibraryError("reading a PKCS12 store needs the package cryptography") from error
    return pkcs12, serialization


def _secret(password: str | None) -> bytes | None:
    return password.encode() if password else None
