from __future__ import annotations

import pytest

from kconnect import ConfigError
from kconnect_redis.address import Address, parse_uri
from kconnect_redis.config import RedisPubSubSourceConfig


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("redis://db", Address(host="db")),
        ("redis://db:7000/3", Address(host="db", port=7000, database=3)),
        ("redis://db?database=2", Address(host="db", database=2)),
        ("rediss://app:s%40crt@db", Address(host="db", username="app", password="s@crt", tls=True)),
        ("redis://s3cret@db", Address(host="db", password="s3cret")),
        ("redis://:s3cret@[::1]:7000", Address(host="::1", port=7000, password="s3cret")),
        ("redis-socket:///run/redis.sock?database=1", Address(socket="/run/redis.sock", database=1)),
        ("unix:///run/redis.sock", Address(socket="/run/redis.sock")),
    ],
)
def test_uris_are_read_as_lettuce_reads_them(uri: str, address: Address) -> None:
    assert parse_uri(uri) == address


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("db:6379", "begins with db"),
        ("redis://", "names no host"),
        ("redis://db:port", "is no URI"),
        ("redis://db/first", "no number of a database"),
        ("redis-socket://", "names no socket"),
        ("redis://:tops3cret@db?timeout=5s", "options that are not supported: timeout"),
    ],
)
def test_a_uri_that_is_none_is_refused_without_being_shown(uri: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"redis.uri: .*{reason}") as refused:
        parse_uri(uri)
    assert "tops3cret" not in str(refused.value)


def test_keys_win_over_what_the_uri_says_of_the_login() -> None:
    config = RedisPubSubSourceConfig.parse(
        {"redis.channels": "c", "redis.uri": "redis://a:b@db", "redis.username": "app", "redis.password": "x"}
    )
    assert config.address == Address(host="db", username="app", password="x")
    assert "x" not in repr(config.address).replace("Address", "")
