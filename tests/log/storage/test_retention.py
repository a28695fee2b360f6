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
    first_timestamp: int = 0


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


@pytest.mark.parametrize(("size", "first", "due"), [(10, 0, True), (0, -1, False), (10, 500, False), (10, -1, False)])
def test_an_active_segment_is_sealed_when_its_first_record_is_old(size: int, first: int, due: bool) -> None:
    config = TopicConfig.of({"segment.ms": "1000"})
    assert is_due_to_roll(Fake(size, 0, first), config, 1001) is due
