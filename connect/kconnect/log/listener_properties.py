"""Listeners from Kafka's own keys: `listeners`, and what `ssl.` and `sasl.` say of all or of one of them.

`listener.name.<name>.<key>` goes before `<key>`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kconnect.log.errors import ListenerError
from kconnect.log.listener import Endpoint, Listener, SaslSettings, SecurityProtocol
from kconnect.log.listener_tls import ListenerTls
from kconnect.log.tls_settings import TLS_KEYS
from kconnect.security.jaas import PLAIN_MODULE, SCRAM_MODULE, JaasError, parse
from kconnect.security.scram import ScramMechanism

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_LISTENERS = "PLAINTEXT://127.0.0.1:9092"

_ADDRESS = re.compile(r"(?P<name>[A-Za-z0-9_-]+)://(?P<host>\[[0-9a-fA-F:]*\]|[^:/\[\]]*):(?P<port>\d{1,5})")
_LISTENERS, _ADVERTISED, _PROTOCOLS = "listeners", "advertised.listeners", "listener.security.protocol.map"
_MECHANISMS, _JAAS = "sasl.enabled.mechanisms", "sasl.jaas.config"
_PLAIN = "PLAIN"
_USER = "user_"
_SASL_NUMBERS = {
    "connection.failed.authentication.delay.ms": ("failure_delay", 0.001),
    "connections.max.reauth.ms": ("session_lifetime", 0.001),
    "sasl.server.max.receive.size": ("max_receive_size", 1),
}
_SERVED = (_PLAIN, *(mechanism.value for mechanism in ScramMechanism))
_OWN_JAAS = tuple(f"{mechanism.lower()}.{_JAAS}" for mechanism in _SERVED)
_KEYS = frozenset({_MECHANISMS, _JAAS, *_OWN_JAAS, *_SASL_NUMBERS, *TLS_KEYS})
_OF_ONE = re.compile(r"listener\.name\.(?P<name>[a-z0-9_-]+)\.(?P<key>.+)")

LISTENER_KEYS = (_LISTENERS, _ADVERTISED, _PROTOCOLS, *sorted(_KEYS))
"""Every key that is read here, without the prefix of a listener."""


class _Address(NamedTuple):
    name: str
    endpoint: Endpoint


def is_listener_key(name: str) -> bool:
    of_one = _OF_ONE.fullmatch(name)
    return name in LISTENER_KEYS if of_one is None else of_one["key"] in _KEYS


def read_listeners(properties: Mapping[str, str]) -> tuple[Listener, ...]:
    """The listeners that `properties` give, key stores read. Raises ListenerError, with the key."""
    addresses = _addresses(_LISTENERS, properties.get(_LISTENERS, DEFAULT_LISTENERS))
    advertised = dict(_addresses(_ADVERTISED, properties[_ADVERTISED])) if properties.get(_ADVERTISED) else {}
    protocols = _protocols(properties.get(_PROTOCOLS, ""))
    names = [name for name, _ in addresses]
    _check_names(names, [*advertised], [*properties])
    ports = [endpoint.port for _, endpoint in addresses if endpoint.port]
    if len(set(ports)) < len(ports):
        raise ListenerError(f"{_LISTENERS}={properties[_LISTENERS]!r}: two listeners have one port")
    return tuple(_listener(name, endpoint, advertised.get(name), protocols, properties) for name, endpoint in addresses)


def _addresses(key: str, text: str) -> list[_Address]:
    addresses = []
    for part in text.split(","):
        match = _ADDRESS.fullmatch(part.strip())
        if match is None or int(match["port"]) > 65535:
            raise ListenerError(
                f"{key}={text!r} is not understood; write PROTOCOL://HOST:PORT, the protocol being one of "
                f"{', '.join(SecurityProtocol.__members__)}"
            )
        address = _Address(match["name"].upper(), Endpoint(match["host"].strip("[]"), int(match["port"])))
        if key == _ADVERTISED and address.endpoint.host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared with
            raise ListenerError(f"{key}={text!r}: no client can connect to such an address; name a host")
        addresses.append(address)
    return addresses


def _protocols(text: str) -> dict[str, SecurityProtocol]:
    """Every protocol is a name for itself, unless the map says otherwise."""
    protocols = dict(SecurityProtocol.__members__)
    for part in filter(None, map(str.strip, text.split(","))):
        name, colon, protocol = part.partition(":")
        if not colon or protocol.strip().upper() not in SecurityProtocol.__members__:
            raise ListenerError(
                f"{_PROTOCOLS}={text!r} is not understood; write NAME:PROTOCOL[,…], the protocol being one of "
                f"{', '.join(SecurityProtocol.__members__)}"
            )
        protocols[name.strip().upper()] = SecurityProtocol[protocol.strip().upper()]
    return protocols


def _check_names(names: list[str], advertised: list[str], keys: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ListenerError(f"{_LISTENERS} names one listener twice; give them names of their own by {_PROTOCOLS}")
    for name in advertised:
        if name not in names:
            raise ListenerError(f"{_ADVERTISED} names {name}, which is none of {_LISTENERS} ({', '.join(names)})")
    for key in keys:
        of_one = _OF_ONE.fullmatch(key)
        if of_one is not None and of_one["name"].upper() not in names:
            raise ListenerError(f"{key}: there is no listener {of_one['name']!r} in {_LISTENERS} ({', '.join(names)})")


def _listener(
    name: str,
    endpoint: Endpoint,
    advertised_as: Endpoint | None,
    protocols: Mapping[str, SecurityProtocol],
    properties: Mapping[str, str],
) -> Listener:
    protocol = protocols.get(name)
    if protocol is None:
        raise ListenerError(
            f"{_LISTENERS} names {name}, which is no protocol; write {_PROTOCOLS}={name}:PROTOCOL, one of "
            f"{', '.join(SecurityProtocol.__members__)}"
        )
    own = f"listener.name.{name.lower()}."
    settings = {key: properties[key] for key in _KEYS if key in properties} | {
        key: properties[own + key] for key in _KEYS if own + key in properties
    }
    return Listener(
        name=name,
        protocol=protocol,
        host=endpoint.host,
        port=endpoint.port,
        advertised_as=advertised_as,
        tls=ListenerTls(settings) if protocol.has_tls else None,
        sasl=_sasl(settings) if protocol.has_sasl else None,
    )


def _sasl(settings: Mapping[str, str]) -> SaslSettings:
    users = _plain_users(settings)
    asked = settings.get(_MECHANISMS)
    if asked is None:
        mechanisms = {name for name in _SERVED if name != _PLAIN or users}
    else:
        mechanisms = {name.strip().upper() for name in asked.split(",") if name.strip()}
        unserved = sorted(mechanisms - set(_SERVED))
        if unserved or not mechanisms:
            raise ListenerError(f"{_MECHANISMS}={asked!r}: {', '.join(_SERVED)} are possible")
        if _PLAIN in mechanisms and not users:
            raise ListenerError(
                f"{_JAAS} names no user for PLAIN (see {_MECHANISMS}); write "
                f'{PLAIN_MODULE} required user_NAME="password";'
            )
    numbers: dict[str, Any] = {
        field: _number(key, settings[key]) * unit for key, (field, unit) in _SASL_NUMBERS.items() if key in settings
    }
    return SaslSettings(
        plain_users=users if _PLAIN in mechanisms else None,
        scram_mechanisms=frozenset(mechanism for mechanism in ScramMechanism if mechanism.value in mechanisms),
        **numbers,
    )


def _plain_users(settings: Mapping[str, str]) -> dict[str, str]:
    users: dict[str, str] = {}
    for key in (_JAAS, *_OWN_JAAS):
        if key not in settings:
            continue
        try:
            entry = parse(settings[key])
        except JaasError as e:
            raise ListenerError(f"{key}: {e.reason}; {e.suggestion}") from e
        if entry.module not in (PLAIN_MODULE, SCRAM_MODULE):
            raise ListenerError(f"{key}: the login module {entry.module} is not served; {PLAIN_MODULE} is")
        if entry.module == PLAIN_MODULE:
            users |= {name.removeprefix(_USER): to for name, to in entry.options.items() if name.startswith(_USER)}
    return users


def _number(key: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise ListenerError(f"{key}={text!r} is no number of 0 or more")
    return int(text)
