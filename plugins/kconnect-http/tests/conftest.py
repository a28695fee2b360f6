from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.http import HttpServer, running_http_server


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """It answers 200 to everything until a test has it answer otherwise."""
    with running_http_server() as running:
        yield running
