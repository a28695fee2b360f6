"""Which segments may go."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kconnect.log.storage.retention import expired_segments, is_due_to_roll
from kconnect.log.topic_config import TopicConfig


@dataclass
class Fake:
    size: int
    max_timestamp: int


SEGMENTS = [Fake(100, 1000), Fake(100, 2000), Fake(100, 3000)]


@pytest.mark.parametrize(
    ("configs", "now", "count"),
    [
        ({}, 10_000, 0),
        ({"retention.ms": "500"}, 1500, 0),
        ({"retention.ms": "500"}, 1501, 1),
        ({"retention.ms": "500"}, 9999, 3),
        ({"retention.ms": "-1"}, 10**15, 0),
        ({"retention.bytes": "300"}, 0, 0),
        ({"retention.bytes": "299"}, 0, 0),
        ({"retention.bytes": "200"}, 0, 1),
        ({"retention.bytes": "0"}, 0, 2),
        ({"retention.bytes": "0", "cleanup.policy": "compact"}, 0, 0),
        ({"retention.bytes": "0", "cleanup.policy": "compact,delete"}, 0, 2),
    ],
)
def test_what_goes(configs: dict[str, str], now: int, count: int) -> None:
    assert expired_segments(SEGMENTS, TopicConfig.of(configs), now) == count


def test_segments_without_times_stay() -> None:
    assert expired_segments([Fake(1, -1), Fake(1, 5)], TopicConfig.of({"retention.ms": "0"}), 9999) == 0


def test_segments_without_records_go_with_those_before_them() -> None:
    segments = [Fake(100, 1000), Fake(0, -1), Fake(100, 3000)]
    assert expired_segments(segments, TopicConfig.of({"retention.ms": "500"}), 1501) == 2


@dataclass
class FakeActive:
    size: int = 10
    begun_at: int = 1000
    jitter: float = 0.5


@pytest.mark.parametrize(
    ("configs", "age"),
    [
        ({"segment.ms": "1000"}, 1000),
        ({"segment.ms": "1000", "segment.jitter.ms": "100"}, 950),
        ({"segment.ms": "1000", "segment.jitter.ms": "4000"}, 500),
        ({"segment.ms": "1000", "max.compaction.lag.ms": "400"}, 1000),
        ({"segment.ms": "1000", "max.compaction.lag.ms": "400", "cleanup.policy": "compact"}, 400),
    ],
)
def test_an_active_segment_is_sealed_when_it_is_old(configs: dict[str, str], age: int) -> None:
    config = TopicConfig.of(configs)
    assert not is_due_to_roll(FakeActive(), config, 1000 + age)
    assert is_due_to_roll(FakeActive(), config, 1001 + age)
    assert not is_due_to_roll(FakeActive(size=0), config, 10**9)
