"""How connectors reach MongoDB: the keys of mongo-kafka, and the connection string that most of it is in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote_plus

from pymongo.errors import PyMongoError
from pymongo.uri_parser_shared import _validate_uri  # `parse_uri` would look names up, which validation must not

from kconnect import HIGH, LOW, Config, ConfigError, Password, key
from kconnect.bounds import allow_host, allow_path
from kconnect.config import ConfigValue

CONNECTION = "Connection"
URI: Final = "connection.uri"
PORT: Final = 27017

_FILES = ("tlscafile", "tlscertificatekeyfile", "tlscrlfile")
_MECHANISMS = ("DEFAULT", "SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN", "MONGODB-X509", "GSSAPI")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*@[^']*'")
_FORM = "mongodb://user:password@host:27017/?replicaSet=name, or mongodb+srv://…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What `connection.uri` says. `hosts` are as written there, sorted, as mongo-kafka names them in offsets."""

    scheme: str
    hosts: tuple[str, ...]
    nodes: tuple[tuple[str, int | None], ...]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return ",".join(self.hosts)

    def namespace(self, database: str, collection: str) -> str:
        """mongo-kafka's name of what is read: the default source partition."""
        return f"{self.scheme}://{self}/{database}{f'.{collection}' if collection else ''}"


def parse_uri(uri: str) -> Address:
    """ConfigError for what is no connection string or has options that are not known, without the string, which may
    hold a password, or names files that the worker does not allow."""
    for name, _, path in (option.partition("=") for option in re.split("[&;]", uri.partition("?")[2])):
        if name.lower() in _FILES:
            allow_path(URI, unquote_plus(path))  # now: the driver opens it to see whether it can be read
    try:
        parsed = _validate_uri(uri, validate=True, warn=False)
    except (PyMongoError, ValueError, TypeError, OSError) as error:
        reason = _QUOTED.sub("…", str(error))  # what is quoted may be a piece of a password with a slash in it
        raise ConfigError(f"is no connection string: {reason}", key=URI, suggestion=_FORM) from None
    options = {name.lower(): value for name, value in dict(parsed["options"]).items()}
    mechanism = str(options.get("authmechanism", "DEFAULT"))
    if mechanism not in _MECHANISMS:
        raise ConfigError(
            f"authMechanism={mechanism} is not supported", key=URI, suggestion=f"one of {', '.join(_MECHANISMS)}"
        )
    scheme, _, rest = uri.partition("://")
    written = rest.partition("?")[0].partition("/")[0].rpartition("@")[2]
    hosts = [unquote_plus(host) if host.endswith(".sock") else host for host in written.split(",")]
    nodes = [(parsed["fqdn"], None)] if parsed["fqdn"] else parsed["nodelist"]
    return Address(scheme=scheme, hosts=tuple(sorted(hosts)), nodes=tuple(nodes), options=options)


def _store(name: str, value: object) -> None:
    if value:
        allow_path(name, str(value))


class ConnectionConfig(Config):
    """Shared by source and sink, which give `connection.uri` defaults of their own."""

    uri: Password = key(
        name=URI,
        default=Password("mongodb://localhost:27017"),
        importance=HIGH,
        group=CONNECTION,
        doc="Where MongoDB is, as a connection string with login and options; a source's default names the ports 27017 "
        "to 27019 of this host.",
    )
    truststore: Annotated[str, _store] = key(
        name="connection.ssl.truststore",
        default="",
        group=CONNECTION,
        doc="The authorities to believe in place of the system's: a file in PEM, PKCS12 or JKS.",
    )
    truststore_password: Password = key(
        name="connection.ssl.truststorePassword",
        default=Password(""),
        group=CONNECTION,
        doc="The password of connection.ssl.truststore.",
    )
    keystore: Annotated[str, _store] = key(
        name="connection.ssl.keystore",
        default="",
        group=CONNECTION,
        doc="The certificate to log in with by TLS, and its key: a file in PEM, PKCS12 or JKS.",
    )
    keystore_password: Password = key(
        name="connection.ssl.keystorePassword",
        default=Password(""),
        group=CONNECTION,
        doc="The password of connection.ssl.keystore.",
    )
    api_version: Literal["", "1"] = key(
        name="server.api.version", default="", importance=LOW, group=CONNECTION, doc="The Stable API to ask for."
    )
    api_deprecation_errors: bool = key(
        name="server.api.deprecation.errors",
        default=False,
        importance=LOW,
        group=CONNECTION,
        doc="Have the server refuse what the Stable API deprecates.",
    )
    api_strict: bool = key(
        name="server.api.strict",
        default=False,
        importance=LOW,
        group=CONNECTION,
        doc="Have the server refuse what the Stable API has not.",
    )

    def _check(self) -> None:
        address = self.address
        for host, port in address.nodes:
            allow_node(host, port)
        if (self.api_strict or self.api_deprecation_errors) and not self.api_version:
            given = "server.api.strict" if self.api_strict else "server.api.deprecation.errors"
            raise ConfigError("needs server.api.version", key=given)

    @property
    def address(self) -> Address:
        return parse_uri(self.uri.value.strip())


def allow_node(host: str, port: int | None) -> None:
    """ConfigError where the worker's bounds do not let connectors reach it. `port` None: a name that is looked up."""
    if host.endswith(".sock"):
        allow_path(URI, host)
    else:
        allow_host(URI, host, port)


def refusals(uncovered: Mapping[str, tuple[str, ...]], props: Mapping[str, str]) -> list[ConfigValue]:
    """A value with an error for each key of mongo-kafka that asks for what is not done here. `uncovered` has with each
    the values, in lower case, that ask for nothing else than what is done."""
    asked = [name for name in sorted(uncovered.keys() & props.keys()) if props[name].strip()]
    return [
        ConfigValue(name, props[name], errors=[f"{name}: is not supported: leave it out"])
        for name in asked
        if props[name].strip().lower() not in uncovered[name]
    ]


def add_error(values: list[ConfigValue], error: ConfigError) -> None:
    """To the value of the key that it names; to one of its own where there is none."""
    for value in values:
        if value.name == error.key:
            value.add_error(str(error))
            return
    values.append(ConfigValue(error.key or "", errors=[str(error)]))


CUSTOM_LOGIN: Final[Mapping[str, tuple[str, ...]]] = {
    "mongo.custom.auth.mechanism.enable": ("false",),
    "mongo.custom.auth.mechanism.providerClass": (),
}
