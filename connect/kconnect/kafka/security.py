"""How our own client secures its connections: what is set for librdkafka, set up in Python."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kconnect.errors import ConfigError
from kconnect.kafka.logins import Login, oauthbearer, plain, scram
from kconnect.kafka.oauth_tokens import FetchedTokens, unsecured_token
from kconnect.kafka.settings import translate
from kconnect.security.key_stores import KeyEntry, KeyPasswordError, KeyStoreError, read_key
from kconnect.security.scram import ScramMechanism
from kconnect.security.tls import set_key, trust

_KEY_STORE, _KEY_PASSWORD, _TRUST_STORE = "ssl.keystore.location", "ssl.key.password", "ssl.truststore.location"
_MECHANISM = "sasl.mechanism"
_MECHANISMS = ("PLAIN", *(mechanism.value for mechanism in ScramMechanism), "OAUTHBEARER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """`tls` is None for connections in the clear; `mechanism` and `log_in` for those without SASL."""

    tls: ssl.SSLContext | None = None
    mechanism: str | None = None
    log_in: Callable[[], Login] | None = None

    @classmethod
    def of(cls, props: Mapping[str, str]) -> Security:
        """From the settings of an admin client, Java's or librdkafka's. Reads the key stores that they name.

        Raises ConfigError, also for what librdkafka can do and this client cannot."""
        config = translate(props, "admin")
        protocol = config.get("security.protocol", "plaintext")
        tls = _tls(config) if protocol.endswith("ssl") else None
        if not protocol.startswith("sasl_"):
            return cls(tls=tls)
        mechanism = (config.get(_MECHANISM) or config.get("sasl.mechanisms") or "GSSAPI").upper()
        return cls(tls=tls, mechanism=mechanism, log_in=_login(mechanism, config))


def _tls(config: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = config.get("ssl.endpoint.identification.algorithm", "https") == "https"
    if config.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if pem := config.get("ssl.ca.pem"):
            trust(context, pem)
        elif location := config.get("ssl.ca.location"):
            trust(context, _read(_TRUST_STORE, location).decode("ascii", "replace"))
        else:
            context.load_default_certs()
    except KeyStoreError as error:
        raise ConfigError(str(error), key=_TRUST_STORE) from error
    try:
        entry = _own_key(config)
        if entry is not None:
            set_key(context, entry)
    except KeyPasswordError as error:
        raise ConfigError(str(error), key=_KEY_PASSWORD) from error
    except KeyStoreError as error:
        raise ConfigError(str(error), key=_KEY_STORE) from error
    if ciphers := config.get("ssl.cipher.suites"):
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise ConfigError("OpenSSL knows no such suite", key="ssl.cipher.suites", value=ciphers) from error
    return context


def _own_key(config: Mapping[str, str]) -> KeyEntry | None:
    """What the client shows a broker that asks for a certificate."""
    if location := config.get(_KEY_STORE):
        return read_key(_read(_KEY_STORE, location), config.get("ssl.keystore.password"), config.get(_KEY_PASSWORD))
    key, chain = _text(config, "ssl.key"), _text(config, "ssl.certificate")
    if key is None and chain is None:
        return None
    if key is None or chain is None:
        missing = "ssl.keystore.key" if key is None else "ssl.keystore.certificate.chain"
        raise ConfigError("private key and certificate chain go together", key=missing)
    return KeyEntry(key=key, chain=chain, key_password=config.get(_KEY_PASSWORD))


def _text(config: Mapping[str, str], name: str) -> str | None:
    """The PEM text of librdkafka's `<name>.pem`, or in the file `<name>.location`."""
    location = config.get(f"{name}.location")
    text = config.get(f"{name}.pem")
    return text if location is None else _read(_KEY_STORE, location).decode("ascii", "replace")


def _read(key: str, location: str) -> bytes:
    try:
        return Path(location).read_bytes()
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", key=key, value=location) from error


def _login(mechanism: str, config: Mapping[str, str]) -> Callable[[], Login]:
    if mechanism not in _MECHANISMS:
        raise ConfigError(
            "not a mechanism that kconnect's own client has",
            key=_MECHANISM,
            value=mechanism,
            suggestion="one of " + ", ".join(_MECHANISMS),
        )
    if mechanism == "OAUTHBEARER":
        token = _token_source(config)
        extensions = dict(
            part.split("=", 1) for part in config.get("sasl.oauthbearer.extensions", "").split(",") if "=" in part
        )
        return lambda: oauthbearer(token(), extensions)
    username, password = config.get("sasl.username"), config.get("sasl.password")
    if not username or password is None:
        raise ConfigError("user and password are needed", key="sasl.jaas.config")
    if mechanism == "PLAIN":
        return lambda: plain(username, password)
    return lambda: scram(ScramMechanism(mechanism), username, password)


def _token_source(config: Mapping[str, str]) -> Callable[[], str]:
    if config.get("enable.sasl.oauthbearer.unsecure.jwt") == "true":
        claims = dict(part.split("=", 1) for part in config.get("sasl.oauthbearer.config", "").split() if "=" in part)
        return lambda: unsecured_token(claims.get("principal", ""))
    endpoint = config.get("sasl.oauthbearer.token.endpoint.url")
    client_id, client_secret = (config.get(f"sasl.oauthbearer.client.{name}") for name in ("id", "secret"))
    if not endpoint or not client_id or client_secret is None:
        raise ConfigError(
            "tokens are fetched by client credentials: endpoint, client id and secret are needed",
            key="sasl.oauthbearer.token.endpoint.url" if not endpoint else "sasl.jaas.config",
        )
    if "sasl.oauthbearer.grant.type" in config:
        raise ConfigError(
            "kconnect's own client fetches tokens by client credentials alone",
            key="sasl.oauthbearer.jwt.retriever.class",
        )
    return FetchedTokens(endpoint, client_id, client_secret, config.get("sasl.oauthbearer.scope", "")).get
