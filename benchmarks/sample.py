"""What one round of a case measured, and what a number of rounds says."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["METRICS", "Metric", "Sample", "Spread", "throughput"]


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    unit: str
    better: Literal["more", "less"]


METRICS = {
    metric.name: metric
    for metric in (
        Metric("rate", "records/s", "more"),
        Metric("worker_cpu", "worker CPU s per million records", "less"),
        Metric("broker_cpu", "broker CPU s per million records", "less"),
        Metric("start", "s from start to REST", "less"),
        Metric("recovery", "s from start after kill -9 to the first record", "less"),
        Metric("recovery_cpu", "broker CPU s from start to the first record", "less"),
        Metric("start_cpu", "CPU s from start to REST", "less"),
        Metric("memory", "MiB PSS of all processes", "less"),
    )
}

# Metric name to value.
Sample = dict[str, float]


@dataclass(frozen=True, slots=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


def throughput(
    records: int, seconds: float, *, worker_cpu: float | None = None, broker_cpu: float | None = None
) -> Sample:
    """CPU seconds are those of the whole round."""
    sample = {"rate": records / seconds}
    if worker_cpu is not None:
        sample["worker_cpu"] = worker_cpu / records * 1e6
    if broker_cpu is not None:
        sample["broker_cpu"] = broker_cpu / records * 1e6
    return sample
