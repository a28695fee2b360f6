"""Connections to PostgreSQL, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql as psql
from psycopg.conninfo import make_conninfo

from kconnect.errors import ConnectError, DataError, RetriableError
from kconnect_sql.config import ConnectionConfig
from kconnect_sql.patient_connection import PatientConnection
from kconnect_sql.url import DatabaseUrl


def connect(
    url: DatabaseUrl, config: ConnectionConfig, application: str, *, patience_seconds: float
) -> PatientConnection:
    """Log in. The session's time zone is `db.timezone`, parameters are $1, $2 …

    An answer is waited for as long as the URL's option socketTimeout says, in seconds, or for `patience_seconds`.
    RetriableError when the server is away, ConnectError when it refuses.
    """
    options = dict(url.options)
    patience = _seconds(options.pop("socketTimeout", None), patience_seconds)
    unknown = options.keys() - _OPTIONS.keys()
    if unknown:
        raise ConnectError(f"connection.url has options that are not known here: {', '.join(sorted(unknown))}")
    settings = {_OPTIONS[name]: value for name, value in options.items() if _OPTIONS[name]}
    schema = settings.pop("search_path", None)
    where = place(url)
    try:
        connection = PatientConnection.connect(
            make_conninfo(
                host=url.host or "localhost",
                port=url.port or 5432,
                dbname=url.database or url.user,
                user=url.user,
                password=url.password.value if url.password is not None else None,
                options=f"-c TimeZone={config.db_timezone} -c DateStyle=ISO",
                **_DEFAULTS | {"application_name": application} | settings,
            ),
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        if any(word in said for word in _REFUSALS):
            raise ConnectError(f"{where} refuses the login: {said}") from error
        raise RetriableError(f"{where} cannot be reached: {said}") from error
    connection.patience_seconds = patience
    connection.cursor_factory = psycopg.RawCursor
    connection.server_cursor_factory = psycopg.RawServerCursor
    if schema:
        _search(connection, schema.split(","))
    return connection


def _search(connection: PatientConnection, schemas: list[str]) -> None:
    names = psql.SQL(", ").join([psql.Identifier(name.strip()) for name in schemas])
    connection.execute(psql.SQL("SET search_path TO {}").format(names))


def _seconds(given: str | None, default: float) -> float | None:
    """None is for ever, which 0 means as it does in JDBC."""
    if given is None:
        return default
    if not given.isdecimal():
        raise ConnectError(f"connection.url has socketTimeout={given}: it must be a whole number of seconds")
    return int(given) or None


def place(url: DatabaseUrl) -> str:
    """The database, for messages."""
    return f"postgresql://{url.host or 'localhost'}:{url.port or 5432}/{url.database}"


@contextmanager
def errors(url: DatabaseUrl, doing: str) -> Iterator[None]:
    """Raise what psycopg raises as what it means."""
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or ""
        message = f"{place(url)}: {doing}: {str(error).strip()}"
        if state[:2] in _RETRIABLE_CLASSES or state in _RETRIABLE_STATES:
            raise RetriableError(message) from error
        if state[:2] in ("22", "23") or (not state and isinstance(error, psycopg.DataError)):
            raise DataError(message) from error
        if not state and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
            raise RetriableError(message) from error
        raise ConnectError(message) from error
    except UnicodeEncodeError as error:  # a lone surrogate, which JSON can write and UTF-8 cannot
        raise DataError(f"{place(url)}: {doing!a}: {error}") from error


_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""A host that is gone without a word is found out within a minute."""
_REFUSALS = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry", "not permitted")
_RETRIABLE_CLASSES = ("08", "40", "53", "58")
_RETRIABLE_STATES = ("25P03", "55P03", "57014", "57P01", "57P02", "57P03", "57P05")
_OPTIONS = {
    "ApplicationName": "application_name",
    "application_name": "application_name",
    "connectTimeout": "connect_timeout",
    "connect_timeout": "connect_timeout",
    "currentSchema": "search_path",
    "reWriteBatchedInserts": "",
    "sslcert": "sslcert",
    "sslkey": "sslkey",
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
    "stringtype": "",
    "tcpKeepAlive": "",
    "target_session_attrs": "target_session_attrs",
}
"""Options of JDBC's and libpq's URLs, as libpq takes them; "" for those that change nothing here."""
