"""What is hidden of a connector's config, and what is shown."""

from __future__ import annotations

import pytest

from kconnect_workers.herder.secrets import hide_in_url


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgresql://app:p@ss:w@db:5432/shop", "postgresql://app:[hidden]@db:5432/shop"),
        ("redis://:pw@host:6379/0", "redis://:[hidden]@host:6379/0"),
        ("mongodb://u:pw@a:1,b:2/?tls=true", "mongodb://u:[hidden]@a:1,b:2/?tls=true"),
        ("http://u:one@a:1,http://u:two@b:2", "http://u:[hidden]@a:1,http://u:[hidden]@b:2"),
        (
            "jdbc:postgresql://db/shop?user=u&password=pw&ssl=true",
            "jdbc:postgresql://db/shop?user=u&password=[hidden]&ssl=true",
        ),
        (
            "jdbc:sqlserver://db;user=u;Password=pw;encrypt=true",
            "jdbc:sqlserver://db;user=u;Password=[hidden];encrypt=true",
        ),
        ("https://api/v1?access_token=abc#top", "https://api/v1?access_token=[hidden]#top"),
        ("postgresql://app:${env:PW}@db/shop", "postgresql://app:${env:PW}@db/shop"),
        ("postgresql://app@db:5432/shop?user=a:b@c", "postgresql://app@db:5432/shop?user=a:b@c"),
        ("http://host:8080/path@1", "http://host:8080/path@1"),
        ("a:b@c?password=x", "a:b@c?password=x"),
    ],
)
def test_passwords_in_urls_are_hidden(value: str, shown: str) -> None:
    assert hide_in_url(value) == shown
    assert hide_in_url(shown) == shown
