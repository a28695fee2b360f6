"""Fixtures for tests of the embedded log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.raw_client import RawClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedLog]:
    """A broker of the test's own; the test may kill and restart it."""
    with EmbeddedLog(tmp_path / "data") as log:
        yield log


@pytest.fixture
def client(broker: EmbeddedLog) -> Iterator[RawClient]:
    """A connection to `broker`."""
    with RawClient(broker.bootstrap_servers) as raw:
        yield raw
