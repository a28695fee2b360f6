from __future__ import annotations

import pytest

from kconnect.config import Password
from kconnect.errors import ConfigError
from kconnect_sql.url import parse_url


@pytest.mark.parametrize(
    ("text", "dialect", "host", "port", "database", "user", "password"),
    [
        ("jdbc:postgresql://db:5433/shop", "postgresql", "db", 5433, "shop", None, None),
        ("jdbc:postgresql://db/shop?user=me&password=p%26w", "postgresql", "db", None, "shop", "me", "p&w"),
        ("postgres://me:p%40w@db/shop", "postgresql", "db", None, "shop", "me", "p@w"),
        ("postgresql+psycopg://db/shop", "postgresql", "db", None, "shop", None, None),
        ("mysql+pymysql://me@db:3306/shop", "mysql", "db", 3306, "shop", "me", None),
        ("jdbc:sqlite:/data/shop.db", "sqlite", None, None, "/data/shop.db", None, None),
        ("jdbc:sqlite:shop.db", "sqlite", None, None, "shop.db", None, None),
        ("sqlite:///shop.db", "sqlite", None, None, "shop.db", None, None),
        ("sqlite:////data/shop.db", "sqlite", None, None, "/data/shop.db", None, None),
    ],
)
def test_urls_of_jdbc_and_sqlalchemy_are_read(
    text: str, dialect: str, host: str | None, port: int | None, database: str, user: str | None, password: str | None
) -> None:
    url = parse_url(text)
    assert (url.dialect, url.host, url.port, url.database, url.user) == (dialect, host, port, database, user)
    assert (url.password.value if url.password else None) == password


def test_the_login_of_the_configuration_wins() -> None:
    url = parse_url("postgresql://a:b@db/shop").login("me", Password("secret"))
    assert (url.user, url.password) == ("me", Password("secret"))


@pytest.mark.parametrize("text", ["", "shop", "jdbc:shop:thin:@host", "postgresql://db:port/shop"])
def test_what_is_no_url_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match="jdbc:postgresql://"):
        parse_url(text)


def test_passwords_do_not_show() -> None:
    shown = repr(parse_url("jdbc:postgresql://db/shop?user=me&password=s3cret").login("me", None))
    assert "s3cret" not in shown
