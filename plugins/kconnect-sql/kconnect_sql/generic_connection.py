"""Connections by SQLAlchemy, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from kconnect.errors import ConfigError, ConnectError, DataError, RetriableError
from kconnect_sql.config import ConnectionConfig
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.url import KEY, DatabaseUrl, sqlalchemy_form


def engine_of(url: DatabaseUrl) -> sa.Engine:
    """Raises ConfigError when SQLAlchemy has no such dialect, or its driver is not installed."""
    where = sa.URL.create(
        url.driver,
        username=url.user,
        password=url.password.value if url.password is not None else None,
        host=url.host,
        port=url.port,
        database=url.database,
        query=dict(url.options),
    )
    try:
        return sa.create_engine(where, poolclass=sa.NullPool)
    except sa.exc.NoSuchModuleError as error:
        raise ConfigError(
            f"SQLAlchemy knows no {url.driver}",
            key=KEY,
            suggestion=sqlalchemy_form(url.driver) or "write its own form of URL",
        ) from error
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(error.name or "", error.name)
        form = sqlalchemy_form(url.driver)
        raise ConfigError(
            f"the driver {error.name} of {url.driver} is not installed",
            key=KEY,
            suggestion=f"pip install {package}" + (f", or {form}" if form else ""),
        ) from error


def check_driver(url: DatabaseUrl) -> None:
    """As `engine_of`; connects to nothing."""
    engine_of(url).dispose()


_PACKAGES = {"MySQLdb": "mysqlclient", "psycopg2": "psycopg2-binary", "pymysql": "PyMySQL"}
"""Where they are called otherwise than their modules."""


def connect(engine: sa.Engine) -> sa.Connection:
    """RetriableError when the database is away, ConnectError when it refuses the login."""
    try:
        return engine.connect()
    except sa.exc.DBAPIError as error:
        said = " ".join(str(error.orig).split())
        if re.search("denied|authenticat|login failed|invalid username|does not exist|unknown database", said, re.I):
            raise ConnectError(f"{engine.url!r} refuses the login: {said}") from error
        raise RetriableError(f"{engine.url!r} cannot be reached: {said}") from error


@contextmanager
def errors(engine: sa.Engine, doing: str) -> Iterator[None]:
    """Raise what SQLAlchemy raises as what it means."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        message = f"{engine.url!r}: {doing}: {error.orig}"
        if isinstance(error, (sa.exc.IntegrityError, sa.exc.DataError)):
            raise DataError(message) from error
        away = isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError)) or error.connection_invalidated
        raise (RetriableError if away else ConnectError)(message) from error
    except sa.exc.SQLAlchemyError as error:
        raise ConnectError(f"{engine.url!r}: {doing}: {error}") from error
    except UnicodeEncodeError as error:  # a lone surrogate, which JSON can write and UTF-8 cannot
        raise DataError(f"{engine.url!r}: {doing!a}: {error}") from error


def identifiers_of(engine: sa.Engine, config: ConnectionConfig) -> Identifiers:
    preparer = engine.dialect.identifier_preparer
    return Identifiers(config.sql_quote_identifiers, preparer.initial_quote, preparer.final_quote)


def plain_text(sql: str) -> sa.TextClause:
    """SQL in which `:kconnect_1` … are parameters, and no other colon means any."""
    return sa.text(re.sub(r":(?!kconnect_\d)", r"\\:", sql))
