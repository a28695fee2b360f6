"""Brokers within the process of the test."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kconnect.log.broker import Broker
from kconnect.log.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kconnect.log.settings import BrokerSettings


@contextmanager
def serving(data: Path, settings: BrokerSettings) -> Iterator[str]:
    """A running broker; gives its address."""
    broker = Broker([Listener(host="127.0.0.1", port=0)], data, settings)
    thread = threading.Thread(target=broker.run)
    thread.start()
    try:
        [(_, endpoint)] = broker.endpoints
        yield str(endpoint)
    finally:
        broker.stop()
        thread.join(30)
        broker.close()
