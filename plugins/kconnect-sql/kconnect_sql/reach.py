"""What a database URL reaches, files or hosts, and whether the worker's bounds allow it."""

from __future__ import annotations

from pathlib import Path

from kconnect.bounds import allow_host, allow_path
from kconnect_sql.url import KEY, DatabaseUrl

_IN_FILES = ("sqlite", "duckdb", "access")
_IN_MEMORY = ("", ":memory:")
_OTHER_HOSTS = ("host", "hostaddr", "server", "service", "unix_socket", "dsn", "odbc_connect", "failover_partner")
"""Options by which drivers are told to connect elsewhere than the URL says."""
_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile", "ssl_ca", "ssl_cert", "ssl_key")
_POSTGRES_PORT = 5432


def check_reach(dialect: str, url: DatabaseUrl) -> None:
    """ConfigError, naming connection.url, for what the worker does not allow."""
    if dialect == "sqlite" or url.dialect in _IN_FILES:
        database_file(url)
        if dialect == "sqlite":
            return
    for name, value in url.options:
        if name.lower() in _OTHER_HOSTS:
            allow_host(KEY, value)
        elif name.lower() in _FILES:
            allow_path(KEY, value)
    if url.dialect not in _IN_FILES or dialect == "postgresql":
        port = url.port or (_POSTGRES_PORT if dialect == "postgresql" else None)
        for host in (url.host or "localhost").split(","):
            allow_host(KEY, host, port)


def database_file(url: DatabaseUrl) -> Path | None:
    """The file to open, with links followed; None for a database in memory. ConfigError for one that is not allowed."""
    return None if url.database in _IN_MEMORY else allow_path(KEY, url.database)
