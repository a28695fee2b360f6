"""TLS settings: Java's key and trust stores, read and handed to librdkafka as PEM."""

from __future__ import annotations

import ssl
from pathlib import Path

from kconnect.errors import ConfigError
from kconnect.kafka import jks
from kconnect.kafka.rules import Props

_PEM_MARK = b"-----BEGIN "
_DER_SEQUENCE = b"\x30"


def truststore(key: str, value: str, props: Props) -> dict[str, str]:
    """`ssl.truststore.location`: PEM, PKCS12 or JKS, told apart by what is in the file and not by its type setting."""
    content = _read(key, value)
    if _is_pem(content):
        return {"ssl.ca.location": value}
    password = props.get("ssl.truststore.password")
    if content.startswith(jks.MAGIC):
        certificates = _open_jks(key, value, content, password).certificates
    elif content.startswith(_DER_SEQUENCE):
        certificates = _pkcs12_certificates(key, value, content, password)
    else:
        raise _unreadable(key, value)
    if not certificates:
        raise ConfigError("the trust store holds no certificate", key=key, value=value)
    return {"ssl.ca.pem": "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in certificates)}


def keystore(key: str, value: str, props: Props) -> dict[str, str]:
    """`ssl.keystore.location`: PEM (key and chain in one file), PKCS12 or JKS, told apart by what is in the file."""
    content = _read(key, value)
    password = props.get("ssl.keystore.password")
    key_password = props.get("ssl.key.password")
    if _is_pem(content):
        protection = {"ssl.key.password": key_password} if key_password else {}
        return {"ssl.key.location": value, "ssl.certificate.location": value} | protection
    if content.startswith(jks.MAGIC):
        store = _open_jks(key, value, content, password)
        if not store.keys:
            raise ConfigError("the key store holds no private key", key=key, value=value)
        entry = store.keys[0]
        try:
            private_key = entry.private_key(key_password or password or "")
        except jks.JksError as error:
            raise ConfigError(str(error), key="ssl.key.password") from error
        return {
            "ssl.key.pem": jks.pem("PRIVATE KEY", private_key),
            "ssl.certificate.pem": "".join(map(ssl.DER_cert_to_PEM_cert, entry.chain)),
        }
    if content.startswith(_DER_SEQUENCE):
        return {"ssl.keystore.location": value} | ({"ssl.keystore.password": password} if password else {})
    raise _unreadable(key, value)


def inline_key(key: str, value: str, props: Props) -> dict[str, str]:
    """`ssl.keystore.key`: a private key in PEM form, in the setting itself."""
    key_password = props.get("ssl.key.password")
    return {"ssl.key.pem": value} | ({"ssl.key.password": key_password} if key_password else {})


def endpoint_identification(key: str, value: str, props: Props) -> dict[str, str]:
    """Java turns the check of host names off by an empty value, librdkafka by `none`."""
    if value.lower() not in ("https", "none", ""):
        raise ConfigError("there is no such check", key=key, value=value, suggestion="https, or empty for no check")
    return {key: value.lower() or "none"}


def cipher_suites(key: str, value: str, props: Props) -> dict[str, str]:
    """OpenSSL's names are taken; Java's (`TLS_ECDHE_…`) name the same suites otherwise."""
    if any(part.strip().startswith(("TLS_", "SSL_")) for part in value.split(",")):
        raise ConfigError(
            "these are Java's names of cipher suites",
            key=key,
            value=value,
            suggestion="remove it, or write OpenSSL's names, such as ECDHE-RSA-AES256-GCM-SHA384",
        )
    return {key: value.replace(",", ":")} if value else {}


def _read(key: str, value: str) -> bytes:
    try:
        return Path(value).read_bytes()
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", key=key, value=value) from error


def _is_pem(content: bytes) -> bool:
    return _PEM_MARK in content[:65536]


def _unreadable(key: str, value: str) -> ConfigError:
    return ConfigError("the file is neither PEM, PKCS12 nor JKS", key=key, value=value)


def _open_jks(key: str, value: str, content: bytes, password: str | None) -> jks.KeyStore:
    try:
        return jks.read(content, password)
    except jks.JksError as error:
        raise ConfigError(str(error), key=key, value=value) from error


def _pkcs12_certificates(key: str, value: str, content: bytes, password: str | None) -> list[bytes]:
    """The certificates of a PKCS12 trust store, in DER form."""
    try:
        from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
    except ModuleNotFoundError as error:
        raise ConfigError(
            "reading a PKCS12 trust store needs the package cryptography",
            key=key,
            value=value,
            suggestion="install kconnect[keystores], or give a PEM file",
        ) from error
    try:
        store = pkcs12.load_pkcs12(content, password.encode() if password else None)
    except ValueError as error:
        raise ConfigError(f"the PKCS12 store cannot be opened: {error}", key=key, value=value) from error
    entries = ([store.cert] if store.cert else []) + list(store.additional_certs)
    return [entry.certificate.public_bytes(Encoding.DER) for entry in entries]
