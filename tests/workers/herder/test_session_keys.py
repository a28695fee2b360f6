"""Keys by which the workers of a pool know one another."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from typing import Any

import pytest

from kconnect.errors import ConfigError
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.herder.pool import ForbiddenError, NotReadyError
from kconnect_workers.herder.session_keys import ALGORITHM, SIGNATURE, SessionKeys
from kconnect_workers.stores.config_store import ConfigStore
from kconnect_workers.stores.entry_log import MemoryLog

BODY = b'[{"file":"a.txt"}]'


class Keys(SessionKeys):
    """At a time that a test sets."""

    def __init__(self, configs: ConfigStore, **settings: str) -> None:
        self.configs = configs
        self.now = 1_000_000.0
        props = {
            "bootstrap.servers": "127.0.0.1:9",
            "group.id": "pool",
            "key.converter": "StringConverter",
            "value.converter": "StringConverter",
            **{f"{store}.storage.topic": store for store in ("config", "offset", "status")},
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
        super().__init__(configs, DistributedConfig.parse(props), lambda: self.now)

    @property
    def key(self) -> bytes:
        assert self.configs.state.session_key is not None
        return self.configs.state.session_key.key


@pytest.fixture
def configs() -> ConfigStore:
    return ConfigStore(MemoryLog)


def test_a_key_is_made_once_and_anew_when_it_is_too_old(configs: ConfigStore) -> None:
    keys = Keys(configs, inter_worker_key_ttl_ms="60000")
    assert asyncio.run(keys.renew()) == 60
    first = keys.key
    keys.now += 59_000
    assert asyncio.run(keys.renew()) == 1
    assert keys.key == first
    keys.now += 1_000
    assert asyncio.run(keys.renew()) == 60
    assert keys.key != first


def test_a_key_without_an_end_is_kept(configs: ConfigStore) -> None:
    keys = Keys(configs, inter_worker_key_ttl_ms="0")
    asyncio.run(keys.renew())
    first = keys.key
    keys.now += 10**12
    asyncio.run(keys.renew())
    assert keys.key == first


@pytest.mark.parametrize(("algorithm", "bits"), [("HmacSHA256", 256), ("HmacSHA1", 512), ("HmacSHA512", 512)])
def test_keys_have_the_sizes_of_java_unless_another_is_set(configs: ConfigStore, algorithm: str, bits: int) -> None:
    asyncio.run(Keys(configs, inter_worker_key_generation_algorithm=algorithm).renew())
    assert configs.state.session_key is not None
    assert (len(configs.state.session_key.key) * 8, configs.state.session_key.algorithm) == (bits, algorithm)


def test_a_set_size_of_keys_is_kept(configs: ConfigStore) -> None:
    keys = Keys(configs, inter_worker_key_size="128")
    asyncio.run(keys.renew())
    assert len(keys.key) == 16


@pytest.mark.parametrize(("algorithm", "digest"), [("HmacSHA256", hashlib.sha256), ("HmacMD5", hashlib.md5)])
def test_a_signature_is_the_bodys_mac_in_base64(configs: ConfigStore, algorithm: str, digest: Any) -> None:
    keys = Keys(
        configs, inter_worker_signature_algorithm=algorithm, inter_worker_verification_algorithms="HmacMD5,HmacSHA256"
    )
    asyncio.run(keys.renew())
    headers = keys.sign(BODY)
    expected = base64.b64encode(hmac.new(keys.key, BODY, digest).digest()).decode()
    assert headers == {SIGNATURE: expected, ALGORITHM: algorithm}
    keys.verify(headers, BODY)


@pytest.mark.parametrize(
    ("changes", "body", "error"),
    [
        ({SIGNATURE: ""}, BODY, ConfigError),
        ({ALGORITHM: ""}, BODY, ConfigError),
        ({ALGORITHM: "HmacMD5"}, BODY, ConfigError),
        ({SIGNATURE: "bm90IGl0"}, BODY, ForbiddenError),
        ({SIGNATURE: "no base 64"}, BODY, ForbiddenError),
        ({}, BODY + b" ", ForbiddenError),
    ],
)
def test_what_is_not_signed_by_a_worker_is_refused(
    configs: ConfigStore, changes: dict[str, str], body: bytes, error: type[Exception]
) -> None:
    keys = Keys(configs)
    asyncio.run(keys.renew())
    with pytest.raises(error):
        keys.verify({**keys.sign(BODY), **changes}, body)


def test_a_worker_without_a_key_is_not_ready_yet(configs: ConfigStore) -> None:
    keys = Keys(configs)
    with pytest.raises(NotReadyError):
        keys.sign(BODY)
    with pytest.raises(NotReadyError):
        keys.verify({SIGNATURE: "bm90IGl0", ALGORITHM: "HmacSHA256"}, BODY)
