from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from services.mongodb import mongo_client


@pytest.fixture
def shop(mongodb_url: str) -> Iterator[Database[dict[str, Any]]]:
    """What the test itself looks into MongoDB with: the database `shop`, empty at first."""
    with mongo_client(mongodb_url) as client:
        yield client.shop
