"""How many requests of each kind there were, and how long they took."""

from __future__ import annotations

import struct
import time
from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING

from kconnect.log.metrics.exposition import Family
from kconnect.log.protocol.api_key import ApiKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.connection import Exchange

BUCKETS_MS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0)

_API_KEY = struct.Struct(">h")
_NAMES = {int(key): "".join(part.capitalize() for part in key.name.split("_")) for key in ApiKey}


class RequestTimes:
    """Stands before `handle`, and looks at the clock as a request comes and as it is answered.

    A Fetch that waits for records takes as long as it waits. Requests of clients that go before they are answered are
    not counted.
    """

    def __init__(self, handle: Callable[[memoryview, Exchange], None]) -> None:
        self._handle = handle
        self._counts: dict[int, list[int]] = {}
        self._sums: dict[int, float] = {}

    def handle(self, frame: memoryview, exchange: Exchange) -> None:
        key: int = _API_KEY.unpack_from(frame)[0] if len(frame) >= _API_KEY.size else -1
        exchange.on_answered = partial(self._answered, key, time.perf_counter())
        self._handle(frame, exchange)

    def _answered(self, key: int, began: float) -> None:
        milliseconds = (time.perf_counter() - began) * 1000
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0] * (len(BUCKETS_MS) + 1)
            self._sums[key] = 0.0
        counts[bisect_left(BUCKETS_MS, milliseconds)] += 1
        self._sums[key] += milliseconds

    def families(self) -> list[Family]:
        requests = Family("kafka_network_requestmetrics_requests_total", "counter", "Requests that were answered.")
        times = Family(
            "kafka_network_requestmetrics_totaltimems",
            "histogram",
            "Milliseconds from a request's coming to its answer.",
        )
        for key, counts in sorted(self._counts.items()):
            name = _NAMES.get(key, str(key))
            total = 0
            for bound, count in zip((*BUCKETS_MS, "+Inf"), counts, strict=True):
                total += count
                times.add(total, "_bucket", request=name, le=bound)
            times.add(self._sums[key], "_sum", request=name)
            times.add(total, "_count", request=name)
            requests.add(total, request=name)
        return [requests, times]
