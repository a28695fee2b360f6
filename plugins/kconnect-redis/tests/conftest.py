from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from services.redis import redis_client


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """What the test itself looks into Redis with; its database is empty at first."""
    with redis_client(redis_url) as client:
        yield client
