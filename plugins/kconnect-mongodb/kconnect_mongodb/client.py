"""Clients of pymongo, as configurations say, held to what the worker lets connectors reach."""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import pymongo
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.driver_info import DriverInfo
from pymongo.errors import PyMongoError
from pymongo.server_api import ServerApi

from kconnect import ConfigError, Password
from kconnect.bounds import allow_path
from kconnect.security.key_stores import KeyStoreError, read_certificates, read_key
from kconnect_mongodb.connection_config import ConnectionConfig, allow_node
from kconnect_mongodb.failures import translated

Document: TypeAlias = dict[str, Any]
Client: TypeAlias = pymongo.MongoClient[Document]

CODEC: Final[CodecOptions[Document]] = CodecOptions(
    document_class=dict,
    tz_aware=True,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""Dates beyond what Python holds come as DatetimeMS, UUIDs as Binary."""

_SELECTION_MS = 10_000
_SOCKET_MS = 60_000
_CLOSE_S = 2.0


def client_of(config: ConnectionConfig, kind: str) -> Client:
    """Not connected yet. `kind` is what the server is told of who connects. ConfigError for files that cannot be used.

    Where the connection string says nothing else, a server is waited for ten seconds, an answer a minute."""
    address = config.address
    settings: dict[str, Any] = {
        "tz_aware": True,
        "datetime_conversion": "DATETIME_AUTO",
        "server_selector": _allowed_nodes,
        "driver": DriverInfo(f"kconnect-{kind}"),
    }
    defaults = {
        "serverSelectionTimeoutMS": _SELECTION_MS,
        "connectTimeoutMS": _SELECTION_MS,
        "socketTimeoutMS": _SOCKET_MS,
    }
    settings |= {name: value for name, value in defaults.items() if name.lower() not in address.options}
    if config.api_version:
        settings["server_api"] = ServerApi(
            config.api_version, strict=config.api_strict, deprecation_errors=config.api_deprecation_errors
        )
    with _tls_files(config) as files:
        try:
            return pymongo.MongoClient(config.uri.value.strip(), **settings, **files)
        except PyMongoError as error:
            raise translated(error, address) from None


def closed(client: Client) -> None:
    """Does not wait long for a server that does not answer: the driver would tell it that its sessions end."""
    closing = threading.Thread(target=client.close, name="kconnect-mongodb-close", daemon=True)
    closing.start()
    closing.join(_CLOSE_S)


def _allowed_nodes(servers: Sequence[Any]) -> Sequence[Any]:
    """Of a replica set as it tells: ConfigError, out of whatever is done, for a node that is not allowed."""
    for server in servers:
        allow_node(*server.address)
    return servers


@contextmanager
def _tls_files(config: ConnectionConfig) -> Iterator[dict[str, Any]]:
    """The stores as the driver wants them: files in PEM, read when the client is made and gone afterwards."""
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        if config.truststore:
            authorities = _read("connection.ssl.truststore", config.truststore, config.truststore_password, read_ca)
            files["tlsCAFile"] = stack.enter_context(_private_file(authorities))
        if config.keystore:
            pem, password = _read("connection.ssl.keystore", config.keystore, config.keystore_password, _key_pem)
            files["tlsCertificateKeyFile"] = stack.enter_context(_private_file(pem))
            if password:
                files["tlsCertificateKeyFilePassword"] = password
        yield files


def read_ca(content: bytes, password: str | None) -> str:
    """Certificates in PEM. KeyStoreError for text that holds none."""
    pem = read_certificates(content, password)
    try:
        ssl.create_default_context(cadata=pem)
    except ssl.SSLError as error:
        raise KeyStoreError(f"the file holds no certificates that can be read: {error}") from error
    return pem


def _key_pem(content: bytes, password: str | None) -> tuple[str, str | None]:
    entry = read_key(content, password, None)
    both = entry.key if entry.chain == entry.key else f"{entry.key}\n{entry.chain}"
    return both, entry.key_password


def _read(key: str, path: str, password: Password, reader: Any) -> Any:
    try:
        return reader(allow_path(key, path).read_bytes(), password.value.strip() or None)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", key=key) from error
    except KeyStoreError as error:
        raise ConfigError(f"{path}: {error}", key=key) from error


@contextmanager
def _private_file(content: str) -> Iterator[str]:
    handle, path = tempfile.mkstemp(prefix="kconnect-mongodb-", suffix=".pem")  # of mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
        yield path
    finally:
        Path(path).unlink(missing_ok=True)
