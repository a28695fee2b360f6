"""Opening a connection: so many tries, so long apart (`connection.attempts`, `connection.backoff.ms`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from kconnect.errors import ConnectError, RetriableError
from kconnect_sql.config import ConnectionConfig

T = TypeVar("T")
log = logging.getLogger(__name__)


class DatabaseMissingError(RetriableError):
    """There is no such database: the URL is likely to be wrong, or else the database may come back."""


def first_connection(config: ConnectionConfig, connect: Callable[[], T], stopping: threading.Event) -> T:
    """What `connect` gives. Raises its last error when all tries failed, or `stopping` is set, or there is no such
    database."""
    for attempt in range(1, config.connection_attempts + 1):
        try:
            return connect()
        except DatabaseMissingError as error:
            raise ConnectError(str(error)) from error
        except RetriableError as error:
            if attempt == config.connection_attempts or stopping.is_set():
                raise ConnectError(f"after {attempt} tries (connection.attempts): {error}") from error
            log.warning("%s; trying again in %d ms", error, config.connection_backoff_ms)
            stopping.wait(config.connection_backoff_ms / 1000)
    raise AssertionError("connection.attempts is one at least")
