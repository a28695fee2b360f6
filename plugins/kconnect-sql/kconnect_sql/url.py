"""Database URLs: JDBC's and SQLAlchemy's, told apart and taken apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from kconnect.config import Password
from kconnect.errors import ConfigError

KEY = "connection.url"
EXAMPLES = "jdbc:postgresql://host:5432/name, jdbc:sqlite:/path/file.db or a SQLAlchemy URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """Where a database is. `dialect` is `postgresql`, `sqlite` or another backend's name, `driver` the URL's scheme
    as SQLAlchemy reads it (`mysql+pymysql`); `options` are its query parameters, user and password excepted."""

    dialect: str
    driver: str
    host: str | None = None
    port: int | None = None
    database: str = ""
    user: str | None = None
    password: Password | None = None
    options: tuple[tuple[str, str], ...] = ()

    def login(self, user: str | None, password: Password | None) -> DatabaseUrl:
        """The same place with connection.user and connection.password, which win over what the URL says."""
        return replace(self, user=user or self.user, password=password or self.password)


def parse_url(text: str) -> DatabaseUrl:
    """Take a URL apart. Raises ConfigError that does not repeat the URL, for it may hold a password."""
    bare = text.strip().removeprefix("jdbc:")
    if bare.startswith("sqlite:"):
        return _sqlite(bare)
    scheme, separator, _ = bare.partition("://")
    wanted = sqlalchemy_form(bare.partition(":")[0]) or f"write {EXAMPLES}"
    if not separator:
        raise ConfigError("is not a database URL", key=KEY, suggestion=wanted)
    try:
        parts = urlsplit(bare)
        port = parts.port
    except ValueError:  # whose message may hold the password
        raise ConfigError("is not a valid URL: its host and port cannot be told", key=KEY, suggestion=wanted) from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    user = options.pop("user", None) or (unquote(parts.username) if parts.username else None)
    password = options.pop("password", None) or (unquote(parts.password) if parts.password else None)
    dialect = scheme.partition("+")[0]
    return DatabaseUrl(
        dialect="postgresql" if dialect in ("postgres", "postgresql") else dialect,
        driver=scheme,
        host=parts.hostname,
        port=port,
        database=unquote(parts.path.lstrip("/")),
        user=user,
        password=Password(password) if password is not None else None,
        options=tuple(options.items()),
    )


def sqlalchemy_form(jdbc: str) -> str | None:
    """What to write, and to install, for what JDBC calls a database; None for what is not known."""
    if jdbc not in _FORMS:
        return None
    driver, packages = _FORMS[jdbc]
    return f"write {driver}://user@host/name and pip install {packages}"


_FORMS = {
    "mysql": ("mysql+pymysql", "PyMySQL"),
    "mariadb": ("mariadb+pymysql", "PyMySQL"),
    "sqlserver": ("mssql+pymssql", "pymssql"),
    "oracle": ("oracle+oracledb", "oracledb"),
    "db2": ("db2+ibm_db", "ibm_db_sa"),
    "snowflake": ("snowflake", "snowflake-sqlalchemy"),
    "clickhouse": ("clickhouse+native", "clickhouse-sqlalchemy"),
}
"""By JDBC's name: SQLAlchemy's driver, one that needs no libraries of the system where there is one, and packages."""


def _sqlite(bare: str) -> DatabaseUrl:
    """`sqlite:path` (JDBC: relative or absolute) or `sqlite:///relative`, `sqlite:////absolute` (SQLAlchemy)."""
    path, _, query = bare.removeprefix("sqlite:").partition("?")
    path = path.removeprefix("///")
    return DatabaseUrl(dialect="sqlite", driver="sqlite", database=path, options=tuple(parse_qsl(query)))
