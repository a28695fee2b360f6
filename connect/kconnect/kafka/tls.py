"""TLS settings: Java's key and trust stores, read and handed to librdkafka as PEM."""

from __future__ import annotations

from pathlib import Path

from kconnect.errors import ConfigError
from kconnect.kafka.rules import Props
from kconnect.security.key_stores import (
    KeyPasswordError,
    KeyStoreError,
    MissingLibraryError,
    is_pem,
    is_pkcs12,
    read_certificates,
    read_key,
)


def truststore(key: str, value: str, props: Props) -> dict[str, str]:
    """`ssl.truststore.location`: PEM, PKCS12 or JKS, told apart by what is in the file and not by its type setting."""
    content = _read(key, value)
    if is_pem(content):
        return {"ssl.ca.location": value}
    try:
        return {"ssl.ca.pem": read_certificates(content, props.get("ssl.truststore.password"))}
    except KeyStoreError as error:
        raise _refusal(key, value, error) from error


def keystore(key: str, value: str, props: Props) -> dict[str, str]:
    """`ssl.keystore.location`: PEM (key and chain in one file), PKCS12 or JKS, told apart by what is in the file."""
    content = _read(key, value)
    password = props.get("ssl.keystore.password")
    key_password = props.get("ssl.key.password")
    if is_pem(content):
        protection = {"ssl.key.password": key_password} if key_password else {}
        return {"ssl.key.location": value, "ssl.certificate.location": value} | protection
    if is_pkcs12(content):
        return {"ssl.keystore.location": value} | ({"ssl.keystore.password": password} if password else {})
    try:
        entry = read_key(content, password, key_password)
    except KeyPasswordError as error:
        raise ConfigError(str(error), key="ssl.key.password") from error
    except KeyStoreError as error:
        raise _refusal(key, value, error) from error
    return {"ssl.key.pem": entry.key, "ssl.certificate.pem": entry.chain}


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


def _refusal(key: str, value: str, error: KeyStoreError) -> ConfigError:
    missing = isinstance(error, MissingLibraryError)
    suggestion = "install kconnect[keystores], or give a PEM file" if missing else None
    return ConfigError(str(error), key=key, value=value, suggestion=suggestion)
